"""EXIF: a camera's tags carried over on request, comments in every byte order, hostile structures without effect."""

import io
import struct
import time
from dataclasses import replace
from pathlib import Path

import piexif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hotfolder import images
from hotfolder.metadata import exif, tiff, write
from hotfolder.metadata.facts import Facts
from hotfolder.spec import Format
from tests.metadata import made


def camera() -> bytes:
    """Return what a phone writes, by a library that is not ours."""
    thumbnail = io.BytesIO()
    made.picture().save(thumbnail, "JPEG")
    return piexif.dump(
        {
            "0th": {
                piexif.ImageIFD.Make: b"Hasselblad",
                piexif.ImageIFD.Model: b"H6D",
                piexif.ImageIFD.Orientation: 6,
                piexif.ImageIFD.Artist: b"A. Photographer",
                piexif.ImageIFD.HostComputer: b"my-laptop",
                piexif.ImageIFD.XPAuthor: "me".encode("utf-16-le"),
                piexif.ImageIFD.Rating: 1,
            },
            "Exif": {
                piexif.ExifIFD.DateTimeOriginal: b"2020:02:03 04:05:06",
                piexif.ExifIFD.ExposureTime: (1, 250),
                piexif.ExifIFD.ISOSpeedRatings: 400,
                piexif.ExifIFD.LensModel: b"HC 80",
                piexif.ExifIFD.MakerNote: bytes(2000),
                piexif.ExifIFD.UserComment: b"ASCII\0\0\0holiday",
                piexif.ExifIFD.PixelXDimension: 9999,
                piexif.ExifIFD.ColorSpace: 65535,
            },
            "GPS": {
                piexif.GPSIFD.GPSLatitudeRef: b"N",
                piexif.GPSIFD.GPSLatitude: ((48, 1), (8, 1), (0, 1)),
            },
            "1st": {piexif.ImageIFD.Compression: 6},
            "thumbnail": thumbnail.getvalue(),
        }
    )


def written(folder: Path, format: Format, facts: Facts) -> dict[str, dict[int, object]]:
    path = folder / f"x.{format}"
    write.save(made.picture(), path, format, 90, facts)
    with Image.open(path) as image:
        data = image.info.get("exif")
    found: dict[str, dict[int, object]] = piexif.load(b"Exif\0\0" + data.removeprefix(b"Exif\0\0") if data else None)
    return found


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_nothing_of_the_camera_without_being_asked(tmp_path: Path, format: Format) -> None:
    found = written(tmp_path, format, made.UPSCALED) if format != "png" else None
    path = tmp_path / f"x.{format}"
    write.save(made.picture(), path, format, 90, made.UPSCALED)
    assert b"Hasselblad" not in path.read_bytes()
    if found:
        assert not found["GPS"]


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_keep_exif(tmp_path: Path, format: Format) -> None:
    facts = replace(made.UPSCALED, source=replace(made.SOURCE, exif=camera()), rating=5)
    found = written(tmp_path, format, facts)
    image, taken = found["0th"], found["Exif"]
    assert image[piexif.ImageIFD.Make] == b"Hasselblad"
    assert image[piexif.ImageIFD.Model] == b"H6D"
    assert image[piexif.ImageIFD.Artist] == b"A. Photographer"
    for gone in (piexif.ImageIFD.Orientation, piexif.ImageIFD.HostComputer, piexif.ImageIFD.XPAuthor):
        assert gone not in image
    assert taken[piexif.ExifIFD.DateTimeOriginal] == b"2020:02:03 04:05:06"
    assert taken[piexif.ExifIFD.ExposureTime] == (1, 250)
    assert taken[piexif.ExifIFD.ISOSpeedRatings] == 400
    assert piexif.ExifIFD.MakerNote not in taken
    assert found["GPS"][piexif.GPSIFD.GPSLatitude] == ((48, 1), (8, 1), (0, 1))
    assert not found["1st"]
    assert not found["thumbnail"]
    comment = taken.get(piexif.ExifIFD.UserComment)
    if format == "png":
        assert comment is None  # a reader would take it for the parameters
        assert piexif.ImageIFD.Rating not in image
    else:
        assert isinstance(comment, bytes)
        assert comment.startswith(b"UNICODE\0\0P\0o\0s\0t")
        assert image[piexif.ImageIFD.Rating] == 5
        assert taken[piexif.ExifIFD.PixelXDimension] == 64
        assert taken[piexif.ExifIFD.ColorSpace] == 1


def test_a_generated_picture_has_no_camera_model(tmp_path: Path) -> None:
    found = written(tmp_path, "jpeg", replace(made.FACTS, source=replace(made.SOURCE, exif=camera())))
    assert piexif.ImageIFD.Model not in found["0th"]
    assert found["0th"][piexif.ImageIFD.Make] == b"Hasselblad"


