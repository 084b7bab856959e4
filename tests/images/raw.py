"""PNG and TIFF files laid out byte by byte, for what Pillow cannot write."""

import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    size: tuple[int, int], depth: int, colour_type: int, rows: bytes, *extra: bytes, interlaced: bool = False
) -> bytes:
    """Return a PNG of filtered `rows`; `extra` chunks stand in front of the pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, interlaced))
    return PNG + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(order: str, tags: dict[int, tuple[str, list[int]]], strip: bytes) -> bytes:
    """Return a TIFF of one strip in byte order `order` (`<` or `>`); the strip's own tags are added."""
    tags = tags | {273: ("I", [8]), 279: ("I", [len(strip)])}
    start = 8 + len(strip) + len(strip) % 2
    entries, values = b"", b""
    after = start + 2 + 12 * len(tags) + 4
    for number, (kind, numbers) in sorted(tags.items()):
        data = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        code = {"H": 3, "I": 4}[kind]
        if len(data) > 4:
            field = struct.pack(f"{order}I", after + len(values))
            values += data
        else:
            field = data.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", number, code, len(numbers)) + field
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    return head + strip + b"\0" * (len(strip) % 2) + directory + values


def layout(size: tuple[int, int], bits: list[int], photometric: int) -> dict[int, tuple[str, list[int]]]:
    return {
        256: ("I", [size[0]]),
        257: ("I", [size[1]]),
        258: ("H", bits),
        259: ("H", [1]),
        262: ("H", [photometric]),
        277: ("H", [len(bits)]),
        278: ("I", [size[1]]),
    }
