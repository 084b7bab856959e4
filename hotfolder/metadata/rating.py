"""Stars given to a picture: written into its own file, its compressed pixels and all else in it left as they are.

What cannot take them (see `containers`) gets `<name>.xmp` beside it, which photo managers read too.
"""

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from hotfolder import atomic, images, names
from hotfolder.errors import RejectedInput
from hotfolder.metadata import containers, exif, xmp
from hotfolder.metadata.containers import Part

_MAX_SIDECAR_BYTES = 1 << 20
_ANY_SIZE = 1 << 62
_TRIES = 5
_LOCK = threading.Lock()


def rate(path: Path, stars: int) -> None:
    """Give the picture at `path` 0 to 5 stars, durably; 0 takes them away.

    They stand in its XMP, and in its EXIF where it has any; where it cannot be changed, in the `.xmp` beside it. One
    that rates it already is changed too: it is read first. Two ratings at once come one after the other.

    Raises:
        RejectedInput: it is no picture, or what lies beside it cannot be added to.
        OSError: it cannot be read or written, or another program keeps changing it.
    """
    with _LOCK:
        for _ in range(_TRIES):
            if _rate(path, stars):
                return
    raise OSError(f"{names.display(path.name)} is being changed by another program; try again when that is done")


def _rate(path: Path, stars: int) -> bool:
    """Write the rating; False where the file became another meanwhile."""
    before = path.stat()
    format = images.sniff(path, _ANY_SIZE).format
    change = containers.Change(
        lambda own, limit: _at_most(xmp.rated(own, stars), limit), lambda own: exif.rated(own, stars)
    )
    parts = containers.changed(memoryview(path.read_bytes()), format, change)
    beside = path.with_name(f"{path.name}.xmp")
    if os.path.lexists(beside) or parts is None:
        _rate_beside(beside, stars, is_needed=parts is None)
    return parts is None or _replace(path, parts, before)


def _at_most(packet: str, limit: int) -> str:
    if len(packet.encode()) > limit:
        raise ValueError("no room for the rating")
    return packet


def _rate_beside(beside: Path, stars: int, is_needed: bool) -> None:
    """Write the rating into the file beside a picture; where it `is_needed`, even if none stands there now."""
    own, before = None, None
    if beside.is_file() and not beside.is_symlink():
        before = beside.stat()
        own = beside.read_bytes()[:_MAX_SIDECAR_BYTES]
        if not is_needed and xmp.read(own).rating is None:
            return
    elif os.path.lexists(beside):
        raise RejectedInput(f"{names.display(beside.name)} is no plain file; move it away, then rate again")
    try:
        packet = xmp.rated(own, stars)
    except ValueError:
        raise RejectedInput(
            f"{names.display(beside.name)} cannot be read as XMP, and the picture itself cannot hold a rating; mend "
            "that file or move it away, then rate again"
        ) from None
    if not _replace(beside, [packet.encode()], before):
        raise OSError(f"{names.display(beside.name)} is being changed by another program; try again when that is done")


def _replace(path: Path, parts: Iterable[Part], before: os.stat_result | None) -> bool:
    """Write a file beside `path` and let it take its place, with its rights and attributes; False where `path` is not
    what it was `before`, None for not there."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    part = Path(name)
    try:
        with open(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            if before is not None:
                shutil.copystat(path, part)
                os.utime(part)
            else:
                part.chmod(path.parent.stat().st_mode & 0o666)
            os.fsync(file.fileno())
        if _identity(path) != _identity_of(before):
            return False
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    atomic.fsync_folder(path.parent)
    return True


def _identity(path: Path) -> tuple[int, ...] | None:
    with contextlib.suppress(FileNotFoundError):
        return _identity_of(path.lstat())
    return None


def _identity_of(status: os.stat_result | None) -> tuple[int, ...] | None:
    return status and (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
