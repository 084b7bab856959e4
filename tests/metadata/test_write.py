"""Pictures written with everything that made them, and read back by us, by Pillow and by exiftool."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hotfolder import images
from hotfolder.errors import Unsupported
from hotfolder.metadata import write
from hotfolder.metadata.facts import Facts, Source
from hotfolder.metadata.read import read
from hotfolder.metadata.text import clean
from hotfolder.spec import Format
from tests.metadata import made

FORMATS: tuple[Format, ...] = ("png", "jpeg", "webp")
INPUTS_OWN = "a photo of a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512"


def saved(folder: Path, format: Format, facts: Facts, mode: str = "RGB") -> Path:
    path = folder / f"result.{format}"
    write.save(made.picture(mode), path, format, 92, facts)
    return path


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("seed", [0, 42, 2**53 + 1, 2**63, 2**64 - 1])
def test_everything_comes_back(tmp_path: Path, format: Format, seed: int) -> None:
    facts = made.facts(
        seed=seed, seed_locked=True, negative_prompt="rain", template="a {knight|king} in a storm", loras=made.LORAS,
        tags=("storm", "a & b <c>"), rating=4, title="The knight", caption="a man in armor", source=made.SOURCE,
    )  # fmt: skip
    found = read(saved(tmp_path, format, facts))
    assert found.tool == "hotfolder"
    assert found.image_id == facts.image_id
    assert found.job == facts.job
    assert found.parameters is not None
    assert found.parameters["seed"] == seed
    assert (found.rating, found.tags, found.title) == (4, ("storm", "a & b <c>"), "The knight")
    assert (found.caption, found.source_type) == ("a man in armor", "trainedAlgorithmicMedia")
    kept = found.record
    assert (kept["prompt"], kept["negative_prompt"], kept["template"]) == (
        "a knight in a storm", "rain", "a {knight|king} in a storm"
    )  # fmt: skip
    assert (kept["seed"], kept["seed_locked"], kept["model"], kept["profile"]) == (seed, True, "flux1-schnell", "fast")
    assert kept["source"] == {"name": "photo.jpg", "sha256": "ab" * 32}
    assert kept["loras"][1] == {"name": "koda", "weight": -0.5, "hash": None}


@pytest.mark.parametrize("format", FORMATS)
@given(prompt=st.text(max_size=60), tags=st.lists(st.text(min_size=1, max_size=10), max_size=3))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_the_words(tmp_path: Path, format: Format, prompt: str, tags: list[str]) -> None:
    facts = made.facts(prompt=prompt, tags=tuple(tags))
    found = read(saved(tmp_path, format, facts))
    assert found.job == facts.job
    assert found.record.get("prompt", "") == prompt
    assert found.tags == tuple(word for tag in tags if (word := clean(tag).strip()))
    assert (found.parameters or {}).get("prompt", "") == clean(prompt).strip()


LONG = {
    "ascii": "a knight in a storm, " * 780,
    "umlauts": "ein Ritter im Sturm, äöüß " * 630,
    "chinese": "暴风雨中的骑士，" * 2040,
    "emoji": "🦊🏰⚡🌊" * 4000,
    "lines": "a knight\nin a storm\n\n" * 800,
    "ampersands": "&" * 16_384,
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("words", LONG)
def test_prompts_of_16000_characters(tmp_path: Path, format: Format, words: str) -> None:
    prompt = LONG[words].strip()
    found = read(saved(tmp_path, format, made.facts(prompt=prompt)))
    assert found.image_id == made.FACTS.image_id
    assert found.parameters is not None
    assert found.parameters["seed"] == 42
    if format == "png":
        assert found.record["prompt"] == found.parameters["prompt"] == prompt
        assert found.job is not None
    else:
        assert len(found.parameters["prompt"]) >= 10_000
        if words in ("ascii", "umlauts", "lines"):
            assert found.parameters["prompt"] == prompt
            assert found.job == made.FACTS.job | {"prompt": prompt}


@pytest.mark.parametrize("format", FORMATS)
def test_a_job_too_large_to_embed_leaves_a_word_of_where_it_is(tmp_path: Path, format: Format) -> None:
    job = made.FACTS.job | {"on_keep": {"note": "x" * 700_000}}
    path = saved(tmp_path, format, made.facts(job=job))
    found = read(path)
    assert found.job is None
    assert ".job.yaml" in found.record["job_is"]
    assert found.record["prompt"] == "a knight in a storm"
    assert (found.parameters or {})["seed"] == 42
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize("format", FORMATS)
def test_everything_too_long_at_once(tmp_path: Path, format: Format) -> None:
    facts = made.facts(
        prompt="🦊" * 16_384, negative_prompt="&" * 16_384, template="<" * 16_384, caption="ö" * 100_000,
        title="t" * 10_000, tags=("schlagwort",) * 5000, rating=5,
        source=Source("n" * 255, "0" * 64, parameters="p" * 200_000, exif=b"Exif\0\0" + bytes(70_000)),
    )  # fmt: skip
    found = read(saved(tmp_path, format, facts))
    assert found.image_id == facts.image_id
    assert found.rating == 5
    assert found.tags[:50] == ("schlagwort",) * 50
    assert (found.parameters or {})["seed"] == 42


@pytest.mark.parametrize("format", FORMATS)
def test_names_that_are_no_text(tmp_path: Path, format: Format) -> None:
    facts = made.facts(job=made.FACTS.job | {"image": "caf\udce9.png"}, source=Source("caf\udce9\x1b.png", "0" * 64))
    found = read(saved(tmp_path, format, facts))
    assert found.job == facts.job
    assert found.record["source"]["name"] == "caf\\udce9\\x1b.png"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_png_keeps_every_pixel(tmp_path: Path, mode: str) -> None:
    path = saved(tmp_path, "png", made.FACTS, mode)
    assert images.pixel_sha256(images.open_picture(path, 10_000).image) == images.pixel_sha256(made.picture(mode))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_lossy_formats_take_every_mode(tmp_path: Path, mode: str, format: Format) -> None:
    image = images.open_picture(saved(tmp_path, format, made.FACTS, mode), 10_000).image
    assert image.size == (64, 48)
    assert image.mode == {"jpegL": "L", "webpRGBA": "RGBA"}.get(format + mode, "RGB")


def test_jpeg_shows_what_is_transparent_as_white(tmp_path: Path) -> None:
    path = tmp_path / "cutout.jpg"
    half = Image.new("RGBA", (64, 48), (200, 0, 0, 0))
    half.paste((200, 0, 0, 255), (32, 0, 64, 48))
    write.save(half, path, "jpeg", 95, made.FACTS)
    image = images.open_picture(path, 10_000).image
    assert np.abs(np.array(image.getpixel((8, 24))) - 255).max() <= 3
    assert np.abs(np.array(image.getpixel((56, 24))) - (200, 0, 0)).max() <= 6


def test_quality_is_used(tmp_path: Path) -> None:
    for format in ("jpeg", "webp"):
        sizes = []
        for quality in (30, 92):
            path = tmp_path / f"{quality}.{format}"
            write.save(made.picture("RGB", (256, 256)), path, format, quality, made.FACTS)
            sizes.append(path.stat().st_size)
        assert sizes[0] < 0.7 * sizes[1]


def test_thin_red_lines_stay_sharp_at_high_quality(tmp_path: Path) -> None:
    lines = Image.new("RGB", (64, 64), "white")
    for x in range(0, 64, 4):
        lines.paste((255, 0, 0), (x, 0, x + 1, 64))
    write.save(lines, tmp_path / "lines.jpg", "jpeg", 92, made.FACTS)
    read_back = np.asarray(Image.open(tmp_path / "lines.jpg")).astype(int)
    assert np.abs(read_back - np.asarray(lines)).max() < 40


@pytest.mark.parametrize(("format", "size"), [("webp", (16_384, 1)), ("jpeg", (1, 65_501))])
def test_a_size_the_format_cannot_hold(tmp_path: Path, format: Format, size: tuple[int, int]) -> None:
    with pytest.raises(Unsupported, match="use `format: png`"):
        write.save(Image.new("RGB", size), tmp_path / "x", format, 90, made.FACTS)
    assert not (tmp_path / "x").exists()
    write.save(Image.new("L", size), tmp_path / "y", "png", 90, made.FACTS)
    assert images.sniff(tmp_path / "y", 100_000).width == size[0]


def test_png_texts_are_plain_small_and_only_ours(tmp_path: Path) -> None:
    path = saved(tmp_path, "png", made.facts(prompt="Sturm über 東京"))
    with Image.open(path) as image:
        texts = dict(image.text)  # before the pixels are read: every reader finds them
    assert set(texts) == {"parameters", "hotfolder", "XML:com.adobe.xmp"}
    assert texts["parameters"].startswith("Sturm über 東京\nSteps: 4, ")
    assert json.loads(texts["hotfolder"])["image_id"] == made.FACTS.image_id
    data = path.read_bytes()
    assert data.count(b"zTXt") == 0
    assert b"tEXtparameters" in saved(tmp_path, "png", made.facts(prompt="Sturm über Genf")).read_bytes()


def test_jpeg_comment_is_what_readers_expect(tmp_path: Path) -> None:
    data = saved(tmp_path, "jpeg", made.facts(prompt="Sturm über 東京")).read_bytes()
    assert b"Exif\0\0MM\0*" in data[:64]
    assert b"UNICODE\0" + "Sturm über 東京\nSteps: 4, ".encode("utf-16-be") in data


class TestUpscaled:
    """A picture that was worked on keeps what its input said about itself."""

    def test_png_has_both_texts(self, tmp_path: Path) -> None:
        facts = replace(made.UPSCALED, source=replace(made.SOURCE, parameters=INPUTS_OWN))
        path = saved(tmp_path, "png", facts)
        with Image.open(path) as image:
            assert image.text["parameters"] == INPUTS_OWN
            assert image.text["postprocessing"].startswith("Postprocess: upscale, Postprocess upscale by: 4")
        found = read(path)
        assert (found.parameters or {})["seed"] == 5
        assert found.record["kind"] == "upscale"
        assert "seed" not in found.record

    @pytest.mark.parametrize("format", ["jpeg", "webp"])
    def test_others_keep_the_inputs_text(self, tmp_path: Path, format: Format) -> None:
        facts = replace(made.UPSCALED, source=replace(made.SOURCE, parameters=INPUTS_OWN))
        assert read(saved(tmp_path, format, facts)).parameters_text == INPUTS_OWN

    @pytest.mark.parametrize("format", FORMATS)
    def test_a_photograph_gets_no_parameters(self, tmp_path: Path, format: Format) -> None:
        found = read(saved(tmp_path, format, made.UPSCALED))
        assert found.parameters is None
        assert found.tool == "hotfolder"
        assert found.title == "photo.jpg"

    def test_an_edit_keeps_the_inputs_text_in_the_record(self, tmp_path: Path) -> None:
        source = replace(made.SOURCE, parameters=INPUTS_OWN)
        facts = made.facts(kind="edit", source_type="compositeWithTrainedAlgorithmicMedia", source=source)
        found = read(saved(tmp_path, "png", facts))
        assert (found.parameters or {})["seed"] == 42
        assert found.record["source"]["parameters"] == INPUTS_OWN

    def test_arithmetic_is_no_ai(self, tmp_path: Path) -> None:
        texts = {}
        for model in ("lanczos", "realesrgan-x4plus"):
            path = saved(tmp_path, "png", replace(made.UPSCALED, model=model))
            with Image.open(path) as image:
                texts[model] = image.text["XML:com.adobe.xmp"]
        assert "AISystemUsed" in texts["realesrgan-x4plus"]
        assert "AISystemUsed" not in texts["lanczos"]


needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")


def exiftool(*arguments: Any) -> str:
    done = subprocess.run(["exiftool", *map(str, arguments)], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


@needs_exiftool
@pytest.mark.parametrize("format", FORMATS)
def test_exiftool_reads_every_field(tmp_path: Path, format: Format) -> None:
    facts = made.facts(
        prompt="Ritter im Sturm & 東京", tags=("Sturm", "knight"), rating=4, title="Der Ritter", source=made.SOURCE
    )
    path = saved(tmp_path, format, facts)
    (seen,) = json.loads(exiftool("-json", "-G1", "-struct", "-all", "-validate", path))
    assert seen["XMP-dc:Title"] == "Der Ritter"
    assert seen["XMP-dc:Description"] == "Ritter im Sturm & 東京"
    assert seen["XMP-dc:Subject"] == seen["XMP-digiKam:TagsList"] == ["Sturm", "knight"]
    assert seen["XMP-xmp:Rating"] == 4
    assert seen["XMP-xmp:CreatorTool"] == "hotfolder 0.1.0"
    assert seen["XMP-xmp:CreateDate"] == "2026:11:20 13:00:00+00:00"
    assert seen["XMP-xmpMM:DerivedFrom"]["DocumentID"] == f"sha256:{'ab' * 32}"
    assert seen["XMP-iptcExt:DigitalSourceType"].endswith("/digitalsourcetype/trainedAlgorithmicMedia")
    assert seen["ExifTool:Validate"] == "OK" or "all minor" in seen["ExifTool:Validate"]
    text = seen["PNG:Parameters"] if format == "png" else seen["ExifIFD:UserComment"]
    assert text.startswith("Ritter im Sturm & 東京\nSteps: 4, Sampler: Euler, CFG scale: 3.5, Seed: 42, Size: 64x48")
    if format == "png":
        assert json.loads(seen["PNG:Hotfolder"])["image_id"] == facts.image_id
    else:
        assert seen["IFD0:XPTitle"] == "Der Ritter"
        assert seen["IFD0:XPKeywords"] == "Sturm;knight"
        assert (seen["IFD0:Rating"], seen["IFD0:RatingPercent"]) == (4, 75)
        assert seen["IFD0:Software"] == "hotfolder 0.1.0"
        assert seen["ExifIFD:DateTimeOriginal"] == "2026:11:20 13:00:00"
        assert (seen["ExifIFD:ColorSpace"], seen["ExifIFD:ExifImageWidth"]) == ("sRGB", 64)


@needs_exiftool
@pytest.mark.parametrize("format", FORMATS)
def test_stars_and_tags_given_by_another_program(tmp_path: Path, format: Format) -> None:
    path = saved(tmp_path, format, made.facts(rating=2))
    pixels = images.pixel_sha256(images.open_picture(path, 10_000).image)
    exiftool("-overwrite_original", "-XMP:Rating=5", "-XMP-dc:Subject=keep", "-XMP-dc:Subject+=best", path)
    found = read(path)
    assert (found.rating, found.tags) == (5, ("keep", "best"))
    assert found.image_id == made.FACTS.image_id
    assert found.job == made.FACTS.job
    assert images.pixel_sha256(images.open_picture(path, 10_000).image) == pixels