def test_a_camera_that_says_too_much_is_left_out(tmp_path: Path) -> None:
    told = {"Exif": {piexif.ExifIFD.LensModel: b"x" * 60_000}}
    facts = replace(made.UPSCALED, source=replace(made.SOURCE, exif=piexif.dump(told)))
    found = written(tmp_path, "jpeg", facts)
    assert piexif.ExifIFD.LensModel not in found["Exif"]
    assert piexif.ExifIFD.UserComment in found["Exif"]


def test_what_is_carried_survives_a_real_round(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    made.picture().save(path, exif=camera())
    picture = images.open_picture(path, 10_000)
    assert picture.image.size == (48, 64)
    found = written(tmp_path, "webp", replace(made.UPSCALED, source=replace(made.SOURCE, exif=picture.exif)))
    assert found["Exif"][piexif.ExifIFD.LensModel] == b"HC 80"


TEXT = "a fox 🦊\nSteps: 4, Seed: 3, Size: 1x1"


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + TEXT.encode("utf-16-be"),
        b"UNICODE\0" + TEXT.encode("utf-16-le"),
        b"UNICODE\0" + TEXT.encode("utf-16"),
        b"UNICODE\0" + b"\xfe\xff" + TEXT.encode("utf-16-be"),
        b"UNICODE\0" + TEXT.encode("utf-8"),
        b"UNICODE\0" + TEXT.encode("utf-16-le") + b"\0\0",
        b"ASCII\0\0\0" + TEXT.encode("utf-8"),
        bytes(8) + TEXT.encode("utf-8"),
        TEXT.encode("utf-8"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_comments_in_every_order(comment: bytes, order: str) -> None:
    assert exif.user_comment(tiff.read(laid_out(order, 0x9286, 7, comment))) == TEXT


def laid_out(order: str, number: int, kind: int, value: bytes) -> bytes:
    """Return EXIF of one tag in the camera's directory, in either byte order."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    image = struct.pack(f"{order}HHHIII", 1, 0x8769, 4, 1, 26, 0)
    return b"Exif\0\0" + head + image + struct.pack(f"{order}HHHIII", 1, number, kind, len(value), 44, 0) + value


@pytest.mark.parametrize(("order", "expected"), [("<", 4), (">", 4)])
def test_numbers_in_either_order(order: str, expected: int) -> None:
    data = piexif.dump({"0th": {piexif.ImageIFD.Rating: 4}})
    assert exif.rating(tiff.read(data)) == expected
    little = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 18_246, 3, 1, 4, 0, 0)
    assert exif.rating(tiff.read(little)) == expected


@pytest.mark.parametrize(
    ("percent", "stars"), [(0, 0), (1, 1), (24, 1), (25, 2), (50, 3), (75, 4), (98, 4), (99, 5), (100, 5)]
)
def test_stars_from_percent(percent: int, stars: int) -> None:
    data = piexif.dump({"0th": {piexif.ImageIFD.RatingPercent: percent}})
    assert exif.rating(tiff.read(data)) == stars


@given(st.binary(max_size=200))
def test_rubbish_never_raises(data: bytes) -> None:
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"Exif\0\0MM\0*"):
        found = tiff.read(start + data)
        exif.user_comment(found)
        exif.rating(found)
        exif.title(found)
        exif.keywords(found)


@given(st.data())
def test_a_cameras_tags_changed_anywhere(data: st.DataObject) -> None:
    changed = bytearray(camera())
    for _ in range(data.draw(st.integers(1, 5))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    facts = replace(made.UPSCALED, source=replace(made.SOURCE, exif=bytes(changed)))
    assert len(exif.build(facts, "comment")) <= exif.MAX_BYTES


def test_a_count_of_four_billion_takes_no_time() -> None:
    data = b"MM\0*\0\0\0\x08" + struct.pack(">HHHII", 1, 0x010E, 3, 0xFFFFFFFF, 8) + bytes(4)
    began = time.process_time()
    assert tiff.read(data).image == {}
    assert time.process_time() - began < 2


@given(
    st.dictionaries(
        st.integers(0x8000, 0x8700), st.tuples(st.sampled_from([1, 2, 7]), st.binary(min_size=1)), max_size=8
    )
)
def test_what_is_written_is_read(tags: dict[int, tuple[int, bytes]]) -> None:
    directory = {number: tiff.Tag(kind, data) for number, (kind, data) in tags.items()}
    for camera_tags, place in (({}, {}), (directory, {}), ({}, directory), (directory, directory)):
        assert tiff.read(tiff.write(tiff.Exif(directory, camera_tags, place))) == tiff.Exif(
            directory, camera_tags, place
        )
