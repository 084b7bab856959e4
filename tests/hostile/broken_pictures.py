"""Picture files that lie, bomb, break off or are something else; and odd ones that are right and must work."""

import io
import random
import struct
import zlib

import pillow_heif
from PIL import Image

from tests.hostile.case import Case, chunk, png

pillow_heif.register_heif_opener()
_draw = random.Random(7)
_NOISE = Image.frombytes("RGB", (64, 64), _draw.randbytes(64 * 64 * 3))


def encode(format: str, image: Image.Image = _NOISE, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


FORMATS = {
    "png": encode("PNG"),
    "jpg": encode("JPEG"),
    "webp": encode("WEBP"),
    "tif": encode("TIFF"),
    "bmp": encode("BMP"),
    "avif": encode("AVIF"),
    "heic": encode("HEIF"),
}
_MAGIC = {
    "png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff\xe0", "webp": b"RIFF\x00\x10\x00\x00WEBPVP8 ", "tif": b"II*\0",
    "mm.tif": b"MM\0*", "big.tif": b"II+\0", "bmp": b"BM", "avif": b"\0\0\0\x1cftypavif\0\0\0\0avif",
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0heic",
}  # fmt: skip
_OTHERS = {
    "page.png": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "HTML"),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "SVG"),
    "moving.png": (b"GIF89a\x01\0\x01\0\0\0\0;", "GIF"),
    "paper.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    "ghost.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run\n", "PostScript"),
    "layers.tif": (b"8BPS\0\1" + bytes(100), "Photoshop"),
    "archive.png": (b"PK\x03\x04" + bytes(100), "ZIP"),
    "seven.png": (b"7z\xbc\xaf\x27\x1c" + bytes(100), "7-Zip"),
    "rar.png": (b"Rar!\x1a\x07\0" + bytes(100), "RAR"),
    "gz.png": (b"\x1f\x8b\x08" + bytes(100), "gzip"),
    "film.webp": (b"\x1a\x45\xdf\xa3" + bytes(100), "film"),
    "film.heic": (b"\0\0\0\x18ftypisom\0\0\0\0mp42" + bytes(100), "film"),
    "lfs.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
    "answer.png": (b'{"error": "rate limited"}', "JSON"),
    "jxl.png": (b"\xff\x0a" + bytes(60), "JPEG XL"),
    "j2k.png": (b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(60), "JPEG 2000"),
    "program.png": (b"MZ\x90\0" + bytes(200), "not a picture"),
    "elf.jpg": (b"\x7fELF\x02\x01\x01" + bytes(200), "not a picture"),
    "pickle.png": (b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR.", "not a picture"),
    "text.bmp": (b"These are words, not pixels.\n", "not a picture"),
    "zeros.png": (bytes(4096), "only zeros"),
    "byte.png": (b"\x89", "not a picture"),
    "script.png": (b"#!/bin/sh\nrm -rf ~\n", "not a picture"),
    "shell.jpg": (b"<?php system($_GET['c']); ?>", "not a picture"),
}


def _tiff(*tags: tuple[int, int, int, int], next_ifd: int = 0) -> bytes:
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_ifd)


