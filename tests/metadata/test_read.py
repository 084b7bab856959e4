"""What pictures of other tools say, stars beside and inside, and records that are not to be trusted."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import piexif
import pytest
from PIL import Image, PngImagePlugin

from hotfolder.errors import RejectedInput
from hotfolder.metadata import record, write
from hotfolder.metadata.read import Found, read
from tests.metadata import made
from tests.metadata.test_xmp import HEAD, TAIL

TEXT = "a fox 🦊\nNegative prompt: cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512, Model: v1-5"


def png(folder: Path, **texts: str) -> Path:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    made.picture().save(folder / "x.png", pnginfo=info)
    return folder / "x.png"


def test_a_web_uis_png(tmp_path: Path) -> None:
    found = read(png(tmp_path, parameters=TEXT))
    assert found.tool == "a1111"
    assert found.parameters_text == TEXT
    assert found.parameters is not None
    assert (found.parameters["prompt"], found.parameters["seed"]) == ("a fox 🦊", 5)
    assert found.job is None
    assert found.image_id is None


@pytest.mark.parametrize("coding", ["utf-16-be", "utf-16-le", "utf-8"])
@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_a_web_uis_other_files(tmp_path: Path, coding: str, format: str) -> None:
    exif = Image.Exif()
    exif[305] = "web ui"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + TEXT.encode(coding)
    path = tmp_path / "x"
    made.picture().save(path, format, exif=exif)
    found = read(path)
    assert found.tool == "a1111"
    assert (found.parameters or {})["negative_prompt"] == "cat"


def test_a_photograph_says_nothing(tmp_path: Path) -> None:
    made.picture().save(tmp_path / "x.jpg")
    assert read(tmp_path / "x.jpg") == Found()


def iim(*sets: tuple[int, int, bytes]) -> bytes:
    return b"".join(struct.pack(">BBBH", 0x1C, record, number, len(data)) + data for record, number, data in sets)


def app13(data: bytes) -> bytes:
    """Return a JPEG segment that holds IPTC data sets as Adobe's programs do."""
    body = b"Photoshop 3.0\0" + b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(data)) + data + b"\0" * (len(data) % 2)
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def jpeg(path: Path, iptc: bytes = b"", exif: bytes = b"", xmp: bytes = b"") -> Path:
    given = Image.Exif()
    if exif:
        given[270] = exif
    made.picture().save(path, "JPEG", exif=given, **({"xmp": xmp} if xmp else {}))
    data = path.read_bytes()
    path.write_bytes(data[:2] + (app13(iptc) if iptc else b"") + data[2:])
    return path


def test_captions_of_photographers(tmp_path: Path) -> None:
    words = "<dc:description><rdf:Alt><rdf:li>of XMP</rdf:li></rdf:Alt></dc:description>"
    xmp = f"{HEAD}<rdf:Description>{words}</rdf:Description>{TAIL}".encode()
    iptc, exif = iim((1, 90, b"\x1b%G"), (2, 5, b"title"), (2, 120, "in Zürich".encode())), "Zürich".encode()
    path = tmp_path / "IMG_1.jpg"
    assert read(jpeg(path, iptc, exif, xmp)).caption == "of XMP"
    assert read(jpeg(path, iptc, exif)).caption == "in Zürich"
    assert read(jpeg(path, exif=exif)).caption == "Zürich"
    assert read(jpeg(path, iim((2, 120, b"Z\xfcrich")))).caption == "Zürich", "in Windows' coding"
    assert read(jpeg(path, iim((2, 120, b"DCIM")), exif)).caption == "Zürich"


