"""One hostile drop: its files, where they must end, and what the words about it must contain."""

import os
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """`files` maps names (bytes, relative to the case's folder) to contents; the first one is the drop's own.

    `ends` is `failed`, `done`, `waits` or `ignored`. `says` are parts of the reason, when it fails or waits.
    """

    files: dict[bytes, bytes]
    ends: str = "failed"
    says: tuple[str, ...] = ()
    folder: bytes = b"upscale"

    @property
    def name(self) -> str:
        return os.fsdecode(next(iter(self.files)))

    @property
    def origin(self) -> str:
        return f"{os.fsdecode(self.folder)}/{self.name}"

    @property
    def id(self) -> str:
        return self.origin.encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode()[:60]


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a PNG chunk with a right checksum."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int, *more: bytes, pixels: bytes | None = None, depth: int = 8, colour: int = 0) -> bytes:
    """Return a PNG put together by hand: header, more chunks, pixels (zeros if not given), end."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    if pixels is None:
        packer = zlib.compressobj(9)
        row = bytes(1 + (width * depth + 7) // 8)
        rows = b"".join(packer.compress(row * min(1000, height - top)) for top in range(0, height, 1000))
        pixels = rows + packer.flush()
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *more, chunk(b"IDAT", pixels), chunk(b"IEND", b"")])
