"""A caption put into a copy of a picture's own file: metadata are inserted, the compressed picture is not touched.

What cannot take it without risk is copied as it is, and the XMP belongs beside it: formats that hold their metadata by
offsets (TIFF, AVIF, HEIC) or nowhere (BMP), pictures whose own XMP cannot be added to, and pictures signed with C2PA
content credentials, which any inserted byte would break.

**Source**: PNG specification, third edition (W3C, 2025), 5.3; ITU-T T.81, B.1 (JPEG segments); Adobe's XMP
specification, part 3 (2020), 1.1.3 and 1.1.6; CIPA DC-007 (multi-picture format), 5.2; Google's WebP container
specification; C2PA specification 2.1, A.3 (where the manifest lies).
"""

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from hotfolder.metadata import png, record, xmp
from hotfolder.metadata.facts import Facts

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MAX_JPEG_XMP = 65_502
_MAX_SIDECAR = 1 << 20
_APP0, _APP1, _APP2, _APP11, _START_OF_SCAN = 0xE0, 0xE1, 0xE2, 0xEB, 0xDA
_PNG_RECORD_BYTES = 256 << 10
_ROOMS = (52_000, 24_000, 8_000, 2_000)
"""Bytes of our record in a packet, tried in turn; escaped for XML a text grows up to five times."""
_HAS_XMP, _HAS_ALPHA = 0x04, 0x10
_MP_ENTRY = 0xB002

Part = bytes | memoryview


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
    if put := {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp}.get(format):
        try:
            parts = put(memoryview(source.read_bytes()), facts)
        except (ValueError, LookupError, OverflowError, struct.error):
            pass  # signed, odd or damaged: what cannot be understood is let be
        else:
            with open(target, "wb") as file:
                file.writelines(parts)
            return None
    shutil.copyfile(source, target)
    return _packet(None, facts, _MAX_SIDECAR)


def _packet(own: bytes | None, facts: Facts, limit: int) -> str:
    """Return the picture's own packet with ours merged in, at most `limit` bytes; raises ValueError."""
    for room in _ROOMS:
        packet = xmp.merged(own, facts, record.build(facts, room))
        if len(packet.encode()) <= limit:
            return packet
    raise ValueError("the picture's own XMP leaves no room")


def _png(data: memoryview, facts: Facts) -> list[Part]:
    """Put the packet and our record right behind IHDR."""
    kept: list[Part] = []
    own = None
    for kind, body, whole in _chunks(data):
        if kind == b"caBX":
            raise ValueError("signed")
        key = bytes(body[:80]).partition(b"\0")[0].decode("latin-1") if kind in png.TEXTS else None
        if key == png.XMP_KEY:
            _, own = png.read_text(kind, bytes(body)) or (None, None)
            if own is None:
                raise ValueError("XMP that is not read")
        elif key != record.KEY:
            kept.append(whole)
    packet = xmp.merged(own.encode() if own else None, facts, None)
    ours = [
        png.chunk(*png.text_chunk(key, text))
        for key, text in ((record.KEY, record.build(facts, _PNG_RECORD_BYTES)), (png.XMP_KEY, packet))
    ]
    return [data[:8], kept[0], *ours, *kept[1:]]


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Yield kind, content and whole of every chunk; the last whole reaches to the end of the file."""
    at, kind = 8, b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = bytes(data[at + 4 : at + 8]), at + 12 + length
        if end > len(data):
            raise ValueError("cut short")
        yield kind, data[at + 8 : end - 4], data[at:end] if kind != b"IEND" else data[at:]
        at = end


def _jpeg(data: memoryview, facts: Facts) -> list[Part]:
    """Put the packet where the picture's own lies, else behind the leading JFIF and EXIF segments."""
    segments: list[Part] = []
    own, place, lead, index = None, None, 0, None
    at = 2
    while (marker := data[at + 1]) != _START_OF_SCAN:
        if data[at] != 0xFF or marker < 0xC0 or 0xD0 <= marker < 0xDA or marker == 0xFF:
            raise ValueError("no segment")
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : end]
        if marker == _APP11 and bytes(body[:2]) == b"JP" and b"c2pa" in bytes(body[:128]):
            raise ValueError("signed")
        if marker == _APP2 and bytes(body[:4]) == b"MPF\0":
            index = len(segments)
        if marker == _APP1 and bytes(body[: len(_JPEG_XMP)]) == _JPEG_XMP and place is None:
            own, place = bytes(body[len(_JPEG_XMP) :]), len(segments)
        elif marker in (_APP0, _APP1) and lead == len(segments):
            lead += 1
        segments.append(data[at:end])
        at = end
    content = _JPEG_XMP + _packet(own, facts, _MAX_JPEG_XMP - len(_JPEG_XMP)).encode()
    ours = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    grown = len(ours) - (0 if place is None else len(segments[place]))
    if index is not None:
        if place is not None and place > index:
            raise ValueError("the other pictures' offsets would change")
        segments[index] = _with_first_size(bytes(segments[index]), grown)
    if place is None:
        segments.insert(lead, ours)
    else:
        segments[place] = ours
    return [data[:2], *segments, data[at:]]


