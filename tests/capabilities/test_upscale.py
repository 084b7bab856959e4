"""Upscaling: what comes out of the outbox is the picture that was dropped, larger, the right way up, in its colours."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from hotfolder import images
from hotfolder.capabilities.base import Context
from hotfolder.capabilities.upscale import Upscale
from hotfolder.errors import RejectedInput, Unsupported
from hotfolder.spec import JobSpec, Planned
from tests.capabilities import photographs
from tests.capabilities.stands import NoPool
from tests.service.living import Living, at_once, picture, poll

CHINA, COFFEE, CAMERA = (photographs.photograph(name) for name in ("china.jpg", "coffee.png", "camera.png"))
LANCZOS = Image.Resampling.LANCZOS
EXACT, NEAR, LOSSY = (0.0, 0), (0.6, 4), (3.0, 60)
"""How far a result may be from Lanczos on the decoded original: mean and greatest step of 255. Exact but where other
decoders round otherwise; JPEG and WebP at quality 92 are lossy."""

PHOTOGRAPHS: dict[str, tuple[str, bytes, str, tuple[float, int]]] = {
    "jpeg": ("china.jpg", photographs.written(CHINA, "JPEG", quality=92), "factor: 2\n", EXACT),
    "half": ("coffee.png", photographs.written(COFFEE, "PNG"), "factor: 0.5\n", EXACT),
    "two-and-a-half": ("tif.tif", photographs.written(COFFEE, "TIFF"), "factor: 2.5\n", EXACT),
    "turned-6": ("left.jpg", photographs.turned(CHINA, 6), "factor: 2\n", EXACT),
    "turned-8": ("right.jpg", photographs.turned(CHINA, 8), "factor: 1.5\n", EXACT),
    "turned-3": ("over.jpg", photographs.turned(COFFEE, 3), "factor: 1\n", EXACT),
    "cmyk": ("print.jpg", photographs.written(COFFEE.convert("CMYK"), "JPEG", quality=95), "factor: 2\n", NEAR),
    "heic": ("phone.heic", photographs.heic(CHINA), "factor: 2\n", NEAR),
    "sixteen-bits": ("deep.png", photographs.sixteen_bits(COFFEE), "factor: 2\n", NEAR),
    "sixteen-bit-grey": ("deepgrey.png", photographs.sixteen_bit_grey(CAMERA), "factor: 2\n", NEAR),
    "grey": ("grey.bmp", photographs.written(CAMERA, "BMP"), "factor: 2\n", EXACT),
    "palette": ("few.png", photographs.written(COFFEE.quantize(64), "PNG"), "factor: 3\n", EXACT),
    "webp": ("web.webp", photographs.written(CHINA, "WEBP", lossless=True), "factor: 2\n", EXACT),
    "avif": ("new.avif", photographs.written(CHINA, "AVIF", quality=90), "factor: 2\n", NEAR),
    "to-jpeg": ("out.png", photographs.written(CHINA, "PNG"), "factor: 2\nformat: jpeg\n", LOSSY),
    "to-webp": ("out2.png", photographs.written(CHINA, "PNG"), "factor: 2\nformat: webp\nquality: 92\n", LOSSY),
}


@pytest.fixture(scope="module")
def published(studio: Living) -> Iterator[dict[str, dict[str, Any]]]:
    """Drop every photograph, and give the rows of what became of them."""
    with at_once(studio):
        for case, (name, data, job, _) in PHOTOGRAPHS.items():
            studio.drop(f"upscale/{case}/{name}.yaml", job)
            studio.drop(f"upscale/{case}/{name}", data)
    return {case: studio.job(Path(name).stem) for case, (name, *_) in PHOTOGRAPHS.items()}


@pytest.mark.parametrize("case", PHOTOGRAPHS)
def test_a_photograph_comes_out_larger_upright_and_in_its_colours(
    studio: Living, published: dict[str, dict[str, Any]], case: str
) -> None:
    name, data, job, (mean, greatest) = PHOTOGRAPHS[case]
    assert published[case]["state"] == "done", published[case]["error"]
    (row,) = studio.rows("select * from images where job_id=?", published[case]["id"])
    path = studio.workspace.absolute(row["path"])
    factor, form = yaml.safe_load(job)["factor"], yaml.safe_load(job).get("format", "png")
    seen = photographs.decoded(data)
    size = round(seen.width * factor), round(seen.height * factor)
    with Image.open(path) as made:
        assert (made.size, made.format) == (size, form.upper())
        assert made.getexif().get(0x0112, 1) == 1, "upright pixels, and nothing that says to turn them"
        apart = photographs.difference(made, seen.resize(size, LANCZOS))
    assert apart[0] <= mean and apart[1] <= greatest, f"{case}: {apart}"
    assert (row["width"], row["height"], row["format"], row["kind"], row["model"]) == (
        *size,
        form,
        "upscale",
        "lanczos",
    )
    assert row["parent_path"] == f"done/upscale/{case}/{name}"
    assert (studio.root / row["parent_path"]).read_bytes() == data, "the original is untouched"
    assert path.parent.name == case, "the tree is mirrored"


def test_its_job_file_dropped_again_gives_the_same_pixels(studio: Living, published: dict[str, dict[str, Any]]) -> None:
    (row,) = studio.rows("select * from images where job_id=?", published["turned-6"]["id"])
    beside = studio.workspace.absolute(row["path"]).with_suffix(".job.yaml")
    studio.drop("upscale/repeated.job.yaml", beside.read_bytes())
    assert studio.job("repeated")["error"] is None
    (again,) = studio.images("repeated")
    assert again["pixel_sha256"] == row["pixel_sha256"]
    assert again["path"] != row["path"] and again["id"] != row["id"]
    assert again["parent_path"] == row["parent_path"]


def test_a_job_file_still_finds_its_input_when_that_was_renamed(studio: Living) -> None:
    """Found by its hash where another file has its name by now."""
    data = [picture(20, 10, colour) for colour in ("red", "blue")]
    made = []
    for number, one in enumerate(data, start=1):
        studio.drop("upscale/twin.png", one)
        made.append(poll(lambda number=number: _nth_done(studio, "twin", number), "picture of the twin"))
    assert [row["parent_path"] for row in made] == ["done/upscale/twin.png", "done/upscale/twin-2.png"]
    job = studio.workspace.absolute(made[1]["path"]).with_suffix(".job.yaml")
    studio.drop("upscale/second.job.yaml", job.read_bytes())
    assert studio.job("second")["error"] is None
    (again,) = studio.images("second")
    assert (again["pixel_sha256"], again["parent_path"]) == (made[1]["pixel_sha256"], "done/upscale/twin-2.png")


def _nth_done(studio: Living, name: str, number: int) -> dict[str, Any] | None:
    """Return the picture of the `number`-th job of that name, once its drop is filed away."""
    sql = (
        "select images.* from images join jobs on jobs.id=job_id join drops on drops.id=drop_id "
        "where jobs.name=? and drops.state='done' order by job_id"
    )
    rows = studio.rows(sql, name)
    return rows[number - 1] if len(rows) >= number else None


def test_a_result_that_would_be_too_large_is_refused_before_anything_runs(studio: Living) -> None:
    with at_once(studio):
        studio.drop("upscale/vast.png", picture(4000, 4000))
        studio.drop("upscale/vast.png.yaml", "factor: 16\n")
    row = studio.job("vast", "failed")
    assert row["attempts"] == 0
    assert "4000x4000" in row["error"] and "4096 megapixels" in row["error"] and "`factor`" in row["error"]


def test_alpha_is_kept_and_does_not_bleed(studio: Living) -> None:
    """Transparent pixels are black underneath, as editors leave them: no dark fringe may come of it."""
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 230, 0, 255), (10, 10, 30, 30))
    studio.drop("upscale/sticker.png", photographs.written(image, "PNG"))
    studio.job("sticker", "done")
    with Image.open(studio.workspace.absolute(studio.images("sticker")[0]["path"])) as made:
        assert made.mode == "RGBA" and made.size == (160, 160)
        pixels = np.asarray(made).astype(int)
    seen = pixels[..., 3] > 16
    assert seen.sum() > 6000
    assert (pixels[seen][:, :3] >= (239, 214, 0)).all(), "a dark fringe"
    assert (pixels[seen][:, 2] <= 16).all()
    assert pixels[80, 80, 3] == 255 and pixels[2, 2, 3] == 0


def made(image: Image.Image, factor: float | None) -> Image.Image:
    """Run the capability itself."""
    context = Context(
        JobSpec(kind="upscale"), Upscale.Options(factor=factor), (Planned(seed=0, seed_locked=False),), "",
        pool=NoPool(), progress=lambda step, of: None, image=image,
    )  # fmt: skip
    (result,) = Upscale().run(context)
    return result.image


@pytest.mark.parametrize("seed", range(40))
def test_any_factor_gives_the_exact_size(seed: int) -> None:
    chance = random.Random(seed)
    width, height = chance.randrange(1, 90), chance.randrange(1, 90)
    factor = chance.choice([None, 0.01, 0.5, 1, 2.5, 3, chance.uniform(0.05, 7)])
    image = Image.new(chance.choice(["L", "RGB", "RGBA"]), (width, height))
    result = made(image, factor)
    used = 4 if factor is None else factor
    assert result.size == (max(1, round(width * used)), max(1, round(height * used)))
    assert result.mode == image.mode


def test_a_factor_of_one_changes_no_pixel() -> None:
    assert images.pixel_sha256(made(COFFEE, 1)) == images.pixel_sha256(COFFEE)


def test_halving_what_was_doubled_brings_the_picture_back() -> None:
    mean, _ = photographs.difference(made(made(COFFEE, 2), 0.5), COFFEE)
    assert mean < 1.5


@pytest.mark.parametrize(
    ("form", "size", "factor", "error", "says"),
    [
        ("png", (20_000, 20_000), 1.01, RejectedInput, "at most 400 can be made"),
        ("jpeg", (20_000, 100), 4, Unsupported, "`format: png`"),
        ("webp", (5000, 100), 4, Unsupported, "16,383"),
    ],
)
def test_what_cannot_be_written_is_refused(
    form: str, size: tuple[int, int], factor: float, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Upscale.check(JobSpec(kind="upscale", format=form), Upscale.Options(factor=factor), size)  # type: ignore[arg-type]


def test_the_largest_that_is_allowed_passes() -> None:
    Upscale.check(JobSpec(kind="upscale"), Upscale.Options(factor=1), (20_000, 20_000))


def test_the_decoded_original_of_these_tests_is_what_hotfolder_reads(tmp_path: Path) -> None:
    """The yardstick itself: a plain viewer's pixels and ours agree for a plain file."""
    path = tmp_path / "china.jpg"
    path.write_bytes(PHOTOGRAPHS["jpeg"][1])
    ours = images.open_picture(path, 10**7).image
    assert ours.tobytes() == photographs.decoded(path.read_bytes()).tobytes()
