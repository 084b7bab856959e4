"""The short hash that names a model's weights inside a picture."""

import hashlib
from pathlib import Path

from hotfolder.models import complete, sources

MAX_READ_BYTES = 4_000_000_000
"""Of files that must be read to know their hash: seconds from a disk, once while they stay as they are."""


def model_hash(place: Path) -> str | None:
    """Return ten hex digits that name the weights at `place`, None where there are none or it would take too long.

    Of one file it is the beginning of its SHA-256, as A1111 writes it; of a folder that of the SHA-256 over those of
    its files. A file in the hub's cache is named by its hash, and need not be read.

    Raises:
        FileNotFoundError: they are not there any more.
    """
    is_folder = place.is_dir()
    files = [sources.file_of(path) for path in (complete.files(place) if is_folder else [place])]
    unread = sum(file.bytes for file in files if not sources.is_named_after_content(file.path))
    if not files or unread > MAX_READ_BYTES:
        return None
    hashes = [sources.sha256_of(file) for file in files]
    if not is_folder:
        return hashes[0][:10]
    return hashlib.sha256(b"".join(map(bytes.fromhex, hashes))).hexdigest()[:10]
