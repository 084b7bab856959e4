"""A caption put into a copy of a picture's own file: metadata are inserted, the compressed picture is not touched.

What cannot take it (see `containers`) is copied as it is, and the XMP belongs beside it.
"""

import shutil
from pathlib import Path

from hotfolder.metadata import containers, record, xmp
from hotfolder.metadata.facts import Facts

_MAX_SIDECAR_BYTES = 1 << 20
_PNG_RECORD_BYTES = 256 << 10
_ROOMS = (52_000, 24_000, 8_000, 2_000)
"""Bytes of our record in a packet, tried in turn; escaped for XML a text grows up to five times."""


def save(source: Path, target: Path, format: str, facts: Facts) -> str | None:
    """Write the file at `source` to `target` with caption, keywords and our record in it; not fsynced.

    Args:
        source: the picture.
        target: written anew.
        format: what it is by its content, a key of images.MIME.
        facts: `caption`, `tags` (all the picture then has, its own among them) and what the record holds.

    Returns:
        None, or the XMP packet that belongs into `<target>.xmp`: then the copy is the file byte for byte.
    """
    change = containers.Change(lambda own, limit: _packet(own, facts, limit))
    if format == "PNG":  # our record has a text of its own there
        texts = {record.KEY: record.build(facts, _PNG_RECORD_BYTES)}
        change = containers.Change(lambda own, limit: xmp.merged(own, facts, None), texts=texts)
    if parts := containers.changed(memoryview(source.read_bytes()), format, change):
        with open(target, "wb") as file:
            file.writelines(parts)
        return None
    shutil.copyfile(source, target)
    return _packet(None, facts, _MAX_SIDECAR_BYTES)


def _packet(own: bytes | None, facts: Facts, limit: int) -> str:
    """Return the picture's own packet with ours merged in, at most `limit` bytes; raises ValueError."""
    for room in _ROOMS:
        packet = xmp.merged(own, facts, record.build(facts, room))
        if len(packet.encode()) <= limit:
            return packet
    raise ValueError("the picture's own XMP leaves no room")
