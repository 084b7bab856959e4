"""A caption in a copy of a picture's own file: every promise is read off the two files' bytes."""

import io
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from hotfolder import images
from hotfolder.metadata import embed, png, record, xmp
from hotfolder.metadata.facts import Facts
from hotfolder.metadata.read import read
from hotfolder.metadata.text import clean
from tests.metadata import made

CAPTION = 'a temple & its "sky" <blue>, über dem See'
FACTS = replace(made.UPSCALED, kind="caption", job={"kind": "caption"}, caption=CAPTION, tags=("temple",))
FACTS = replace(FACTS, source_type="", model="blip-large")
OWN_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="uuid:1" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:q="http://q.example/"
  xmlns:digiKam="http://www.digikam.org/ns/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4" q:odd="a > b">
<dc:creator><rdf:Seq><rdf:li>Anna</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">old</rdf:li>
<rdf:li xml:lang="de">alt</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag><rdf:li>China</rdf:li></rdf:Bag></dc:subject>
<digiKam:TagsList><rdf:Seq><rdf:li>Places/China</rdf:li></rdf:Seq></digiKam:TagsList>
<q:thing><!-- of theirs --><q:inner>keep &amp; me</q:inner></q:thing>
</rdf:Description></rdf:RDF></x:xmpmeta>{padding}
<?xpacket end="w"?>""".replace("{padding}", " " * 2000)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif() -> bytes:
    tags = Image.Exif()
    tags[0x0112], tags[271], tags[270] = 6, "Maker", "OLYMPUS DIGITAL CAMERA"
    return tags.tobytes()


def encoded(form: str, mode: str = "RGB", **options: object) -> bytes:
    made.picture(mode).save(file := io.BytesIO(), form, **options)
    return file.getvalue()


def texts(**own: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for key, text in own.items():
        info.add_itxt(key.replace("__", ":").replace("_", "."), text, zip=True)
    return info


def two_in_one() -> bytes:
    """Return a JPEG with a second picture behind it, as phones write them."""
    made.picture().save(file := io.BytesIO(), "MPO", save_all=True, append_images=[made.picture("L").convert("RGB")])
    return file.getvalue()


PICTURES: dict[str, bytes] = {
    "bare.png": encoded("PNG"),
    "full.png": encoded("PNG", exif=exif(), icc_profile=ICC, pnginfo=texts(XML__com_adobe_xmp=OWN_XMP)),
    "few.png": made.picture().quantize(9).save(few := io.BytesIO(), "PNG", transparency=3) or few.getvalue(),
    "bare.jpg": encoded("JPEG"),
    "full.jpg": encoded("JPEG", exif=exif(), icc_profile=ICC, xmp=OWN_XMP.encode(), comment=b"of theirs"),
    "progressive.jpg": encoded("JPEG", exif=exif(), progressive=True),
    "two.jpg": two_in_one(),
    "grey.jpg": encoded("JPEG", "L"),
    "bare.webp": encoded("WEBP"),
    "lossless.webp": encoded("WEBP", lossless=True),
    "glass.webp": encoded("WEBP", "RGBA", lossless=True),
    "soft-glass.webp": encoded("WEBP", "RGBA"),
    "full.webp": encoded("WEBP", exif=exif(), icc_profile=ICC, xmp=OWN_XMP.encode()),
}


def saved(folder: Path, name: str, data: bytes, facts: Facts = FACTS) -> tuple[Path, Path, str | None]:
    """Return the source, the copy, and what has to lie beside it."""
    source, target = folder / "from" / name, folder / name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    return source, target, embed.save(source, target, images.sniff(source, 1 << 20).format, facts)


def compressed(data: bytes) -> bytes:
    """Return the part of a file that is the picture: IDAT and all that colours it, the scans, the VP8 chunks."""
    if data.startswith(b"\x89PNG"):
        parts, at = b"", 8
        while at < len(data):
            (length,) = struct.unpack_from(">I", data, at)
            if data[at + 4 : at + 8] in (b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"IDAT", b"IEND"):
                parts += data[at : at + 12 + length]
            at += 12 + length
        return parts
    if data.startswith(b"RIFF"):
        assert struct.unpack_from("<I", data, 4)[0] + 8 == len(data)
        parts, at = b"", 12
        while at < len(data):
            (length,) = struct.unpack_from("<I", data, at + 4)
            if data[at : at + 4] not in (b"VP8X", b"XMP "):
                parts += data[at : at + 8 + length]
            at += 8 + length + length % 2
        return parts
    return data[data.index(b"\xff\xdb") :]


@pytest.mark.parametrize("name", PICTURES)
def test_the_caption_is_in_and_the_picture_is_untouched(tmp_path: Path, name: str) -> None:
    source, target, beside = saved(tmp_path, name, PICTURES[name])
    assert beside is None
    found = read(target)
    assert (found.caption, found.image_id, found.record["kind"]) == (CAPTION, FACTS.image_id, "caption")
    assert "temple" in found.tags
    assert compressed(target.read_bytes()) == compressed(source.read_bytes())
    before, after = (images.open_picture(path, 1 << 20) for path in (source, target))
    assert images.pixel_sha256(after.image) == images.pixel_sha256(before.image)
    assert (after.exif, after.notes, after.image.size) == (before.exif, before.notes, before.image.size)
    with Image.open(source) as old, Image.open(target) as new:
        kept = {key: value for key, value in old.info.items() if key not in ("xmp", png.XMP_KEY, "mp")}
        assert {key: new.info.get(key) for key in kept} == kept


@pytest.mark.parametrize("name", ["full.png", "full.jpg", "full.webp"])
def test_what_its_xmp_said_stays_to_the_letter(tmp_path: Path, name: str) -> None:
    _, target, _ = saved(tmp_path, name, PICTURES[name])
    with Image.open(target) as image:
        packet = image.info["xmp"].decode()
    for line in (
        'xmp:Rating="4" q:odd="a > b">',
        "<q:thing><!-- of theirs --><q:inner>keep &amp; me</q:inner></q:thing>",
    ):
        assert line in packet
    assert packet.count("<dc:description>") == 1 and ">old<" not in packet and ">alt<" not in packet
    assert packet.count('rdf:about="uuid:1"') == 2
    found = read(target)
    assert (found.tags, found.rating) == (("China", "temple"), 4)
    assert "<rdf:li>Places/China</rdf:li><rdf:li>temple</rdf:li>" in packet, "the tree of keywords is kept"


def test_keywords_it_has_are_not_written_again(tmp_path: Path) -> None:
    _, target, _ = saved(tmp_path, "a.jpg", PICTURES["full.jpg"], replace(FACTS, tags=("China",)))
    with Image.open(target) as image:
        packet = image.info["xmp"].decode()
    assert packet.count("<rdf:li>China</rdf:li>") == 1 and packet.count("TagsList>") == 2


def test_a_second_caption_takes_the_place_of_the_first(tmp_path: Path) -> None:
    for name in ("bare.png", "bare.jpg", "bare.webp"):
        _, first, _ = saved(tmp_path, f"1-{name}", PICTURES[name])
        again = replace(FACTS, caption="a lake", image_id="f" * 32)
        _, second, _ = saved(tmp_path, f"2-{name}", first.read_bytes(), again)
        assert (read(second).caption, read(second).image_id) == ("a lake", "f" * 32)
        assert second.read_bytes().count(b"hotfolder:record>") == (0 if name.endswith("png") else 2)
        assert second.read_bytes().count(FACTS.image_id.encode()) == 0


def test_pictures_behind_the_first_are_still_found(tmp_path: Path) -> None:
    source, target, _ = saved(tmp_path, "two.jpg", PICTURES["two.jpg"])
    with Image.open(source) as old, Image.open(target) as new:
        sizes = [entry["Size"] for entry in new.mpinfo[0xB002]]
        assert sum(sizes) == target.stat().st_size
        old.seek(1)
        new.seek(1)
        assert new.tobytes() == old.tobytes()


def _heic() -> bytes:
    pillow_heif.from_pillow(made.picture()).save(file := io.BytesIO())
    return file.getvalue()


def _signed_jpeg() -> bytes:
    box = (
        b"JP\0\1\0\0\0\1"
        + struct.pack(">I", 60)
        + b"jumb"
        + struct.pack(">I", 30)
        + b"jumdc2pa\0\x11\0\x10"
        + bytes(40)
    )
    data = PICTURES["bare.jpg"]
    return data[:2] + b"\xff\xeb" + struct.pack(">H", len(box) + 2) + box + data[2:]


def _signed_png() -> bytes:
    data, chunk = PICTURES["bare.png"], b"caBXjumb"
    return data[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


def _signed_webp() -> bytes:
    data = PICTURES["full.webp"] + b"C2PA\4\0\0\0jumb"
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


AS_THEY_ARE: dict[str, Callable[[], bytes]] = {
    "a.tif": lambda: encoded("TIFF"),
    "a.bmp": lambda: encoded("BMP"),
    "a.avif": lambda: encoded("AVIF"),
    "a.heic": _heic,
    "signed.jpg": _signed_jpeg,
    "signed.png": _signed_png,
    "signed.webp": _signed_webp,
    "no-xml.jpg": lambda: encoded("JPEG", xmp=b"<x:xmpmeta"),
    "entities.jpg": lambda: encoded("JPEG", xmp=b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + OWN_XMP.encode()),
    "attribute.webp": lambda: encoded("WEBP", xmp=OWN_XMP.replace('q:odd="', 'dc:description="').encode()),
    "crowded.jpg": lambda: encoded(
        "JPEG", xmp=OWN_XMP.replace("Anna", "Anna" * 16_000).replace(" " * 2000, "").encode()
    ),
    "closed.jpg": lambda: encoded("JPEG", xmp=b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'),
}


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_what_cannot_take_it_is_copied_as_it_is_and_described_beside(tmp_path: Path, name: str) -> None:
    source, target, beside = saved(tmp_path, name, AS_THEY_ARE[name]())
    assert target.read_bytes() == source.read_bytes()
    assert beside is not None
    target.with_name(f"{name}.xmp").write_text(beside, encoding="utf-8")
    found = read(target)
    assert (found.caption, found.tags, found.image_id) == (CAPTION, ("temple",), FACTS.image_id)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(caption=st.text(min_size=1, max_size=80), name=st.sampled_from(["full.jpg", "bare.png", "lossless.webp"]))
@example(" ", "full.jpg")
def test_any_caption_comes_back(tmp_path: Path, caption: str, name: str) -> None:
    _, target, _ = saved(tmp_path, name, PICTURES[name], replace(FACTS, caption=caption))
    assert (read(target).caption or "") == " ".join(clean(caption).split(" ")).strip()
    assert record.parse(xmp.read(b"").record) is None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data(), name=st.sampled_from(["full.jpg", "full.png", "full.webp", "two.jpg"]))
def test_damaged_files_raise_nothing_and_lose_nothing(tmp_path: Path, data: st.DataObject, name: str) -> None:
    """The pixels were read before this runs; whatever else is broken, the copy holds every byte of the picture."""
    whole = bytearray(PICTURES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(12, len(whole) - 1))] = data.draw(st.integers(0, 255))
    source, target = tmp_path / "from", tmp_path / "to"
    source.write_bytes(whole)
    form = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[Path(name).suffix]
    beside = embed.save(source, target, form, FACTS)
    assert (target.read_bytes() == bytes(whole)) == (beside is not None)


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
@pytest.mark.parametrize("name", PICTURES)
def test_exiftool_reads_it_and_finds_nothing_wrong(tmp_path: Path, name: str) -> None:
    _, target, _ = saved(tmp_path, name, PICTURES[name])
    told = subprocess.run(
        ["exiftool", "-s3", "-XMP-dc:Description", "-Warning", "-Error", target],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == CAPTION