def _bmp(width: int, height: int) -> bytes:
    return struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def _many_scans(scans: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated: little to read, much to decode."""
    data = encode("JPEG", progressive=True)
    start = data.rfind(b"\xff\xda")
    return data[:start] + data[start:-2] * scans + data[-2:]


_TURN_99 = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0"
_PRIVATE_ICC = zlib.compress(b"\0" * 200)
_TEXT_BOMB = zlib.compress(bytes(64 << 20), 9)


def bombs() -> list[Case]:
    side = (20_000).to_bytes(2, "big")
    jpeg = FORMATS["jpg"]
    frame = jpeg.find(b"\xff\xc0")
    return [
        Case({b"empty.png": b""}, "waits", ("empty.png is empty",)),
        Case({b"wide.png": png(60_000, 60_000, pixels=zlib.compress(bytes(100)))}, says=("wide.png", "megapixels")),
        Case({b"bomb.png": png(20_000, 20_000, depth=1)}, says=("bomb.png has 400 megapixels", "max_megapixels")),
        Case({b"quiet.png": png(13_000, 13_000, depth=1)}, says=("quiet.png", "megapixels", "factor")),
        Case({b"endless.png": png(2**31 - 1, 2**31 - 1, pixels=b"")}, says=("endless.png",)),
        Case({b"nothing.png": png(0, 0, pixels=b"")}, says=("nothing.png",)),
        Case({b"wide.bmp": b"BM" + _bmp(99_999, 99_999)},
             says=("wide.bmp", "megapixels")),
        Case({b"wide.jpg": jpeg[: frame + 5] + side + side + jpeg[frame + 9 :]}, says=("wide.jpg", "megapixels")),
        Case({b"scans.jpg": _many_scans(2_000)}, says=("scans.jpg",)),
        Case({b"text.png": png(8, 8, chunk(b"zTXt", b"parameters\0\0" + _TEXT_BOMB))}, says=("text.png",)),
        Case({b"profile.png": png(8, 8, chunk(b"iCCP", b"x\0\0" + _TEXT_BOMB))}, says=("profile.png",)),
        Case({b"loop.tif": _tiff((256, 3, 1, 8), (257, 3, 1, 8), next_ifd=8)}, says=("loop.tif",)),
        Case({b"tile.tif": _tiff((256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
                                 (277, 3, 1, 1), (322, 4, 1, 65_536), (323, 4, 1, 65_536), (324, 4, 1, 8),
                                 (325, 4, 1, 64))}, says=("tile.tif", "megapixels")),
        Case({b"tags.tif": b"II*\0" + struct.pack("<IH", 8, 65_535)}, says=("tags.tif",)),
        Case({b"gigantic.png": png(6_000, 4_000, depth=1), b"gigantic.png.yaml": b"factor: 16\n"},
             says=("6000x4000", "smaller `factor`")),
        Case({b"nan.png": png(8, 8), b"nan.png.yaml": b"factor: .nan\n"}, says=("nan.png.yaml, line 1", "factor")),
        Case({b"inf.png": png(8, 8), b"inf.png.yaml": b"factor: 1e999\n"}, says=("inf.png.yaml, line 1", "1e999")),
        Case({b"billion.png": png(8, 8), b"billion.png.yaml": b"factor: 1e9\n"},
             says=("billion.png.yaml, line 1", "`factor`", "to 64")),
        Case({b"minus.png": png(8, 8), b"minus.png.yaml": b"factor: -3\n"}, says=("minus.png.yaml, line 1", "`fact")),
        Case({b"webp.png": png(5_000, 5), b"webp.png.yaml": b"format: webp\nfactor: 4\n"}, says=("webp", "16")),
    ]  # fmt: skip


def cut_short() -> list[Case]:
    """Every format cut in its header and in its pixels, and its first bytes with rubbish behind."""
    cases = [Case({f"rubbish.{name}".encode(): magic + _draw.randbytes(300)}, says=("rubbish.",))
             for name, magic in _MAGIC.items()]  # fmt: skip
    for suffix, data in FORMATS.items():
        for part in (0.02, 0.3, 0.8):
            name = f"cut{int(part * 100)}.{suffix}"
            cases.append(Case({name.encode(): data[: max(20, int(len(data) * part))]}, says=(name,)))
    return cases


def damaged() -> list[Case]:
    """PNGs with one thing wrong."""
    good = png(8, 8)
    return [
        Case({b"sum.png": good.replace(b"IHDR", b"IHDS", 1)}, says=("sum.png",)),
        Case({b"crc.png": good[:29] + b"\0\0\0\0" + good[33:]}, says=("crc.png",)),
        Case({b"pixels.png": png(8, 8, pixels=b"no zlib stream")}, says=("pixels.png is damaged",)),
        Case({b"few.png": png(800, 800, pixels=zlib.compress(bytes(50)))}, says=("few.png is damaged",)),
        Case({b"depth.png": png(8, 8, depth=7)}, says=("depth.png",)),
        Case({b"colour.png": png(8, 8, colour=99)}, says=("colour.png",)),
        Case({b"head.jpg": b"\xff\xd8\xff"}, says=("head.jpg",)),
    ]


def others() -> list[Case]:
    return [Case({name.encode(): data}, says=(name, what)) for name, (data, what) in _OTHERS.items()]


def odd_and_right() -> list[Case]:
    """What looks strange and is a good picture: refusing it would be the bug."""
    small = _NOISE.resize((8, 8))
    pixel = png(1, 1)
    data = {
        "zip behind.jpg": FORMATS["jpg"] + b"PK\x03\x04" + bytes(500),
        "php behind.png": pixel + b"<?php system('id'); ?>",
        "html within.png": png(8, 8, chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")),
        "jpeg inside.png": FORMATS["jpg"],
        "png inside.jpg": pixel,
        "webp inside.png": encode("WEBP", small),
        "bmp inside.tif": encode("BMP", small),
        "exif.png": png(8, 8, chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff")),
        "turned.jpg": encode("JPEG", small, exif=_TURN_99),
        "broken profile.png": png(8, 8, chunk(b"iCCP", b"x\0\0" + _PRIVATE_ICC)),
        "sixteen.png": encode("PNG", Image.new("I;16", (8, 8), 40_000)),
        "cmyk.jpg": encode("JPEG", Image.new("CMYK", (8, 8), (10, 20, 30, 40))),
        "palette.png": encode("PNG", small.quantize(4), transparency=0),
        "grey alpha.png": encode("PNG", Image.new("LA", (8, 8), (90, 90))),
        "bits.png": png(8, 8, depth=1),
        "float.tif": encode("TIFF", Image.new("F", (8, 8), 0.5)),
        "frames.webp": encode("WEBP", small, save_all=True, append_images=[Image.new("RGB", (8, 8))] * 3),
        "pages.tif": encode("TIFF", small, save_all=True, append_images=[Image.new("RGB", (8, 8))] * 3),
        "hair.png": png(1, 4_000),
        "one.png": pixel,
        "UPPER.PNG": png(9, 9),
        "no.dots.in.name.png": png(9, 8),
    }  # fmt: skip
    return [Case({name.encode(): content}, "done", folder=b"upscale/odd") for name, content in data.items()]


def cases() -> list[Case]:
    return [*bombs(), *cut_short(), *damaged(), *others(), *odd_and_right()]
