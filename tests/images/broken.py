"""Files that must be refused: cut short, bombs, other things under a picture's name."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.images import raw
from tests.images.odd import saved


@dataclass(frozen=True)
class Broken:
    """A file and words that its refusal must contain. `is_header` says that the header alone must give it away."""

    data: bytes
    says: str
    suffix: str = ".png"
    is_header: bool = True


def noise() -> Image.Image:
    """Return a picture that compresses badly, so that every part of its file matters."""
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, (200, 300, 3), np.uint8))


def _others() -> dict[str, Broken]:
    brand = b"\0\0\0\x18ftyp"
    return {
        "empty": Broken(b"", "is empty"),
        "zeros": Broken(bytes(5000), "only zeros"),
        "zeros behind a name": Broken(bytes(5000), "only zeros", ".jpg"),
        "html": Broken(b"<!DOCTYPE html><html><body>404</body></html>", "begins with an HTML page"),
        "html behind blanks": Broken(b"\xef\xbb\xbf\r\n  <HTML>", "begins with an HTML page", ".jpg"),
        "svg": Broken(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "xml": Broken(b'<?xml version="1.0"?><a/>', "XML"),
        "json": Broken(b'{"error": "not found"}', "JSON"),
        "text": Broken(b"a prompt, not a picture", "is not a picture"),
        "gif": Broken(saved(noise().quantize(), "GIF"), "is a GIF"),
        "gif named jpg": Broken(saved(noise().quantize(), "GIF"), "is a GIF", ".jpg"),
        "pdf": Broken(saved(noise(), "PDF"), "is a PDF"),
        "postscript": Broken(saved(noise(), "EPS"), "is a PostScript"),
        "photoshop": Broken(b"8BPS\0\1" + bytes(100), "Photoshop"),
        "jpeg 2000": Broken(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), "JPEG 2000"),
        "jpeg xl": Broken(b"\xff\x0a" + bytes(100), "JPEG XL"),
        "jpeg xl in a box": Broken(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100), "JPEG XL"),
        "icon": Broken(saved(noise(), "ICO"), "is not a picture that hotfolder reads", ".bmp"),
        "targa": Broken(saved(noise(), "TGA"), "is not a picture that hotfolder reads"),
        "netpbm": Broken(saved(noise(), "PPM"), "is not a picture that hotfolder reads"),
        "zip": Broken(b"PK\x03\x04" + bytes(100), "ZIP"),
        "gzip": Broken(b"\x1f\x8b\x08" + bytes(100), "gzip"),
        "film": Broken(brand + b"isom\0\0\2\0isommp42" + bytes(100), "film"),
        "film of a phone": Broken(brand + b"qt  \0\0\2\0qt  qt  " + bytes(100), "film", ".heic"),
        "matroska": Broken(b"\x1a\x45\xdf\xa3" + bytes(100), "film"),
        "wave in riff": Broken(b"RIFF\x24\0\0\0WAVEfmt " + bytes(100), "is not a picture", ".webp"),
        "git lfs": Broken(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        "one byte": Broken(b"\x89", "is not a picture"),
        "script before a png": Broken(b"#!/bin/sh\nrm -rf /\n" + saved(noise(), "PNG"), "is not a picture"),
        "png signature before a jpeg": Broken(raw.PNG + saved(noise(), "JPEG"), "damaged"),
        "jpeg start before a png": Broken(b"\xff\xd8\xff" + saved(noise(), "PNG"), "damaged", ".jpg"),
    }


def _cut() -> dict[str, Broken]:
    files = {
        "png": saved(noise(), "PNG"), "jpeg": saved(noise(), "JPEG"), "webp": saved(noise(), "WEBP"),
        "progressive": saved(noise(), "JPEG", progressive=True), "tiff": saved(noise(), "TIFF"),
        "bmp": saved(noise(), "BMP"), "avif": saved(noise(), "AVIF"), "heif": saved(noise(), "HEIF"),
        "lzw": saved(noise(), "TIFF", compression="tiff_lzw"),
        "deflated": saved(noise(), "TIFF", compression="tiff_adobe_deflate"),
        "jpeg in tiff": saved(noise(), "TIFF", compression="jpeg"),
        "lossless webp": saved(noise(), "WEBP", lossless=True),
    }  # fmt: skip
    return {
        f"{name} cut at {share:.0%}": Broken(data[: int(len(data) * share)], "copy it again", is_header=False)
        for name, data in files.items()
        for share in (0.02, 0.3, 0.5, 0.9, 0.99)
    }


def _bombs() -> dict[str, Broken]:
    row = b"\0" + bytes(30_000 // 8)
    png = raw.png((30_000, 30_000), 1, 0, row * 30_000)
    head = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    jpeg = bytearray(saved(noise(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg[frame : frame + 4] = struct.pack(">HH", 65_500, 65_500)
    bmp = bytearray(saved(noise(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    lossless = bytearray(saved(noise(), "WEBP", lossless=True))
    lossless[21:25] = struct.pack("<I", 16_382 | 16_382 << 14)
    avif, heif = (bytearray(saved(noise(), format)) for format in ("AVIF", "HEIF"))
    for data in (avif, heif):
        at = data.index(b"ispe") + 8
        data[at : at + 8] = struct.pack(">II", 60_000, 60_000)
    small = raw.layout((16, 16), [8], 1)
    tiles = {**{key: value for key, value in small.items() if key != 278}, 322: ("I", [65_536]), 323: ("I", [65_536])}
    tiles |= {324: ("I", [8]), 325: ("I", [100])}
    texts = raw.png((1, 1), 8, 0, b"\0\0", raw.chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50 << 20))))
    profile = raw.png((1, 1), 8, 0, b"\0\0", raw.chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50 << 20))))
    size = "megapixels; the limit is 250"
    return {
        "png of 900 megapixels": Broken(png, f"has 900 {size}"),
        "png of all pixels there are": Broken(raw.PNG + raw.chunk(b"IHDR", head) + raw.chunk(b"IDAT", b""), size),
        "jpeg of 4290 megapixels": Broken(bytes(jpeg), f"has 4,290 {size}", ".jpg"),
        "bmp of 10000 megapixels": Broken(bytes(bmp), f"has 10,000 {size}", ".bmp"),
        "webp of 268 megapixels": Broken(bytes(lossless), f"has 268 {size}", ".webp"),
        "avif of 3600 megapixels": Broken(bytes(avif), "", ".avif"),
        "heic of 3600 megapixels": Broken(bytes(heif), "", ".heic"),
        "tiff of 4295 megapixels": Broken(
            raw.tiff("<", raw.layout((65_536, 65_536), [8], 1), b"x"), f"has 4,295 {size}", ".tif"
        ),
        "tiff with a huge tile": Broken(raw.tiff("<", tiles, bytes(200)), f"has 4,295 {size}", ".tif"),
        "png with a text bomb": Broken(texts, "damaged or incomplete"),
        "png with a profile bomb": Broken(profile, "damaged or incomplete", is_header=False),
        "jpeg of a thousand scans": Broken(_many_scans(1000), "more than 100 scans", ".jpg", is_header=False),
    }


def _many_scans(count: int) -> bytes:
    """Return a large progressive JPEG that repeats its last scan."""
    data = saved(Image.new("L", (8000, 8000)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def _damaged() -> dict[str, Broken]:
    png = saved(noise(), "PNG")
    wrong_sum = bytearray(png)
    wrong_sum[20] ^= 1
    garbled = bytearray(png)
    garbled[500:600] = bytes(100)
    webp = bytearray(saved(noise(), "WEBP"))
    webp[20:30] = bytes(10)
    head = raw.layout((16, 16), [8], 1)
    loop = bytearray(raw.tiff("<", head, bytes(256)))
    loop[-4:] = struct.pack("<I", 8 + 256)  # the next page is this page; there is but one picture in it
    no_strips = raw.tiff("<", {**head, 256: ("I", [0])}, bytes(256))
    bmp = saved(noise(), "BMP")
    return {
        "png, width with a wrong sum": Broken(bytes(wrong_sum), "damaged"),
        "png, garbled pixels": Broken(bytes(garbled), "damaged", is_header=False),
        "png without pixels": Broken(raw.PNG + png[8:33] + raw.chunk(b"IEND", b""), "damaged", is_header=False),
        "png of no width": Broken(raw.png((0, 5), 8, 0, b""), ""),
        "png signature alone": Broken(raw.PNG, "damaged"),
        "jpeg signature alone": Broken(b"\xff\xd8\xff", "damaged", ".jpg"),
        "jpeg without a frame": Broken(b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9", "damaged", ".jpg"),
        "webp, garbled frame": Broken(bytes(webp), "damaged", ".webp", is_header=False),
        "webp signature alone": Broken(b"RIFF\x04\0\0\0WEBP", "damaged", ".webp"),
        "tiff signature alone": Broken(b"II*\0", "damaged", ".tif"),
        "tiff without a width": Broken(no_strips, "", ".tif"),
        "tiff directory beyond its end": Broken(b"II*\0\xff\xff\xff\x7f" + bytes(50), "damaged", ".tif"),
        "bmp signature alone": Broken(b"BM", "damaged", ".bmp"),
        "bmp with a strange header": Broken(bmp[:14] + struct.pack("<I", 9999) + bmp[18:], "damaged", ".bmp"),
        "heic signature alone": Broken(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged", ".heic"),
        "avif signature alone": Broken(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "damaged", ".avif"),
        "heic boxes of rubbish": Broken(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + noise().tobytes(), "damaged", ".heic"),
    }


GROUPS: tuple[Callable[[], dict[str, Broken]], ...] = (_others, _cut, _bombs, _damaged)


def every() -> dict[str, Broken]:
    return {name: one for group in GROUPS for name, one in group().items()}


def endless_pages(count: int) -> bytes:
    """Return a TIFF of `count` pages of one pixel, each a directory of its own."""
    file = io.BytesIO()
    file.write(b"II*\0" + struct.pack("<I", 8))
    tags = ((256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 1))
    length = 2 + 12 * len(tags) + 4
    entries = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    for page in range(count):
        file.write(entries + struct.pack("<I", 8 + length * (page + 1) if page + 1 < count else 0))
    return file.getvalue()
