"""A part of a picture painted anew: where a mask says so, and nowhere else."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from hotfolder.capabilities.base import Context, Helper, Result
from hotfolder.capabilities.inpaint import Inpaint
from hotfolder.errors import RejectedInput
from hotfolder.spec import JobSpec, Planned
from tests.capabilities import photographs
from tests.service.living import Living, at_once

PHOTO = photographs.photograph("coffee.png")
ASTRONAUT = photographs.photograph("astronaut.png")
PRESET = "profile: miniature\nprompt: a red circle\nsteps: 2\n"


def ellipse(size: tuple[int, int], scale: float = 1.0) -> Image.Image:
    mask = Image.new("L", size)
    width, height = size
    ImageDraw.Draw(mask).ellipse((0.4 * width, 0.3 * height, 0.7 * width, 0.8 * height), fill=round(255 * scale))
    return mask


def cut_out() -> Image.Image:
    picture = PHOTO.convert("RGBA")
    picture.putalpha(ImageOps.invert(ellipse(PHOTO.size, 0.999)))
    return picture


def png(image: Image.Image) -> bytes:
    return photographs.written(image, "PNG")


HALF = (PHOTO.width // 2, PHOTO.height // 2)
CASES: dict[str, tuple[str, bytes, Image.Image | None, str, str]] = {
    # case: (name, picture, mask, job, mode of the result)
    "turned": ("a.jpg", photographs.turned(PHOTO, 6), ellipse(PHOTO.size), "", "RGB"),
    "smaller mask": ("b.png", photographs.sixteen_bits(PHOTO), ellipse(HALF), "mask_blur: 0", "RGB"),
    "grey": ("c.png", png(PHOTO.convert("L")), ellipse(PHOTO.size), "only_masked: false", "L"),
    "own alpha": ("d.png", png(cut_out()), None, "", "RGB"),
    "alpha stays": ("e.png", png(cut_out()), ellipse(PHOTO.size).transpose(Image.Transpose.ROTATE_180), "", "RGBA"),
    "inverted": ("f.png", png(PHOTO), ellipse(PHOTO.size), "mask_invert: true\nmask_grow: -5\nvariants: 2", "RGB"),
}


@pytest.fixture(scope="module")
def painted(studio: Living) -> dict[str, list[dict[str, Any]]]:
    """Drop every picture with its companions; give the rows of what became of them."""
    (studio.workspace.inbox / "inpaint" / "folder.yaml").write_text(PRESET)
    with at_once(studio):
        for name, data, mask, job, _ in CASES.values():
            stem = f"in-{name.partition('.')[0]}"
            if mask:
                studio.drop(f"inpaint/{stem}.mask.png", png(mask))
            if job:
                studio.drop(f"inpaint/{stem}.yaml", job + "\n")
            studio.drop(f"inpaint/in-{name}", data)
    jobs = {case: studio.job(f"in-{name.partition('.')[0]}", deadline_s=180) for case, (name, *_) in CASES.items()}
    assert {case: job["error"] for case, job in jobs.items() if job["error"]} == {}
    return {case: studio.images(job["name"]) for case, job in jobs.items()}


@pytest.mark.parametrize("case", CASES)
def test_what_the_mask_leaves_out_is_the_pictures_own(
    studio: Living, painted: dict[str, list[dict[str, Any]]], case: str
) -> None:
    _, data, _, _, mode = CASES[case]
    rows = painted[case]
    with Image.open(io.BytesIO(data)) as given:
        before = np.asarray(photographs.decoded(data) if given.mode != "RGBA" else given.convert("RGBA"))
    for row in rows:
        path = studio.workspace.absolute(row["path"])
        with Image.open(path) as made, Image.open(path.with_suffix(".mask.png")) as mask:
            assert (made.mode, made.size, mask.mode, mask.size) == (
                mode,
                (before.shape[1], before.shape[0]),
                "L",
                made.size,
            )
            after, change = np.asarray(made.convert("RGBA" if mode == "RGBA" else "RGB")), np.asarray(mask)
        outside, inside = change == 0, change == 255
        assert 0.05 < inside.mean() < 0.95 and outside.any()
        assert (after[outside] == before[outside][:, : after.shape[2]]).all()
        assert (np.abs(after[inside][:, :3].astype(int) - before[inside][:, :3]) > 8).mean() > 0.4, "it was repainted"
        if mode == "RGBA":
            assert (after[..., 3] == before[..., 3]).all()
    assert len({row["pixel_sha256"] for row in rows}) == len(rows)


def test_the_catalog_and_the_job_file_say_how(studio: Living, painted: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = painted["turned"]
    assert (row["kind"], row["prompt"], row["steps"], row["guidance"]) == ("inpaint", "a red circle", 2, 30.0)
    assert (row["model"], row["parent_path"]) == ("flux1-fill-dev-miniature", "done/inpaint/in-a.jpg")
    beside = studio.workspace.absolute(row["path"]).with_suffix(".job.yaml").read_text()
    assert "mask: done/inpaint/in-a.mask.png" in beside
    studio.drop("inpaint/in-again.job.yaml", beside)
    assert studio.job("in-again", deadline_s=120)["error"] is None
    (again,) = studio.images("in-again")
    assert again["pixel_sha256"] == row["pixel_sha256"]


WRONG = {
    # case: (mask, job, what is said)
    "proportions": (png(ellipse((300, 300))), "", "the mask has 300x300 pixels and the picture 300x200"),
    "black": (png(Image.new("L", (300, 200))), "", "the mask is black all over"),
    "dark": (png(ellipse((300, 200), 0.4)), "", "its brightest grey is 102 of 255"),
    "unreadable": (png(ellipse((300, 200)))[:300], "", "wrong-unreadable.mask.png is damaged or incomplete"),
    "all white, inverted": (png(Image.new("L", (300, 200), 255)), "mask_invert: true", "leaves nothing to paint"),
    "shrunk": (png(ellipse((300, 200))), "mask_grow: -200", "`mask_grow: -200` leaves nothing of the mask"),
    "sampler": (png(ellipse((300, 200))), "sampler: ddim", "`ddim` does not fit flow models"),
    "padding": (png(ellipse((300, 200))), "padding: much", "`much` is no length"),
}


def test_what_cannot_be_painted_says_why(studio: Living) -> None:
    (studio.workspace.inbox / "inpaint" / "folder.yaml").write_text(PRESET)
    picture = png(PHOTO.resize((300, 200)))
    names = {case: f"wrong-{case.split(',')[0].replace(' ', '-')}" for case in WRONG}
    with at_once(studio):
        for case, (mask, job, _) in WRONG.items():
            studio.drop(f"inpaint/{names[case]}.mask.png", mask)
            if job:
                studio.drop(f"inpaint/{names[case]}.yaml", job + "\n")
            studio.drop(f"inpaint/{names[case]}.png", picture)
    for case, (_, _, says) in WRONG.items():
        assert says in str(studio.job(names[case], "failed", deadline_s=120)["error"]), case


def test_a_picture_without_a_mask_waits_for_one(studio: Living) -> None:
    (studio.workspace.inbox / "inpaint" / "folder.yaml").write_text(PRESET)
    studio.drop("inpaint/late.png", png(PHOTO.resize((60, 40))))
    assert "needs a mask: put one beside" in str(studio.job("late", "waiting")["wait_reason"])
    studio.drop("inpaint/late.mask.png", png(ellipse((60, 40))))
    assert studio.job("late", deadline_s=120)["error"] is None
    opaque = PHOTO.resize((60, 40)).convert("RGBA")
    studio.drop("inpaint/opaque.png", png(opaque))
    assert "nothing of the picture is transparent" in str(studio.job("opaque", "failed")["error"])


class Words:
    """Stands for a model that finds words: `coat` in the middle, nothing else."""

    def mask(self, image: Image.Image, phrases: list[str]) -> list[np.ndarray]:
        scores = np.full((32, 32), 0.04, np.float32)
        scores[8:24, 8:24] = 0.8
        return [scores if phrase == "coat" else np.full_like(scores, 0.04) for phrase in phrases]


class Painter:
    """Stands for a filler that paints everything green."""

    entry = SimpleNamespace(defaults=SimpleNamespace(edge_px=64))

    def fill(self, image: Image.Image, *more: Any) -> tuple[Image.Image, dict[str, Any]]:
        return Image.new("RGB", image.size, (0, 200, 0)), {"steps": 1}


class Ready:
    """A pool in which one model is in memory."""

    def __init__(self, family: Any) -> None:
        self.family = family

    def attempt(self, name: str, work: Callable[[Any], Any]) -> Any:
        return work(self.family)


def painted_by_words(image: Image.Image, words: str) -> Result:
    spec = JobSpec(kind="inpaint", prompt="x", mask_prompt=words)
    options = Inpaint.Options()
    assert Inpaint.helpers(spec, options) == ("mask",)
    context = Context(
        spec, options, (Planned(prompt="x", seed=1, seed_locked=True),), "m", Ready(Painter()),
        lambda step, of: None, image, helpers={"mask": Helper("words", Ready(Words()))},
    )  # fmt: skip
    (result,) = Inpaint().run(context)
    return result


def test_words_say_where() -> None:
    result = painted_by_words(ASTRONAUT, "coat, dragon")
    assert result.image and result.facts["notes"] == ("found no `dragon`; best score 0.04",)
    width, height = ASTRONAUT.size
    assert result.image.getpixel((width // 2, height // 2)) == (0, 200, 0)
    mask = result.pictures[".mask.png"]
    assert mask.getbbox() == pytest.approx((width / 4, height / 4, 3 * width / 4, 3 * height / 4), abs=20)


def test_words_that_are_nowhere_in_the_picture() -> None:
    with pytest.raises(RejectedInput, match=r"^found no `dragon`; best score 0\.04$"):
        painted_by_words(ASTRONAUT, "dragon")


def test_a_large_picture_comes_back_at_full_size_and_its_own_but_for_the_hole() -> None:
    large = Image.effect_noise((600, 400), 80).resize((6000, 4000), Image.Resampling.NEAREST).convert("RGB")
    mask = Image.new("L", (1500, 1000))
    mask.paste(255, (900, 300, 960, 350))
    context = Context(
        JobSpec(kind="inpaint", prompt="x"), Inpaint.Options(), (Planned(prompt="x", seed=1, seed_locked=True),), "m",
        Ready(Painter()), lambda step, of: None, large, pictures={"mask": mask},
    )  # fmt: skip
    (result,) = Inpaint().run(context)
    assert result.image and result.image.size == large.size
    left, top, right, bottom = result.pictures[".mask.png"].getbbox() or (0, 0, 0, 0)
    assert (left, top, right, bottom) == pytest.approx((3600, 1200, 3840, 1400), abs=20)
    same = (np.asarray(result.image) == np.asarray(large)).all(-1)
    same[top:bottom, left:right] = True
    assert same.all()
    assert result.image.getpixel((3700, 1300)) == (0, 200, 0)
