"""Odd but valid pictures, each with what must come out of it.

All show four quarters: red, green, blue and grey, from the upper left in reading order, once they stand upright.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

from tests.images import profiles, raw

RED, GREEN, BLUE, GREY = (200, 30, 40), (30, 180, 60), (40, 60, 200), (120, 120, 120)
QUARTERS = (RED, GREEN, BLUE, GREY)
LEVELS = (0, 80, 160, 255)
"""The quarters of grey pictures."""
SIZE = (64, 48)
LOSSY = 8
"""How far, of 255, a lossy format may be off in the middle of a quarter."""


@dataclass(frozen=True)
class Odd:
    """A file, the size it must have and what its quarters must be: RGB, RGBA or L values."""

    data: bytes
    suffix: str
    quarters: tuple[Any, ...] = QUARTERS
    size: tuple[int, int] = SIZE
    tolerance: int = 0
    mode: str = "RGB"
    noted: str | None = None
    converted: bool = False


def quartered(values: tuple[Any, ...] = QUARTERS, size: tuple[int, int] = SIZE, dtype: Any = np.uint8) -> np.ndarray:
    width, height = size
    top, left = np.arange(height)[:, None] < height // 2, np.arange(width)[None, :] < width // 2
    which = np.where(top, np.where(left, 0, 1), np.where(left, 2, 3))
    return np.array(values, dtype)[which]


COLOUR = Image.fromarray(quartered())
LIGHT = Image.fromarray(quartered(LEVELS))
ALPHAS = (255, 128, 0, 255)
CLEAR = Image.fromarray(quartered(tuple((*colour, alpha) for colour, alpha in zip(QUARTERS, ALPHAS, strict=True))))
CLEAR_QUARTERS = tuple((*colour, alpha) for colour, alpha in zip(QUARTERS, ALPHAS, strict=True))


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    if format == "HEIF":
        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def _pngs() -> dict[str, Odd]:
    grey16 = tuple(level * 257 for level in LEVELS)
    wide = quartered(grey16, dtype=np.uint16)
    rgb16 = quartered(tuple(tuple(value * 257 for value in colour) for colour in QUARTERS), dtype=np.uint16)
    rgba16 = quartered(tuple(tuple(value * 257 for value in colour) for colour in CLEAR_QUARTERS), dtype=np.uint16)
    la16 = quartered(tuple((level, 65_535 - level) for level in grey16), dtype=np.uint16)
    palette = COLOUR.quantize(4)
    frames = [Image.fromarray(quartered(QUARTERS[::-1]))]
    key = struct.pack(">3H", *RED)
    dark_first = Image.fromarray(quartered(LEVELS) // 255)
    exif = Image.Exif()
    exif[274] = 3
    text = PngImagePlugin.PngInfo()
    text.add_itxt("parameters", "ein Ritter, Öl\nSteps: 1, Seed: 2, Size: 3x4")
    text.add_text("Comment", "x" * 10_000, zip=True)
    black_white = Image.fromarray(quartered((0, 255, 255, 0))).convert("1")
    see_through = ((0, 0, 0, 0), *((level,) * 3 + (255,) for level in LEVELS[1:]))
    turned = COLOUR.transpose(Image.Transpose.ROTATE_180)
    return {
        "png rgb": Odd(saved(COLOUR, "PNG"), ".png"),
        "png rgba": Odd(saved(CLEAR, "PNG"), ".png", CLEAR_QUARTERS, mode="RGBA"),
        "png grey": Odd(saved(LIGHT, "PNG"), ".png", LEVELS, mode="L"),
        "png grey, alpha": Odd(
            saved(Image.merge("LA", (LIGHT, CLEAR.getchannel("A"))), "PNG"),
            ".png",
            tuple((level, level, level, alpha) for level, alpha in zip(LEVELS, ALPHAS, strict=True)),
            mode="RGBA",
        ),
        "png palette": Odd(saved(palette, "PNG"), ".png"),
        "png palette of 2 bits": Odd(saved(palette, "PNG", bits=2), ".png"),
        "png palette of 4 bits": Odd(saved(palette, "PNG", bits=4), ".png"),
        "png palette, one colour transparent": Odd(
            saved(palette, "PNG", transparency=palette.getpixel((0, 0))),
            ".png",
            ((*RED, 0), *((*colour, 255) for colour in QUARTERS[1:])),
            mode="RGBA",
        ),
        "png palette, alphas": Odd(
            saved(palette, "PNG", transparency=_palette_alphas(palette)), ".png", CLEAR_QUARTERS, mode="RGBA"
        ),
        "png 1 bit": Odd(saved(black_white, "PNG"), ".png", (0, 255, 255, 0), mode="L"),
        "png 16-bit grey": Odd(saved(Image.fromarray(wide), "PNG"), ".png", LEVELS, mode="L"),
        "png 16-bit grey, one level transparent": Odd(
            raw.png(SIZE, 16, 0, _rows(wide), raw.chunk(b"tRNS", b"\0\0")), ".png", see_through, mode="RGBA"
        ),
        "png 16-bit rgb": Odd(raw.png(SIZE, 16, 2, _rows(rgb16)), ".png"),
        "png 16-bit rgba": Odd(raw.png(SIZE, 16, 6, _rows(rgba16)), ".png", CLEAR_QUARTERS, mode="RGBA"),
        "png 16-bit grey, alpha": Odd(
            raw.png(SIZE, 16, 4, _rows(la16)), ".png", tuple((g, g, g, 255 - g) for g in LEVELS), mode="RGBA"
        ),
        "png 2-bit grey": Odd(raw.png(SIZE, 2, 0, _two_bits()), ".png", (0, 85, 170, 255), mode="L"),
        "png rgb, one colour transparent": Odd(
            raw.png(SIZE, 8, 2, _rows(np.asarray(COLOUR)), raw.chunk(b"tRNS", key)),
            ".png",
            ((*RED, 0), *((*colour, 255) for colour in QUARTERS[1:])),
            mode="RGBA",
        ),
        "png grey, one level transparent": Odd(
            raw.png(SIZE, 8, 0, _rows(np.asarray(LIGHT)), raw.chunk(b"tRNS", b"\0\0")), ".png", see_through, mode="RGBA"
        ),
        "png 1 bit, black transparent": Odd(
            saved(dark_first.point(lambda value: 255 * value).convert("1"), "PNG", transparency=0),
            ".png",
            ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (255, 255, 255, 255)),
            mode="RGBA",
        ),
        "png interlaced": Odd(
            raw.png((8, 8), 8, 0, _adam7(quartered(LEVELS, (8, 8))), interlaced=True), ".png", LEVELS, (8, 8), mode="L"
        ),
        "png animated": Odd(
            saved(COLOUR, "PNG", save_all=True, append_images=frames),
            ".png",
            noted="holds 2 pictures; the first is used",
        ),
        "png upside down by its exif": Odd(saved(turned, "PNG", exif=exif), ".png"),
        "png texts": Odd(saved(COLOUR, "PNG", pnginfo=text), ".png"),
        "png with gamma": Odd(
            raw.png(SIZE, 8, 2, _rows(np.asarray(COLOUR)), raw.chunk(b"gAMA", struct.pack(">I", 45_455))), ".png"
        ),
        "png one column": Odd(saved(COLOUR.crop((0, 0, 1, 48)), "PNG"), ".png", (RED, RED, BLUE, BLUE), (1, 48)),
        "png one row": Odd(saved(COLOUR.crop((0, 0, 64, 1)), "PNG"), ".png", (RED, GREEN, RED, GREEN), (64, 1)),
        "png one pixel": Odd(saved(COLOUR.crop((0, 0, 1, 1)), "PNG"), ".png", (RED,) * 4, (1, 1)),
        "png behind rubbish": Odd(saved(COLOUR, "PNG") + b"PK\x03\x04" * 100, ".png"),
        "png of many small parts": Odd(_in_small_parts(saved(COLOUR, "PNG")), ".png"),
        "png named jpg": Odd(saved(COLOUR, "PNG"), ".jpg", noted="is a PNG file by its content"),
    }


def _rows(array: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in array.astype(array.dtype.newbyteorder(">")))


def _two_bits() -> bytes:
    """Return rows of grey levels 0 to 3, four pixels a byte."""
    upper, lower = (b"\0" + bytes([left] * 8 + [right] * 8) for left, right in ((0, 0b01010101), (0b10101010, 0xFF)))
    return upper * 24 + lower * 24


def _palette_alphas(palette: Image.Image) -> bytes:
    colours = [tuple(palette.getpalette()[3 * i : 3 * i + 3]) for i in range(4)]
    return bytes(ALPHAS[QUARTERS.index(colour)] for colour in colours)


def _adam7(image: np.ndarray) -> bytes:
    passes = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
    parts = (image[y::dy, x::dx] for y, dy, x, dx in passes)
    return b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)


def _in_small_parts(data: bytes) -> bytes:
    start = data.index(b"IDAT") - 4
    length = int.from_bytes(data[start : start + 4], "big")
    pixels = data[start + 8 : start + 8 + length]
    parts = b"".join(raw.chunk(b"IDAT", pixels[at : at + 7]) for at in range(0, length, 7))
    return data[:start] + parts + data[start + 12 + length :]


def _jpegs() -> dict[str, Odd]:
    cmyk = COLOUR.convert("CMYK")
    naive = tuple(Image.new("CMYK", (1, 1), cmyk.getpixel(at)).convert("RGB").getpixel((0, 0)) for at in CENTRES)
    again = Image.fromarray(quartered(QUARTERS[::-1]))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="3"/></rdf:RDF></x:xmpmeta>'
    half_turn = COLOUR.transpose(Image.Transpose.ROTATE_180)
    lossy = {"suffix": ".jpg", "tolerance": LOSSY}
    return {
        "jpeg": Odd(saved(COLOUR, "JPEG"), **lossy),
        "jpeg progressive": Odd(saved(COLOUR, "JPEG", progressive=True), **lossy),
        "jpeg without subsampling": Odd(saved(COLOUR, "JPEG", subsampling=0, quality=100), **lossy),
        "jpeg as rgb": Odd(saved(COLOUR, "JPEG", keep_rgb=True), **lossy),
        "jpeg with restarts": Odd(saved(COLOUR, "JPEG", restart_marker_blocks=2), **lossy),
        "jpeg grey": Odd(saved(LIGHT, "JPEG"), quarters=LEVELS, mode="L", **lossy),
        "jpeg cmyk": Odd(saved(cmyk, "JPEG", quality=95), quarters=naive, **lossy),
        "jpeg of several pictures": Odd(
            saved(COLOUR, "MPO", save_all=True, append_images=[again]), noted="holds 2 pictures", **lossy
        ),
        "jpeg before a zip": Odd(saved(COLOUR, "JPEG") + b"PK\x03\x04" + bytes(500), **lossy),
        "jpeg with broken exif": Odd(saved(COLOUR, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), **lossy),
        "jpeg with an orientation of 9": Odd(saved(COLOUR, "JPEG", exif=_turned(9)), **lossy),
        "jpeg upside down by its xmp": Odd(saved(half_turn, "JPEG", xmp=xmp), **lossy),
        "jpeg with a broken profile": Odd(
            saved(COLOUR, "JPEG", icc_profile=b"not a profile" * 20), noted="profile cannot be used", **lossy
        ),
        "jpeg of 17 x 5": Odd(
            saved(COLOUR.resize((17, 5), Image.Resampling.NEAREST), "JPEG", quality=100, subsampling=0),
            size=(17, 5),
            suffix=".jpg",
            tolerance=12,
        ),
        "jpeg named png": Odd(saved(COLOUR, "JPEG"), ".png", tolerance=LOSSY, noted="is a JPEG file by its content"),
        "jpeg without a suffix": Odd(saved(COLOUR, "JPEG"), "", tolerance=LOSSY),
    }


CENTRES = ((16, 12), (48, 12), (16, 36), (48, 36))


def _turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def _turns() -> dict[str, Odd]:
    """Every orientation: stored so that turning it as the tag says gives the upright picture."""
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    odds = {}
    for value, method in stored.items():
        image = COLOUR if method is None else COLOUR.transpose(method)
        odds[f"jpeg, orientation {value}"] = Odd(saved(image, "JPEG", exif=_turned(value)), ".jpg", tolerance=LOSSY)
    sideways = COLOUR.transpose(Image.Transpose.ROTATE_90)
    tags = Image.Exif()
    tags[274] = 6
    odds |= {
        "png, orientation 6": Odd(saved(sideways, "PNG", exif=tags), ".png"),
        "webp, orientation 6": Odd(saved(sideways, "WEBP", exif=tags, lossless=True), ".webp"),
        "tiff, orientation 6": Odd(saved(sideways, "TIFF", tiffinfo={274: 6}), ".tif"),
        "tiff lzw, orientation 6": Odd(saved(sideways, "TIFF", tiffinfo={274: 6}, compression="tiff_lzw"), ".tif"),
        "avif, orientation 6": Odd(saved(sideways, "AVIF", exif=_turned(6)), ".avif", tolerance=LOSSY),
        "heic, orientation 6": Odd(saved(sideways, "HEIF", exif=_turned(6)), ".heic", tolerance=LOSSY),
    }
    return odds


def _webps() -> dict[str, Odd]:
    frames = [Image.fromarray(quartered(QUARTERS[::-1]))]
    return {
        "webp": Odd(saved(COLOUR, "WEBP"), ".webp", tolerance=LOSSY),
        "webp lossless": Odd(saved(COLOUR, "WEBP", lossless=True), ".webp"),
        "webp alpha": Odd(saved(CLEAR, "WEBP", lossless=True, exact=True), ".webp", CLEAR_QUARTERS, mode="RGBA"),
        "webp animated": Odd(
            saved(COLOUR, "WEBP", save_all=True, append_images=frames, lossless=True), ".webp", noted="holds 2 pictures"
        ),
    }


def _tiffs() -> dict[str, Odd]:
    odds = {
        f"tiff {name}": Odd(saved(COLOUR, "TIFF", compression=name), ".tif")
        for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")
    }
    wide = quartered(tuple(level * 257 for level in LEVELS), dtype=np.uint16)
    colour16 = quartered(tuple(tuple(value * 257 for value in colour) for colour in QUARTERS), dtype=np.uint16)
    lab = quartered(((60, 40, 20), (70, -30, 30), (40, 10, -40), (50, 0, 0)), dtype=np.int16)
    lab8 = np.dstack((np.round(lab[..., 0] * 2.55), lab[..., 1], lab[..., 2])).astype(np.int8).view(np.uint8)
    cmyk = COLOUR.convert("CMYK")
    naive = tuple(Image.new("CMYK", (1, 1), cmyk.getpixel(at)).convert("RGB").getpixel((0, 0)) for at in CENTRES)
    again = Image.fromarray(quartered(QUARTERS[::-1]))
    black_white = Image.fromarray(quartered((0, 255, 255, 0))).convert("1")
    real = quartered(tuple(level / 255 for level in LEVELS), dtype=np.float32)
    holes = real.copy()
    holes[0, 0], holes[1, 1] = np.nan, np.inf
    grey = {"suffix": ".tif", "quarters": LEVELS, "mode": "L"}
    return odds | {
        "tiff jpeg": Odd(saved(COLOUR, "TIFF", compression="jpeg", quality=95), ".tif", tolerance=LOSSY),
        "tiff big": Odd(saved(COLOUR, "TIFF", big_tiff=True), ".tiff"),
        "tiff rgba": Odd(saved(CLEAR, "TIFF"), ".tif", CLEAR_QUARTERS, mode="RGBA"),
        "tiff grey, alpha": Odd(
            saved(Image.merge("LA", (LIGHT, CLEAR.getchannel("A"))), "TIFF"),
            ".tif",
            tuple((level, level, level, alpha) for level, alpha in zip(LEVELS, ALPHAS, strict=True)),
            mode="RGBA",
        ),
        "tiff palette": Odd(saved(COLOUR.quantize(4), "TIFF"), ".tif"),
        "tiff 1 bit, fax": Odd(saved(black_white, "TIFF", compression="group4"), ".tif", (0, 255, 255, 0), mode="L"),
        "tiff pages": Odd(
            saved(COLOUR, "TIFF", save_all=True, append_images=[again] * 4), ".tif", noted="holds 5 pictures"
        ),
        "tiff 150 pages": Odd(
            saved(COLOUR, "TIFF", save_all=True, append_images=[again] * 149),
            ".tif",
            noted="holds 100 or more pictures",
        ),
        "tiff cmyk": Odd(saved(cmyk, "TIFF"), ".tif", naive),
        "tiff lab": Odd(
            raw.tiff("<", raw.layout(SIZE, [8, 8, 8], 8), lab8.tobytes()),
            ".tif",
            tuple(profiles.srgb_of_lab(*lab[y, x]) for x, y in CENTRES),
            tolerance=3,
        ),
        "tiff 16-bit grey": Odd(saved(Image.fromarray(wide), "TIFF"), **grey),
        "tiff 16-bit grey, lzw": Odd(saved(Image.fromarray(wide), "TIFF", compression="tiff_lzw"), **grey),
        "tiff 16-bit grey, big-endian": Odd(
            raw.tiff(">", raw.layout(SIZE, [16], 1), wide.astype(">u2").tobytes()), **grey
        ),
        "tiff 16-bit grey, zero is white": Odd(
            raw.tiff("<", raw.layout(SIZE, [16], 0), (65_535 - wide).tobytes()), **grey
        ),
        "tiff 8-bit grey, zero is white": Odd(
            raw.tiff("<", raw.layout(SIZE, [8], 0), (255 - np.asarray(LIGHT)).tobytes()), **grey
        ),
        "tiff 16-bit rgb": Odd(raw.tiff("<", raw.layout(SIZE, [16] * 3, 2), colour16.tobytes()), ".tif"),
        "tiff 16-bit rgb, big-endian": Odd(
            raw.tiff(">", raw.layout(SIZE, [16] * 3, 2), colour16.astype(">u2").tobytes()), ".tif"
        ),
        "tiff 32-bit grey of 0..255": Odd(saved(Image.fromarray(quartered(LEVELS, dtype=np.int32)), "TIFF"), **grey),
        "tiff 32-bit grey of 0..65535": Odd(saved(Image.fromarray(wide.astype(np.int32)), "TIFF"), **grey),
        "tiff 32-bit grey of any range": Odd(
            saved(Image.fromarray(wide.astype(np.int32) * 100 - 5_000_000), "TIFF"), noted="stretched", **grey
        ),
        "tiff real of 0..1": Odd(saved(Image.fromarray(real), "TIFF"), **grey),
        "tiff real of 0..255": Odd(saved(Image.fromarray(real * 255), "TIFF"), **grey),
        "tiff real of 0..65535": Odd(saved(Image.fromarray(real * 65_535), "TIFF"), **grey),
        "tiff real of any range": Odd(saved(Image.fromarray(real * 40 - 20), "TIFF"), noted="stretched", **grey),
        "tiff real with holes": Odd(saved(Image.fromarray(holes), "TIFF"), **grey),
        "tiff named jpg": Odd(saved(COLOUR, "TIFF"), ".jpg", noted="is a TIFF file by its content"),
    }


def _bmps() -> dict[str, Odd]:
    straight = saved(COLOUR, "BMP")
    rows = [straight[54 + y * 192 : 54 + (y + 1) * 192] for y in range(48)]
    top_down = straight[:22] + struct.pack("<i", -48) + straight[26:54] + b"".join(reversed(rows))
    black_white = Image.fromarray(quartered((0, 255, 255, 0))).convert("1")
    return {
        "bmp": Odd(straight, ".bmp"),
        "bmp top down": Odd(top_down, ".bmp"),
        "bmp palette": Odd(saved(COLOUR.quantize(4), "BMP"), ".bmp"),
        "bmp grey": Odd(saved(LIGHT, "BMP"), ".bmp", LEVELS, mode="L"),
        "bmp 1 bit": Odd(saved(black_white, "BMP"), ".bmp", (0, 255, 255, 0), mode="L"),
    }


def _heifs() -> dict[str, Odd]:
    pillow_heif.register_heif_opener()
    again = Image.fromarray(quartered(QUARTERS[::-1]))
    deep = quartered(tuple(tuple(value * 257 for value in colour) for colour in QUARTERS), dtype=np.uint16)
    file = io.BytesIO()
    pillow_heif.encode("RGB;16", SIZE, deep.tobytes(), file, quality=95)
    lossy = {"tolerance": LOSSY}
    return {
        "heic": Odd(saved(COLOUR, "HEIF"), ".heic", **lossy),
        "heic alpha": Odd(saved(CLEAR, "HEIF"), ".heic", CLEAR_QUARTERS, mode="RGBA", **lossy),
        "heic of more bits": Odd(file.getvalue(), ".heic", **lossy),
        "heic of several pictures": Odd(
            saved(COLOUR, "HEIF", save_all=True, append_images=[again]), ".heic", noted="holds 2 pictures", **lossy
        ),
        "heic named jpg": Odd(saved(COLOUR, "HEIF"), ".jpg", noted="is a HEIF file by its content", **lossy),
        "avif": Odd(saved(COLOUR, "AVIF"), ".avif", **lossy),
        "avif alpha": Odd(saved(CLEAR, "AVIF", quality=95), ".avif", CLEAR_QUARTERS, mode="RGBA", **lossy),
        "avif animated": Odd(
            saved(COLOUR, "AVIF", save_all=True, append_images=[again]), ".avif", noted="holds 2 pictures", **lossy
        ),
        "avif named heic": Odd(saved(COLOUR, "AVIF"), ".heic", noted="is a AVIF file by its content", **lossy),
    }


def _profiled() -> dict[str, Odd]:
    p3, adobe = profiles.rgb(profiles.DISPLAY_P3, 2.2), profiles.rgb(profiles.ADOBE, 2.19921875)
    in_p3 = tuple(profiles.srgb_of(colour, profiles.DISPLAY_P3, 2.2) for colour in QUARTERS)
    in_adobe = tuple(profiles.srgb_of(colour, profiles.ADOBE, 2.19921875) for colour in QUARTERS)
    dark = tuple(profiles.srgb_of((level,) * 3, profiles.SRGB, 1.0)[0] for level in LEVELS)
    inks = ((255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 0))
    printed = Image.frombytes("CMYK", SIZE, quartered(inks).tobytes())
    seen = tuple(profiles.srgb_of_lab(*profiles.INKS[ink]) for ink in inks)
    clear_p3 = tuple((*colour, alpha) for colour, alpha in zip(in_p3, ALPHAS, strict=True))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exact: dict[str, Any] = {"tolerance": 2, "converted": True, "noted": "converted from its own profile to sRGB"}
    lossy = exact | {"tolerance": LOSSY}
    return {
        "png, Display P3": Odd(saved(COLOUR, "PNG", icc_profile=p3), ".png", in_p3, **exact),
        "png alpha, Display P3": Odd(saved(CLEAR, "PNG", icc_profile=p3), ".png", clear_p3, mode="RGBA", **exact),
        "png, Adobe RGB": Odd(saved(COLOUR, "PNG", icc_profile=adobe), ".png", in_adobe, **exact),
        "png palette, Adobe RGB": Odd(saved(COLOUR.quantize(4), "PNG", icc_profile=adobe), ".png", in_adobe, **exact),
        "png, sRGB": Odd(saved(COLOUR, "PNG", icc_profile=srgb), ".png"),
        "png grey, linear": Odd(saved(LIGHT, "PNG", icc_profile=profiles.grey(1.0)), ".png", dark, mode="L", **exact),
        "png 16-bit grey, linear": Odd(
            saved(Image.fromarray(np.asarray(LIGHT).astype(np.uint16) * 257), "PNG", icc_profile=profiles.grey(1.0)),
            ".png",
            dark,
            mode="L",
            **exact,
        ),
        "png grey alpha, linear": Odd(
            saved(Image.merge("LA", (LIGHT, CLEAR.getchannel("A"))), "PNG", icc_profile=profiles.grey(1.0)),
            ".png",
            tuple((level, level, level, alpha) for level, alpha in zip(dark, ALPHAS, strict=True)),
            mode="RGBA",
            **exact,
        ),
        "jpeg grey, sRGB": Odd(saved(LIGHT, "JPEG", icc_profile=srgb), ".jpg", LEVELS, mode="L", tolerance=LOSSY),
        "jpeg grey, linear rgb": Odd(
            saved(LIGHT, "JPEG", quality=100, icc_profile=profiles.rgb(profiles.SRGB, 1.0)),
            ".jpg",
            dark,
            mode="L",
            **lossy,
        ),
        "jpeg rgb, profile of a press": Odd(
            saved(COLOUR, "JPEG", icc_profile=profiles.press()), ".jpg", tolerance=LOSSY, noted="profile cannot be used"
        ),
        "jpeg, Display P3": Odd(saved(COLOUR, "JPEG", quality=95, icc_profile=p3), ".jpg", in_p3, **lossy),
        "jpeg cmyk, profile of a press": Odd(
            saved(printed, "JPEG", quality=100, icc_profile=profiles.press()), ".jpg", seen, **lossy
        ),
        "tiff cmyk, profile of a press": Odd(
            saved(printed, "TIFF", icc_profile=profiles.press()), ".tif", seen, **exact
        ),
        "tiff, Adobe RGB": Odd(saved(COLOUR, "TIFF", icc_profile=adobe), ".tif", in_adobe, **exact),
        "webp, Display P3": Odd(saved(COLOUR, "WEBP", lossless=True, icc_profile=p3), ".webp", in_p3, **exact),
        "heic, Display P3": Odd(saved(COLOUR, "HEIF", quality=95, icc_profile=p3), ".heic", in_p3, **lossy),
        "avif, Display P3": Odd(saved(COLOUR, "AVIF", quality=95, icc_profile=p3), ".avif", in_p3, **lossy),
    }


GROUPS: tuple[Callable[[], dict[str, Odd]], ...] = (
    _pngs,
    _jpegs,
    _turns,
    _webps,
    _tiffs,
    _bmps,
    _heifs,
    _profiled,
)


def every() -> dict[str, Odd]:
    return {name: odd for group in GROUPS for name, odd in group().items()}
