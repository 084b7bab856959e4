"""The TIFF structure inside EXIF: tags in three directories, read with every offset checked, written big-endian.

Values are kept as bytes, so that a camera's tags are carried over without being understood.

**Source**: TIFF 6.0, section 2; CIPA DC-008 (EXIF 2.32), 4.6. Big-endian because the common reader of UserComment
expects its UTF-16 in that order.
"""

import struct
from dataclasses import dataclass

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8}
"""Bytes that are swapped together, by type."""
_SIZE = _UNIT | {5: 8, 10: 8}
_EXIF_POINTER, _GPS_POINTER = 0x8769, 0x8825
PREFIX = b"Exif\0\0"


@dataclass(frozen=True)
class Tag:
    """One value: its TIFF type and its bytes, big-endian."""

    type: int
    data: bytes


@dataclass(frozen=True)
class Exif:
    """The three directories that matter: the picture's, the camera's and the place's; by tag number."""

    image: dict[int, Tag]
    camera: dict[int, Tag]
    place: dict[int, Tag]


def read(data: bytes) -> Exif:
    """Parse EXIF bytes, with or without `Exif\\0\\0` in front; what is broken is left out, nothing raises."""
    data = data.removeprefix(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return Exif({}, {}, {})
    image = _directory(data, order, struct.unpack_from(f"{order}I", data, 4)[0])
    camera, place = (_below(data, order, image.pop(pointer, None)) for pointer in (_EXIF_POINTER, _GPS_POINTER))
    return Exif(image, camera, place)


def _below(data: bytes, order: str, pointer: Tag | None) -> dict[int, Tag]:
    if pointer is None or pointer.type != LONG or len(pointer.data) != 4:
        return {}
    return _directory(data, order, int.from_bytes(pointer.data, "big"))


def _directory(data: bytes, order: str, at: int) -> dict[int, Tag]:
    if at + 2 > len(data):
        return {}
    tags = {}
    count = struct.unpack_from(f"{order}H", data, at)[0]
    for entry in range(at + 2, min(at + 2 + 12 * count, len(data) - 11), 12):
        number, kind, length = struct.unpack_from(f"{order}HHI", data, entry)
        size = _SIZE.get(kind, 0) * length
        start = entry + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, entry + 8)[0]
        value = data[start : start + size]
        if size and len(value) == size:
            tags[number] = Tag(kind, value if order == ">" else _swapped(value, _UNIT[kind]))
    return tags


def _swapped(value: bytes, unit: int) -> bytes:
    if unit == 1:
        return value
    return b"".join(value[at : at + unit][::-1] for at in range(0, len(value), unit))


def write(exif: Exif) -> bytes:
    """Return the directories as EXIF bytes with `Exif\\0\\0` in front."""
    image = dict(exif.image)
    at = 8
    below = {_EXIF_POINTER: exif.camera, _GPS_POINTER: exif.place}
    below = {pointer: tags for pointer, tags in below.items() if tags}
    image |= {pointer: Tag(LONG, bytes(4)) for pointer in below}
    after = at + len(_laid_out(image, at))
    blocks = b""
    for pointer, tags in below.items():
        image[pointer] = Tag(LONG, (after + len(blocks)).to_bytes(4, "big"))
        blocks += _laid_out(tags, after + len(blocks))
    return PREFIX + b"MM\0*" + at.to_bytes(4, "big") + _laid_out(image, at) + blocks


def with_shorts(data: bytes, values: dict[int, int]) -> bytes:
    """Return TIFF bytes in which the first directory says these numbers; bytes that are no TIFF come back as they are.

    Nothing moves, so every offset in it stays right, a maker's own too: a tag that is there is changed in its place;
    for others the directory is written again at the end.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return data
    at = struct.unpack_from(f"{order}I", data, 4)[0]
    count = struct.unpack_from(f"{order}H", data, at)[0] if 8 <= at <= len(data) - 2 else 0
    entries = [data[entry : entry + 12] for entry in range(at + 2, at + 2 + 12 * count, 12)]
    following = data[at + 2 + 12 * count :][:4]
    if not count or len(following) < 4:
        return data
    numbers = [struct.unpack(f"{order}H", entry[:2])[0] for entry in entries]
    by_number = dict(zip(numbers, entries, strict=True)) | {
        number: struct.pack(f"{order}HHIHH", number, SHORT, 1, value, 0) for number, value in values.items()
    }
    if by_number.keys() == set(numbers):
        again = b"".join(by_number[number] for number in numbers)
        return data[: at + 2] + again + data[at + 2 + 12 * count :]
    data += b"\0" * (len(data) % 2)
    again = b"".join(entry for _, entry in sorted(by_number.items()))
    moved = struct.pack(f"{order}I", len(data))
    return data[:4] + moved + data[8:] + struct.pack(f"{order}H", len(by_number)) + again + following


def _laid_out(tags: dict[int, Tag], at: int) -> bytes:
    """Return a directory that begins at offset `at`, its longer values behind it."""
    entries, values = b"", b""
    start = at + 2 + 12 * len(tags) + 4
    for number, tag in sorted(tags.items()):
        if len(tag.data) <= 4:
            field = tag.data.ljust(4, b"\0")
        else:
            field = (start + len(values)).to_bytes(4, "big")
            values += tag.data + b"\0" * (len(tag.data) % 2)  # values begin on even offsets
        entries += struct.pack(">HHI", number, tag.type, len(tag.data) // _SIZE[tag.type]) + field
    return len(tags).to_bytes(2, "big") + entries + bytes(4) + values
