"""Stars in a picture's own file: read back here and by exiftool, the picture and all else in it untouched."""

import errno
import io
import json
import os
import shutil
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hotfolder import images
from hotfolder.errors import RejectedInput
from hotfolder.metadata import exif, png, rating, tiff, write, xmp
from hotfolder.metadata.read import read
from tests.metadata import made
from tests.metadata.test_embed import AS_THEY_ARE, OWN_XMP, PICTURES, compressed

TWO_PLACES = OWN_XMP.replace(
    "</rdf:RDF>",
    '<rdf:Description rdf:about="uuid:1" xmlns:xap="http://ns.adobe.com/xap/1.0/" '
    'xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/"><xap:Rating>2</xap:Rating>\n'
    "<MicrosoftPhoto:Rating>25</MicrosoftPhoto:Rating></rdf:Description></rdf:RDF>",
)


def pixels(path: Path) -> str:
    return images.pixel_sha256(images.open_picture(path, 1 << 24).image)


def put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def exiftool(path: Path, *words: str) -> dict[str, object]:
    told = subprocess.run(["exiftool", "-json", "-n", *words, path], capture_output=True, text=True, check=True)
    (tags,) = json.loads(told.stdout)
    return tags


@pytest.mark.parametrize("name", PICTURES)
def test_stars_are_read_back_and_the_picture_is_untouched(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, PICTURES[name])
    before, data = pixels(path), path.read_bytes()
    for stars in (4, 1, 0, 5):
        rating.rate(path, stars)
        assert read(path).rating == stars
    assert pixels(path) == before
    assert [one.name for one in tmp_path.iterdir()] == [name], "nothing is left beside it"
    if b"Exif\0\0" not in data and b"eXIf" not in data and b"EXIF" not in data:
        assert compressed(path.read_bytes()) == compressed(data)
    with Image.open(put(tmp_path, "was", data)) as old, Image.open(path) as new:
        changing = ("xmp", png.XMP_KEY, "mp", "exif")
        kept = {key: value for key, value in old.info.items() if key not in changing}
        assert {key: new.info.get(key) for key in kept} == kept


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_what_we_wrote_keeps_its_record(tmp_path: Path, form: write.Format) -> None:
    path = tmp_path / f"x.{form}"
    facts = replace(made.FACTS, prompt="ein <Ritter> & 騎士", rating=2)
    write.save(made.picture(), path, form, 90, facts)
    before, pixels_before = read(path), pixels(path)
    for stars in (5, 3, 5):
        rating.rate(path, stars)
    assert read(path) == replace(before, rating=5)
    assert pixels(path) == pixels_before
    if form != "png":
        with Image.open(path) as image:
            assert (image.getexif()[18_246], image.getexif()[18_249]) == (5, 99), "what Explorer reads"


@pytest.mark.parametrize("packet", [OWN_XMP, TWO_PLACES, OWN_XMP.replace('xmp:Rating="4"', "xmp:Rating='4'")])
def test_a_rating_changes_where_it_stands_and_nothing_else(packet: str) -> None:
    rated = xmp.rated(packet.encode(), 3)
    assert xmp.read(rated).rating == 3
    plain = packet.replace(" " * 2000, "").strip("\ufeff").replace("'4'", '"4"')
    expected = plain.replace('Rating="4"', 'Rating="3"')
    if "MicrosoftPhoto" in packet:
        assert ">25<" not in rated and ">2<" not in rated and ">50<" in rated
    else:
        assert rated.split() == expected.split()


@pytest.mark.parametrize(
    "odd", ['q:a="' + "A" * 200_000 + '"', " " * 200_000, "q:" + "a" * 100_000 + "='1'", "x='>'", 'Rating="9"']
)
def test_an_odd_packet_takes_no_time(odd: str) -> None:
    own = OWN_XMP.replace("q:odd=", f"{odd} q:odd=")
    began = time.process_time()
    rated = xmp.rated(own.encode(), 3)
    assert time.process_time() - began < 2
    assert 'xmp:Rating="3"' in rated and odd.strip() in rated
    assert xmp.rated(own.replace("</x:xmpmeta>", " " * 200_000 + "</x:xmpmeta>").encode(), 3)
    assert time.process_time() - began < 4


