"""Photographs that come with scikit-learn and scikit-image, as the kinds of file that cameras and editors write."""

import importlib.util
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageOps


def photograph(name: str) -> Image.Image:
    """Return `china.jpg`, `flower.jpg` (scikit-learn), `astronaut.png`, `coffee.png`, `camera.png` (scikit-image)."""
    for package, folder in (("sklearn", "datasets/images"), ("skimage", "data")):
        spec = importlib.util.find_spec(package)
        assert spec and spec.origin
        path = Path(spec.origin).parent / folder / name
        if path.is_file():
            with Image.open(path) as image:
                return image.convert("L" if name == "camera.png" else "RGB").reduce(2)
    raise FileNotFoundError(name)


def written(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned(image: Image.Image, orientation: int) -> bytes:
    """Return a JPEG as a turned camera writes it: the sensor's pixels, and a tag that says how it was held."""
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    return written(image.transpose(undo[orientation]), "JPEG", quality=95, exif=exif.tobytes())


def sixteen_bits(image: Image.Image) -> bytes:
    """Return an RGB PNG of 16 bits a channel; Pillow writes none."""
    values = np.asarray(image.convert("RGB")).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *image.size, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def sixteen_bit_grey(image: Image.Image) -> bytes:
    return written(Image.fromarray(np.asarray(image.convert("L")).astype("uint16") * 257), "PNG")


def heic(image: Image.Image) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=95)
    return file.getvalue()


def decoded(data: bytes) -> Image.Image:
    """Return what a plain viewer shows of a file: upright, RGB."""
    if data[4:8] == b"ftyp" and b"avif" not in data[8:32]:
        return pillow_heif.open_heif(io.BytesIO(data)).to_pillow().convert("RGB")
    with Image.open(io.BytesIO(data)) as image:
        if image.mode.startswith("I;16"):
            return Image.fromarray((np.asarray(image) // 257).astype("uint8")).convert("RGB")
        return ImageOps.exif_transpose(image).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> tuple[float, int]:
    """Return the mean and the greatest difference of two pictures' channels, in steps of 255."""
    assert one.size == other.size
    apart = np.abs(np.asarray(one.convert("RGB")).astype(int) - np.asarray(other.convert("RGB")).astype(int))
    return float(apart.mean()), int(apart.max())