def _with_first_size(segment: bytes, grown: int) -> bytes:
    """Return a multi-picture index in which the first picture has `grown` bytes more; offsets count from behind it."""
    base = 8
    order = {b"II": "<", b"MM": ">"}[segment[base : base + 2]]
    directory = base + struct.unpack_from(f"{order}I", segment, base + 4)[0]
    for number in range(struct.unpack_from(f"{order}H", segment, directory)[0]):
        tag, _, _, offset = struct.unpack_from(f"{order}HHII", segment, directory + 2 + 12 * number)
        if tag == _MP_ENTRY:
            at = base + offset + 4
            size = struct.unpack_from(f"{order}I", segment, at)[0] + grown
            return segment[:at] + struct.pack(f"{order}I", size) + segment[at + 4 :]
    raise ValueError("no index of pictures")


def _webp(data: memoryview, facts: Facts) -> list[Part]:
    """Put the packet where the picture's own lies, else behind all else; a plain file gets the extended header."""
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    chunks: list[tuple[bytes, Part]] = []
    own, place, at = None, None, 12
    while at + 8 <= end:
        kind, (length,) = bytes(data[at : at + 4]), struct.unpack_from("<I", data, at + 4)
        body = data[at + 8 : at + 8 + length]
        if len(body) < length or kind == b"C2PA":
            raise ValueError("cut short, or signed")
        if not chunks and kind != b"VP8X":
            chunks.append((b"VP8X", _extended_header(kind, body)))
        if kind == b"XMP " and place is None:
            own, place = bytes(body), len(chunks)
        chunks.append((kind, body))
        at += 8 + length + length % 2
    head = bytes(chunks[0][1])
    chunks[0] = (b"VP8X", bytes([head[0] | _HAS_XMP]) + head[1:])
    ours = (b"XMP ", _packet(own, facts, len(own or b"") + xmp.MAX_BYTES).encode())
    if place is None:
        chunks.append(ours)
    else:
        chunks[place] = ours
    parts: list[Part] = []
    for name, content in chunks:
        parts += [name + struct.pack("<I", len(content)), content, b"\0" * (len(content) % 2)]
    size = 4 + sum(map(len, parts))
    return [b"RIFF" + struct.pack("<I", size) + b"WEBP", *parts, data[end:]]


def _extended_header(kind: bytes, body: Part) -> bytes:
    """Return the VP8X content for a picture that is one VP8 or VP8L chunk."""
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        width, height, has_alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    elif kind == b"VP8 ":
        width, height = (edge & 0x3FFF for edge in struct.unpack_from("<HH", body, 6))
        width, height, has_alpha = width - 1, height - 1, 0
    else:
        raise ValueError("no picture first")
    edges = width.to_bytes(3, "little") + height.to_bytes(3, "little")
    return bytes([_HAS_ALPHA * has_alpha, 0, 0, 0]) + edges
