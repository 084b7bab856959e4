"""A picture's file with other metadata: XMP, EXIF and texts are put in, the compressed picture is not touched.

What cannot take them without risk is refused: formats that hold their metadata by offsets (TIFF, AVIF, HEIC) or nowhere
(BMP), pictures whose own XMP cannot be added to, and pictures signed with C2PA content credentials, which any inserted
byte would break.

**Source**: PNG specification, third edition (W3C, 2025), 5.3; ITU-T T.81, B.1 (JPEG segments); Adobe's XMP
specification, part 3 (2020), 1.1.3 and 1.1.6; CIPA DC-007 (multi-picture format), 5.2; Google's WebP container
specification; C2PA specification 2.1, A.3 (where the manifest lies).
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from hotfolder.metadata import png, xmp

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_EXIF = b"Exif\0\0"
_MAX_JPEG_BODY = 65_533
_MAX_JPEG_XMP = 65_502
_APP0, _APP1, _APP2, _APP11, _START_OF_SCAN = 0xE0, 0xE1, 0xE2, 0xEB, 0xDA
_HAS_XMP, _HAS_ALPHA = 0x04, 0x10
_MP_ENTRY = 0xB002

Part = bytes | memoryview


def _as_it_is(exif: bytes) -> bytes:
    return exif


@dataclass(frozen=True)
class Change:
    """What becomes of a file's metadata; each part may raise ValueError: then the file cannot be changed.

    `packet(own, limit)` returns the XMP packet, at most `limit` bytes, from the file's own, None where it has none.
    `exif(own)` returns the TIFF bytes of its EXIF, where it has any. `texts` take the place of a PNG's own by key.
    """

    packet: Callable[[bytes | None, int], str]
    exif: Callable[[bytes], bytes] = _as_it_is
    texts: Mapping[str, str] = field(default_factory=dict)


def changed(data: memoryview, format: str, change: Change) -> list[Part] | None:
    """Return the parts of the changed file, in order; None where it cannot take the change.

    Args:
        data: the whole file.
        format: what it is by its content, a key of images.MIME.
        change: what becomes of its metadata.
    """
    put = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp}.get(format)
    try:
        return put(data, change) if put else None
    except (ValueError, LookupError, OverflowError, struct.error):
        return None  # signed, odd or damaged: what cannot be understood is let be


def _png(data: memoryview, change: Change) -> list[Part]:
    """Put the packet and the texts right behind IHDR."""
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
        elif kind == b"eXIf":
            exif = change.exif(bytes(body))
            kept.append(whole if exif == body else png.chunk(kind, exif))
        elif key is None or key not in change.texts:
            kept.append(whole)
    packet = change.packet(own.encode() if own else None, png.MAX_TEXT_BYTES)
    texts = {**change.texts, png.XMP_KEY: packet}
    ours = [png.chunk(*png.text_chunk(key, text)) for key, text in texts.items()]
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


def _jpeg(data: memoryview, change: Change) -> list[Part]:
    """Put the packet where the picture's own lies, else behind the leading JFIF and EXIF segments."""
    segments: list[Part] = []
    own, place, lead, index, grown = None, None, 0, None, 0
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
        segment: Part = data[at:end]
        if marker == _APP1 and bytes(body[: len(_JPEG_EXIF)]) == _JPEG_EXIF:
            segment = _app1(_JPEG_EXIF + change.exif(bytes(body[len(_JPEG_EXIF) :])))
            grown += len(segment) - (end - at)
            if index is not None and len(segment) != end - at:
                raise ValueError("the other pictures' offsets would change")
        segments.append(segment)
        at = end
    ours = _app1(_JPEG_XMP + change.packet(own, _MAX_JPEG_XMP - len(_JPEG_XMP)).encode())
    grown += len(ours) - (0 if place is None else len(segments[place]))
    if index is not None:
        if place is not None and place > index:
            raise ValueError("the other pictures' offsets would change")
        segments[index] = _with_first_size(bytes(segments[index]), grown)
    if place is None:
        segments.insert(lead, ours)
    else:
        segments[place] = ours
    return [data[:2], *segments, data[at:]]


def _app1(body: bytes) -> bytes:
    if len(body) > _MAX_JPEG_BODY:
        raise ValueError("too long for a segment")
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


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


def _webp(data: memoryview, change: Change) -> list[Part]:
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
        chunks.append((kind, _webp_exif(bytes(body), change) if kind == b"EXIF" else body))
        at += 8 + length + length % 2
    head = bytes(chunks[0][1])
    chunks[0] = (b"VP8X", bytes([head[0] | _HAS_XMP]) + head[1:])
    ours = (b"XMP ", change.packet(own, len(own or b"") + xmp.MAX_BYTES).encode())
    if place is None:
        chunks.append(ours)
    else:
        chunks[place] = ours
    parts: list[Part] = []
    for name, content in chunks:
        parts += [name + struct.pack("<I", len(content)), content, b"\0" * (len(content) % 2)]
    size = 4 + sum(map(len, parts))
    return [b"RIFF" + struct.pack("<I", size) + b"WEBP", *parts, data[end:]]


def _webp_exif(body: bytes, change: Change) -> bytes:
    """Return the chunk's content changed; some programs put JPEG's mark in front of it."""
    mark = _JPEG_EXIF if body.startswith(_JPEG_EXIF) else b""
    return mark + change.exif(body[len(mark) :])


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
