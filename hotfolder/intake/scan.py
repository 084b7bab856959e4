"""What lies in the inbox: the rescan that is the source of truth, and the names it passes over."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MAX_DEPTH = 8
PAUSE_NAMES = {"pause", "pause.txt"}
PRESET = "folder.yaml"

_IGNORED_NAMES = [
    ".*", "~*", "*~", "#*#", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini", "*.error.txt",
    *(f"*{suffix}" for suffix in (
        ".part .partial .crdownload .download .opdownload .filepart .tmp .temp .writing .aria2 .!qb .!ut .bts "
        ".syncpart .icloud .swp .lock"
    ).split()),
]  # fmt: skip
_IGNORED_FOLDERS = {"@eadir", "#recycle", "__macosx"}


class Signature(NamedTuple):
    """What changes when a file's content or identity does. Times are nanoseconds, compared only with each other."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular file in the inbox. `path` is relative to it, with `/`, undecodable bytes as surrogates."""

    path: str
    signature: Signature

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def is_ignored(name: str, is_folder: bool = False) -> bool:
    """Say whether a name belongs to an operating system, an editor or a transfer in progress.

    Source: the ignore lists of paperless-ngx, watchfiles and Syncthing, gathered with the names browsers give
    unfinished downloads.
    """
    lower = name.lower()
    if is_folder:
        return lower.startswith(".") or lower in _IGNORED_FOLDERS
    return any(fnmatch.fnmatchcase(lower, pattern) for pattern in _IGNORED_NAMES)


def signature_of(status: os.stat_result) -> Signature:
    return Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def scan(inbox: Path, passed_over: list[str] | None = None) -> Iterator[Entry]:
    """Yield every regular file of the inbox that is not ignored, folder by folder.

    Links, sockets, pipes and devices are passed over, never opened. A folder or file that vanishes or may not be
    read meanwhile is passed over too: the next scan sees what is there then.

    Args:
        passed_over: takes the paths of what somebody may wonder about, each with the reason.

    Raises:
        OSError: the inbox itself cannot be read.
    """
    left: list[str] = [] if passed_over is None else passed_over
    with os.scandir(inbox):
        pass
    pending = [(str(inbox), "", 0)]
    while pending:
        folder, prefix, depth = pending.pop()
        try:
            with os.scandir(folder) as listing:
                found = sorted(listing, key=lambda item: item.name)
        except PermissionError:
            left.append(f"{prefix} (may not be read)")
            continue
        except OSError:
            continue
        for item in found:
            try:
                status = item.stat(follow_symlinks=False)
            except OSError:
                continue
            is_folder = stat.S_ISDIR(status.st_mode)
            if is_ignored(item.name, is_folder):
                continue
            if is_folder and depth < MAX_DEPTH:
                pending.append((item.path, f"{prefix}{item.name}/", depth + 1))
            elif stat.S_ISREG(status.st_mode):
                yield Entry(prefix + item.name, signature_of(status))
            else:
                left.append(f"{prefix}{item.name} ({_what(status.st_mode)})")


def _what(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return f"more than {MAX_DEPTH} folders deep"
    return "a link" if stat.S_ISLNK(mode) else "no plain file"