@pytest.mark.parametrize(
    "words",
    ["OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "DCIM", "DCIM\\100MEDIA\\DJI_0001.JPG", " ", "img_1", "IMG_1.jpg"],
)
def test_a_cameras_own_words_are_no_caption(tmp_path: Path, words: str) -> None:
    assert read(jpeg(tmp_path / "IMG_1.jpg", iim((2, 120, words.encode())), words.encode())).caption is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x1c",
        b"\x1c\x02\x78\xff\xff",
        b"\x1c\x02\x78\x00\x20short",
        b"junk" * 99,
        iim((2, 120, b"a" * 20_000)),
        iim(*[(2, 25, b"")] * 9000, (2, 120, b"far")),
    ],
)
def test_broken_iptc_is_no_caption(tmp_path: Path, data: bytes) -> None:
    assert read(jpeg(tmp_path / "x.jpg", data)).caption is None


def test_a_cameras_comment_is_no_prompt(tmp_path: Path) -> None:
    comment = b"ASCII\0\0\0on the beach, with: Anna"
    made.picture().save(tmp_path / "x.jpg", exif=piexif.dump({"Exif": {piexif.ExifIFD.UserComment: comment}}))
    found = read(tmp_path / "x.jpg")
    assert (found.tool, found.parameters_text) == ("", None)


def test_stars_of_the_file_manager(tmp_path: Path) -> None:
    told = {"0th": {piexif.ImageIFD.Rating: 3, piexif.ImageIFD.XPKeywords: tuple("a;b c; ".encode("utf-16-le"))}}
    made.picture().save(tmp_path / "x.jpg", exif=piexif.dump(told))
    found = read(tmp_path / "x.jpg")
    assert (found.rating, found.tags) == (3, ("a", "b c"))


def test_stars_and_tags_of_a_tiff(tmp_path: Path) -> None:
    made.picture().save(tmp_path / "x.tif", tiffinfo={18_246: 4})
    assert read(tmp_path / "x.tif").rating == 4
    packet = f'{HEAD}<rdf:Description xmp:Rating="2"/>{TAIL}'
    made.picture().save(tmp_path / "x.tif", tiffinfo={700: packet.encode()})
    assert read(tmp_path / "x.tif").rating == 2


def test_beside_before_inside(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    write.save(made.picture(), path, "jpeg", 90, made.facts(rating=2, tags=("inside",)))
    beside = tmp_path / "x.jpg.xmp"
    beside.write_text(f'{HEAD}<rdf:Description xmp:Rating="5"/>{TAIL}')
    found = read(path)
    assert (found.rating, found.tags) == (5, ("inside",))
    beside.write_text("broken")
    assert read(path).rating == 2
    beside.unlink()
    beside.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text(f'{HEAD}<rdf:Description xmp:Rating="5"/>{TAIL}')
    assert read(path).rating == 2


def test_a_wrong_name_does_not_matter(tmp_path: Path) -> None:
    write.save(made.picture(), tmp_path / "x.jpg", "png", 90, made.FACTS)
    assert read(tmp_path / "x.jpg").job == made.FACTS.job


def test_the_longest_name_that_a_disk_takes(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 251}.png"
    write.save(made.picture(), path, "png", 90, made.FACTS)
    assert read(path).image_id == made.FACTS.image_id


def test_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("<html>")
    with pytest.raises(RejectedInput):
        read(tmp_path / "x.png")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '"text"', "{}", '{"image_id": 3}', '{"image_id": "../../etc/passwd"}',
     '{"image_id": ""}', '{"image_id": "' + "a" * 200 + '"}', "[" * 100_000, '{"a":' * 100_000, "9" * 10_000],
)  # fmt: skip
def test_records_that_are_none(tmp_path: Path, text: str) -> None:
    assert record.parse(text) is None
    assert read(png(tmp_path, hotfolder=text)).tool == ""


@pytest.mark.parametrize("job", [None, 3, "text", [1], {}])
def test_a_job_is_a_mapping_or_nothing(job: Any) -> None:
    found = record.parse(json.dumps({"image_id": "abc", "job": job})) or {}
    assert found["job"] == (job if job == {} else None)


def test_no_pixel_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    write.save(made.picture(), path, "png", 90, made.FACTS)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 2**30, 2**30)  # a million terapixels, with the sum that goes with it
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    assert read(path).image_id == made.FACTS.image_id
