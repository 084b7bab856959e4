"""Where the parts of a model lie on the disk, and which of them are the same. Imports no torch.

FLUX.1 [schnell], [dev], [Kontext] and [Fill] have the same text encoders and VAE, 9.9 GB, in a repository each.
"""

import functools
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from hotfolder.models import complete, entries
from hotfolder.models.parts import CONFIGS

SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class File:
    """A file of weights as it was found; `path` with links followed. Equal as long as nobody changes it."""

    path: Path
    bytes: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class Source:
    """One part of a model. `folder` holds its configuration, `files` its weights: none for a tokenizer.

    `is_original`: the one file has the layout of the model's makers, and is converted while it is loaded.
    """

    folder: Path
    files: tuple[File, ...] = ()
    is_original: bool = False

    def is_same(self, other: "Source") -> bool:
        """Say whether both hold the same weights, byte by byte; files are read only where their sizes are equal.

        A file that has changed since it was found is no more the same as any.
        """
        if self.files == other.files:
            return True
        sizes, others = ([file.bytes for file in source.files] for source in (self, other))
        try:
            return sizes == others and all(
                sha256_of(one) == sha256_of(another) for one, another in zip(self.files, other.files, strict=True)
            )
        except FileNotFoundError:
            return False


def file_of(path: Path) -> File:
    real = path.resolve()
    status = real.stat()
    return File(real, status.st_size, status.st_mtime_ns, status.st_ino)


def find(entry: entries.ModelEntry, part: str, place: Path, models: Path) -> Source:
    """Return where a part of a model comes from whose weights are at `place` (entries.weights_folder).

    Args:
        part: as diffusers names it, "" for the one part of a model that has no others.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    if not part or place.is_dir():
        return part_of(place, part)
    if part == "transformer":
        return Source(CONFIGS / entry.parts[part], (file_of(place),), is_original=True)
    if part == "scheduler":
        return Source(CONFIGS / entry.parts[part])
    home = entries.home_of(entry, part, models)
    if home is None:
        raise FileNotFoundError(f"{part} is not there any more")
    if home.is_file():
        return Source(CONFIGS / entry.parts[part], (file_of(home),), is_original=True)
    return part_of(home, part)


def part_of(folder: Path, part: str) -> Source:
    """Return a part of a diffusers folder, "" for a model whose folder holds its one part, or is its one file."""
    if folder.is_file():
        return Source(folder, (file_of(folder),))
    place = folder / part
    if lists := sorted(place.glob("*.safetensors.index.json")):
        names = sorted(set(json.loads(lists[0].read_bytes())["weight_map"].values()))
        return Source(place, tuple(file_of(place / name) for name in names))
    return Source(place, tuple(map(file_of, complete.files(place))))


def name_of(file: File) -> str:
    """Return a name for a file's content that costs nothing: its hash where the hub's cache says it, else what the disk
    says of the file."""
    if is_named_after_content(file.path):
        return file.path.name
    return f"{file.path}:{file.bytes}:{file.mtime_ns}:{file.inode}"


@functools.cache
def sha256_of(file: File) -> str:
    """Return the hash of a file's bytes in hex digits: for one in the hub's cache that is its name.

    Raises:
        FileNotFoundError: it is not the file any more that was found.
    """
    if is_named_after_content(file.path):
        return file.path.name
    if file_of(file.path) != file:
        raise FileNotFoundError(f"{file.path} has changed while it was in use")
    with open(file.path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def is_named_after_content(path: Path) -> bool:
    """Say whether a file, its links followed, is one of the hub's cache, which calls it by its SHA-256."""
    return path.parent.name == "blobs" and bool(SHA256.fullmatch(path.name))