def test_rating_again_and_again_does_not_grow_a_file(tmp_path: Path) -> None:
    for name in ("bare.png", "full.png", "full.jpg", "full.webp"):
        path = put(tmp_path, name, PICTURES[name])
        for stars in (1, 2):  # the first puts it in, the second makes it stand by itself
            rating.rate(path, stars)
        sizes = set()
        for stars in (1, 2, 3, 4, 5, 0) * 3:
            rating.rate(path, stars)
            sizes.add(path.stat().st_size)
        assert max(sizes) - min(sizes) <= 2, name


@pytest.mark.parametrize("name", ["attribute.webp", "crowded.jpg"])
def test_a_number_that_stands_there_can_be_changed_where_nothing_can_be_added(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, AS_THEY_ARE[name]())
    size = path.stat().st_size
    rating.rate(path, 2)
    assert read(path).rating == 2 and path.stat().st_size <= size
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", sorted(AS_THEY_ARE.keys() - {"attribute.webp", "crowded.jpg"}))
def test_what_cannot_take_stars_gets_them_beside(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, AS_THEY_ARE[name]())
    data = path.read_bytes()
    for stars in (4, 2):
        rating.rate(path, stars)
        assert (read(path).rating, path.read_bytes()) == (stars, data)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([name, f"{name}.xmp"])


def test_a_sidecar_that_rates_is_rated_too_and_another_is_let_be(tmp_path: Path) -> None:
    path = put(tmp_path, "a.png", PICTURES["bare.png"])
    beside = tmp_path / "a.png.xmp"
    beside.write_text(OWN_XMP, encoding="utf-8")
    rating.rate(path, 2)
    assert read(path).rating == 2 and xmp.read(beside.read_bytes()).rating == 2
    assert "keep &amp; me" in beside.read_text(encoding="utf-8")
    for unrated in (OWN_XMP.replace('xmp:Rating="4"', ""), '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'):
        beside.write_text(unrated, encoding="utf-8")
        rating.rate(path, 3)
        assert beside.read_text(encoding="utf-8") == unrated
        assert read(path).rating == 3


def test_a_sidecar_half_written_by_another_program_is_not_lost(tmp_path: Path) -> None:
    path = put(tmp_path, "a.bmp", AS_THEY_ARE["a.bmp"]())
    beside = tmp_path / "a.bmp.xmp"
    beside.write_text(OWN_XMP[:500], encoding="utf-8")
    with pytest.raises(RejectedInput, match="mend that file or move it away"):
        rating.rate(path, 3)
    assert beside.read_text(encoding="utf-8") == OWN_XMP[:500]
    beside.unlink()
    beside.mkdir()
    with pytest.raises(RejectedInput, match="is no plain file"):
        rating.rate(path, 3)


def tagged(path: Path) -> bool:
    """Give a file an attribute; False where the system or the disk knows none."""
    if not hasattr(os, "setxattr"):
        return False
    try:
        os.setxattr(path, "user.xdg.tags", b"sea")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return False
    return True


def test_rights_and_attributes_stay(tmp_path: Path) -> None:
    path = put(tmp_path, "a.png", PICTURES["bare.png"])
    path.chmod(0o640)
    before = path.stat()
    is_tagged = tagged(path)
    os.utime(path, (1, 1))
    rating.rate(path, 3)
    assert path.stat().st_mode == before.st_mode
    assert path.stat().st_mtime >= before.st_mtime, "who looks for changed files finds it"
    if is_tagged:
        assert os.getxattr(path, "user.xdg.tags") == b"sea"


def test_many_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jpg", PICTURES["full.jpg"])
    before = pixels(path)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda number: rating.rate(path, number % 6), range(12)))
    assert read(path).rating in range(6) and pixels(path) == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_changed_meanwhile_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a.png", PICTURES["bare.png"])
    other = made.picture("L")
    original = rating.containers.changed

    def changed(*given: object) -> object:
        monkeypatch.setattr(rating.containers, "changed", original)
        other.save(tmp_path / "new.png")
        os.replace(tmp_path / "new.png", path)  # what another program does just then
        return original(*given)

    monkeypatch.setattr(rating.containers, "changed", changed)
    rating.rate(path, 4)
    assert read(path).rating == 4
    assert pixels(path) == images.pixel_sha256(other), "its picture, not the one it replaced"


