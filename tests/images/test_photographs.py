"""Real photographs, stored in the ways cameras, scanners and printers store them, look the same afterwards."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from hotfolder import images
from tests.images import profiles, raw

skdata = pytest.importorskip("skimage.data")
datasets = pytest.importorskip("sklearn.datasets")

PHOTOGRAPHS = {
    "astronaut": lambda: skdata.astronaut(),
    "cat": lambda: skdata.chelsea(),
    "temple": lambda: datasets.load_sample_image("china.jpg"),
    "flower": lambda: datasets.load_sample_image("flower.jpg"),
}


def _jpeg(photograph: Image.Image) -> bytes:
    return _saved(photograph, "JPEG", quality=95)


def _sideways(photograph: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[274] = 8
    return _saved(photograph.transpose(Image.Transpose.ROTATE_270), "JPEG", quality=95, exif=exif)


def _sixteen_bits(photograph: Image.Image) -> bytes:
    wide = np.asarray(photograph).astype(">u2") * 257
    return raw.png(photograph.size, 16, 2, b"".join(b"\0" + row.tobytes() for row in wide))


def _heic(photograph: Image.Image) -> bytes:
    pillow_heif.register_heif_opener()
    return _saved(photograph, "HEIF", quality=90)


def _avif(photograph: Image.Image) -> bytes:
    return _saved(photograph, "AVIF", quality=90)


def _display_p3(photograph: Image.Image) -> bytes:
    """Return the photograph with the same colours, told in Display P3."""
    wide = ImageCms.ImageCmsProfile(io.BytesIO(profiles.rgb(profiles.DISPLAY_P3, 2.2)))
    told = ImageCms.profileToProfile(photograph, ImageCms.createProfile("sRGB"), wide)
    assert told is not None
    return _saved(told, "PNG", icc_profile=wide.tobytes())


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
@pytest.mark.parametrize(
    ("stored", "mean_off"),
    [(_jpeg, 2.5), (_sideways, 2.5), (_sixteen_bits, 0.0), (_heic, 4.0), (_avif, 4.0), (_display_p3, 1.0)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_looks_the_same(tmp_path: Path, photograph: str, stored: Any, mean_off: float) -> None:
    original = Image.fromarray(PHOTOGRAPHS[photograph]())
    path = tmp_path / "photograph"
    path.write_bytes(stored(original))

    image = images.open_picture(path, 10_000_000).image

    assert (image.mode, image.size) == ("RGB", original.size)
    assert np.abs(np.asarray(image).astype(int) - np.asarray(original)).mean() <= mean_off


def test_sixteen_bit_grey_is_not_white(tmp_path: Path) -> None:
    original = skdata.camera()
    path = tmp_path / "camera.png"
    Image.fromarray(original.astype(np.uint16) * 257).save(path)
    assert np.array_equal(np.asarray(images.open_picture(path, 10_000_000).image), original)


def test_cmyk_is_not_inverted(tmp_path: Path) -> None:
    original = Image.fromarray(skdata.chelsea())
    path = tmp_path / "cat.jpg"
    original.convert("CMYK").save(path, quality=95)
    image = images.open_picture(path, 10_000_000).image
    assert np.abs(np.asarray(image).astype(int) - np.asarray(original)).mean() < 4
