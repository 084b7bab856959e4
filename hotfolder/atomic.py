"""Durable file operations: nothing half-written, nothing overwritten, nothing lost by a power cut.

`crash_point(name)` marks every step of the protocol. It does nothing unless HOTFOLDER_CRASH_AT names the step, in
which case the process kills itself there, once, with SIGKILL: the crash tests prove recovery at every step that way.
"""

import contextlib
import ctypes
import errno
import hashlib
import itertools
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# "name:count:token": die at the count-th passing of `name`, if the file `token` could be removed just then
_CRASH_AT, _, _rest = os.environ.get("HOTFOLDER_CRASH_AT", "").partition(":")
_PASSINGS, _, _TOKEN = _rest.partition(":")
_passings = itertools.count(1)
_FLUSHERS = ThreadPoolExecutor(32, thread_name_prefix="flush")


def crash_point(name: str) -> None:
    """Die here if the environment says so; a step of the protocol that can be killed."""
    if name == _CRASH_AT and next(_passings) == int(_PASSINGS):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_TOKEN)
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def fsync_file(path: Path) -> None:
    """Flush one file's data to the disk."""
    fd = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk; Windows does so by itself and has no call for it."""
    if os.name != "nt":
        fsync_file(folder)


def fsync_folders(folders: Iterable[Path]) -> None:
    """Flush many folders at once: the disk answers flushes that wait together with one."""
    list(_FLUSHERS.map(fsync_folder, folders))


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, data: bytes) -> None:
    """Write a file of our own so that it is there whole or not at all, replacing what was there."""
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    fsync_folder(path.parent)


def make_folders(folder: Path) -> None:
    """Create `folder` and its missing parents durably."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        with contextlib.suppress(FileExistsError):
            new.mkdir()
        fsync_folder(new.parent)


def rename_new(source: Path, target: Path) -> None:
    """Rename within a device; raises FileExistsError rather than overwrite. The folders are not flushed."""
    if os.name == "nt":
        os.rename(source, target)
        return
    if sys.platform == "linux" and _renameat2(source, target):
        return
    os.link(source, target, follow_symlinks=False)
    os.unlink(source)


def link_new(source: Path, target: Path) -> None:
    """Give the finished file `source` a second name `target` in one step; raises FileExistsError if it is taken.

    On another device, or one without hard links, it is copied beside the target first and renamed into place.
    """
    try:
        os.link(source, target)
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES):
            raise
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    part = target.with_name(f".{hashlib.sha256(target.name.encode()).hexdigest()[:16]}.part")
    copy(source, part)
    rename_new(part, target)


def copy(source: Path, target: Path) -> None:
    """Copy bytes and times, flush them, and verify what arrived; raises OSError when it differs."""
    shutil.copyfile(source, target, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=False)
    fsync_file(target)
    if sha256_of(source) != sha256_of(target):
        raise OSError(errno.EIO, f"the copy differs from its source {source}", str(target))


def _renameat2(source: Path, target: Path) -> bool:
    """Linux's rename that refuses to overwrite; False where the file system has none (then link and unlink)."""
    at_fdcwd, no_replace = -100, 1
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(at_fdcwd, os.fsencode(source), at_fdcwd, os.fsencode(target), no_replace) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))