def test_fifty_megabytes_are_no_matter(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (4200, 4200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "big.png", compress_level=0)
    assert (tmp_path / "big.png").stat().st_size > 50_000_000
    data = (tmp_path / "big.png").read_bytes()
    began = time.monotonic()
    rating.rate(tmp_path / "big.png", 5)
    assert time.monotonic() - began < 60
    assert read(tmp_path / "big.png").rating == 5
    assert (tmp_path / "big.png").read_bytes().endswith(data[33:])


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput):
        rating.rate(put(tmp_path, "a.png", b"<html>"), 3)
    with pytest.raises(OSError):
        rating.rate(tmp_path / "none.png", 3)


def cameras() -> bytes:
    """Return little-endian EXIF with a maker's note that holds an offset, and a thumbnail's directory behind it."""
    note = b"Maker\0\0\0" + struct.pack("<I", 120)
    camera = struct.pack("<HHHII", 1, 0x927C, 7, len(note), 64) + bytes(4)
    first = struct.pack("<H", 2) + struct.pack("<HHII", 271, 2, 6, 76 + 6) + struct.pack("<HHII", 0x8769, 4, 1, 46)
    head = b"II*\0" + struct.pack("<I", 8) + first + struct.pack("<I", 96)
    data = head.ljust(46, b"\0") + camera
    data = data.ljust(64, b"\0") + note
    data = data.ljust(82, b"\0") + b"Maker\0"
    return data.ljust(96, b"\0") + struct.pack("<HHHII", 1, 0x0103, 3, 1, 6) + bytes(4) + b"thumb"


def test_a_cameras_exif_stays_where_it_is() -> None:
    own = cameras()
    rated = exif.rated(own, 4)
    assert (rated[:4], rated[8 : len(own)]) == (own[:4], own[8:]), "no offset in it, a maker's own too, is wrong now"
    found = tiff.read(rated)
    assert exif.rating(found) == 4
    assert found.camera == tiff.read(own).camera and found.image[271] == tiff.read(own).image[271]
    directory = struct.unpack_from("<I", rated, 4)[0]
    assert rated.endswith(struct.pack("<I", 96)), "the thumbnail is still the next directory"
    assert directory % 2 == 0
    again = exif.rated(rated, 1)
    assert (len(again), exif.rating(tiff.read(again))) == (len(rated), 1)


@given(st.binary(max_size=200), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_broken_exif_raises_nothing(data: bytes, head: bytes) -> None:
    rated = exif.rated(head + data, 3)
    assert rated == head + data or exif.rating(tiff.read(rated)) == 3


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
@pytest.mark.parametrize("name", PICTURES)
def test_exiftool_agrees_and_finds_nothing_wrong(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, PICTURES[name])
    words = ["-XMP-xmp:Rating", "-IFD0:Rating", "-IFD0:RatingPercent", "-Warning", "-Error", "-XMP-dc:Creator"]
    creator = exiftool(path, *words).get("Creator")
    rating.rate(path, 5)
    rating.rate(path, 3)
    tags = exiftool(path, "-G1", *words)
    expected = {"XMP-xmp:Rating": 3}
    if (camera := tiff.read(Image.open(io.BytesIO(PICTURES[name])).info.get("exif") or b"")).image:
        expected |= {"IFD0:Rating": 3, "IFD0:RatingPercent": 50}
    assert {key: value for key, value in tags.items() if "Rating" in key} == expected, camera
    assert not {key for key in tags if key.endswith(("Warning", "Error"))}, tags
    assert tags.get("XMP-dc:Creator") == creator


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
def test_stars_that_exiftool_wrote_are_changed_and_it_reads_ours(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jpg", PICTURES["full.jpg"])
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", "-XMP-xmp:Rating=2", "-XMP-microsoft:RatingPercent=25",
         "-IFD0:Rating=2", "-IFD0:RatingPercent=25", path], check=True,
    )  # fmt: skip
    assert read(path).rating == 2
    rating.rate(path, 4)
    tags = exiftool(path, "-G1", "-a", "-Rating", "-RatingPercent", "-Warning")
    tags.pop("SourceFile")
    assert tags == {
        "XMP-xmp:Rating": 4, "XMP-microsoft:RatingPercent": 75, "IFD0:Rating": 4, "IFD0:RatingPercent": 75,
    }  # fmt: skip
