"""Thumbnails: small, as the picture looks, made again when it changes, gone with it."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from hotfolder.images import thumbs


def shown(kept: Path) -> Image.Image:
    image = Image.open(io.BytesIO(kept.read_bytes()))
    assert image.format == "WEBP"
    return image


@pytest.mark.parametrize(
    ("mode", "size", "small"),
    [
        ("RGB", (2048, 1024), (512, 256)),
        ("RGBA", (100, 3000), (17, 512)),
        ("L", (64, 48), (64, 48)),
        ("RGB", (9000, 1), (512, 1)),
    ],
)
def test_a_picture_in_memory_is_made_small_and_stays_as_it_is(
    tmp_path: Path, mode: str, size: tuple[int, int], small: tuple[int, int]
) -> None:
    image = Image.new(mode, size, {"L": 90, "RGB": (200, 80, 40), "RGBA": (200, 80, 40, 128)}[mode])
    before = image.tobytes()
    kept = thumbs.place(tmp_path / "thumbs", "a1")
    thumbs.make(image, kept)
    assert (image.mode, image.size, image.tobytes()) == (mode, size, before)
    with shown(kept) as thumb:
        assert thumb.size == small
        assert thumb.mode == ("RGBA" if mode == "RGBA" else "RGB")
        expected = {"L": (90, 90, 90), "RGB": (200, 80, 40), "RGBA": (200, 80, 40, 128)}[mode]
        found = thumb.getpixel((thumb.width // 2, thumb.height // 2))
        assert max(abs(one - other) for one, other in zip(found, expected, strict=True)) <= 4


def test_where_the_disk_takes_none_the_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "thumbs").write_text("a file in the way")
    thumbs.make(Image.new("RGB", (8, 8)), thumbs.place(tmp_path / "thumbs", "a1"))
    assert (tmp_path / "thumbs").read_text() == "a file in the way"


def test_a_file_is_shown_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.jpg", "a.png", "a.webp"):
        Image.new("RGB", (80, 40), "red").save(tmp_path / name, exif=exif)
        thumbs.thumbnail(tmp_path / name, tmp_path / f"{name}.webp")
        with shown(tmp_path / f"{name}.webp") as thumb:
            assert thumb.size == (40, 80), name


def test_a_picture_that_changed_gets_a_new_one_and_one_that_did_not_keeps_its_own(tmp_path: Path) -> None:
    picture, kept = tmp_path / "a.png", tmp_path / "a.webp"
    Image.new("RGB", (80, 40), "red").save(picture)
    first = thumbs.thumbnail(picture, kept)
    picture.write_bytes(b"unreadable, but older than what is kept")
    os.utime(picture, (1, 1))
    assert thumbs.thumbnail(picture, kept) == first
    Image.new("RGB", (80, 40), "blue").save(picture)
    later = kept.stat().st_mtime + 5
    os.utime(picture, (later, later))
    assert thumbs.thumbnail(picture, kept) != first
    with shown(kept) as thumb:
        assert thumb.getpixel((5, 5))[2] > 200


def test_those_of_pictures_that_are_gone_are_removed(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        thumbs.make(Image.new("RGB", (8, 8)), thumbs.place(tmp_path, name))
    thumbs.forget(tmp_path, ["a", "c", "never"])
    assert [path.name for path in tmp_path.iterdir()] == ["b.webp"]
