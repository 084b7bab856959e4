"""Masks from words: a grey picture of the input's size, white where the words mean it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops

from hotfolder.capabilities.base import Context
from hotfolder.capabilities.mask import Mask
from hotfolder.errors import RejectedInput
from hotfolder.images import sought
from hotfolder.metadata import read
from hotfolder.miniatures.measure_mask import overlap
from hotfolder.miniatures.world import Painting, Scene, Thing, paint
from hotfolder.spec import JobSpec, Planned
from tests.capabilities import photographs
from tests.service.living import Living, at_once

SCENE = Scene("yellow", (Thing("purple", "tree"), Thing("red", "circle")), "left of")
PAINTING: Painting = paint(SCENE, 160)
TREE, CIRCLE = PAINTING.masks


def written(image: Image.Image) -> bytes:
    return photographs.written(image, "PNG")


JOBS: dict[str, tuple[str, Image.Image]] = {
    # name: (job, what is white)
    "lone": ("prompt: the red circle", CIRCLE),
    "pair": ("prompt: the red circle, the purple tree", ImageChops.lighter(TREE, CIRCLE)),
    "some": ("prompt: a blue star, the red circle", CIRCLE),
    "ground": ("prompt: the background", ImageChops.invert(ImageChops.lighter(TREE, CIRCLE))),
    "inverted": ("prompt: the red circle\nmask_invert: true", ImageChops.invert(CIRCLE)),
}


@pytest.fixture(scope="module")
def masked(studio: Living) -> dict[str, dict[str, Any]]:
    """Drop every job with its picture; give the rows of what became of them."""
    (studio.workspace.inbox / "mask").mkdir(exist_ok=True)
    (studio.workspace.inbox / "mask" / "folder.yaml").write_text("profile: miniature\n")
    with at_once(studio):
        for name, (job, _) in JOBS.items():
            studio.drop(f"mask/{name}.png.yaml", job + "\n")
            studio.drop(f"mask/{name}.png", written(PAINTING.image))
    jobs = {name: studio.job(name) for name in JOBS}
    assert {name: job["error"] for name, job in jobs.items() if job["error"]} == {}
    return {name: studio.images(name)[0] for name in JOBS}


@pytest.mark.parametrize("name", JOBS)
def test_it_is_white_where_the_words_mean_it(studio: Living, masked: dict[str, Any], name: str) -> None:
    with Image.open(studio.workspace.absolute(masked[name]["path"])) as mask:
        assert (mask.format, mask.mode, mask.size) == ("PNG", "L", PAINTING.image.size)
        assert set(np.unique(np.asarray(mask))) <= {0, 255}
        assert overlap(mask, JOBS[name][1]) > 0.7


def test_beside_it_lies_a_picture_to_look_at_and_in_it_what_made_it(studio: Living, masked: dict[str, Any]) -> None:
    row = masked["lone"]
    path = studio.workspace.absolute(row["path"])
    with Image.open(path.with_suffix(".overlay.png")) as overlay:
        changed = ImageChops.difference(overlay.convert("RGB"), PAINTING.image).convert("L")
    assert overlap(changed.point([255 * (grey > 8) for grey in range(256)]), CIRCLE) > 0.6
    assert (row["kind"], row["prompt"], row["model"]) == ("mask", "the red circle", "clipseg-rd64-refined-miniature")
    assert read.read(path).record["kind"] == "mask"
    assert row["parent_path"] == "done/mask/lone.png" and row["seed"] is None


def test_a_phrase_that_is_not_found_is_told(studio: Living, masked: dict[str, Any]) -> None:
    path = studio.workspace.absolute(masked["some"]["path"])
    assert "# found no `a blue star`; best score 0." in path.with_suffix(".job.yaml").read_text()


def test_what_cannot_be_is_refused_or_waits(studio: Living, masked: dict[str, Any]) -> None:
    refused = {
        "house": ("prompt: a green house", "found no `a green house`; best score 0."),
        "comma": ("prompt: ' , '", "has no words to look for"),
        "gone": ("prompt: the red circle\nmask_grow: -400", "`mask_grow: -400` leaves nothing of what was found"),
        "mask form": ("prompt: a star\nformat: jpeg", "`format` means nothing to `mask`"),
        "sure": ("prompt: a star\nthreshold: 2", "`threshold`"),
    }
    with at_once(studio):
        for name, (job, _) in refused.items():
            studio.drop(f"mask/{name}.png.yaml", job + "\n")
            studio.drop(f"mask/{name}.png", written(PAINTING.image))
    studio.drop("mask/silent.png", written(PAINTING.image))
    for name, (_, said) in refused.items():
        assert said in studio.job(name, "failed")["error"]
    assert "needs a prompt" in studio.job("silent", "waiting")["wait_reason"]


def test_photographs_and_a_text_for_each_mask(studio: Living, masked: dict[str, Any]) -> None:
    """The miniature sees something of its world in them; sizes and the way up are what counts here."""
    coffee, grey = photographs.photograph("coffee.png"), photographs.photograph("camera.png")
    clear = photographs.photograph("astronaut.png").convert("RGBA")
    clear.putalpha(clear.getchannel("R"))
    job = "prompt: [an object, the background]\nthreshold: 0\nsoft: true\nmask_blur: 3\n"
    pictures = {
        "sought-coffee.jpg": (photographs.turned(coffee, 6), coffee.size),
        "sought-camera.png": (written(grey), grey.size),
        "sought-clear.png": (written(clear), clear.size),
    }
    with at_once(studio):
        for name, (data, _) in pictures.items():
            studio.drop(f"mask/{name}.yaml", job)
            studio.drop(f"mask/{name}", data)
    for name, (_, size) in pictures.items():
        stem = name.partition(".")[0]
        assert studio.job(stem)["error"] is None
        rows = studio.images(stem)
        assert [row["prompt"] for row in rows] == ["an object", "the background"]
        for row in rows:
            with Image.open(studio.workspace.absolute(row["path"])) as mask:
                assert (mask.mode, mask.size) == ("L", size)


@dataclass
class _Seeing:
    """Sees a bright square in the middle of its view."""

    best: float = 0.9

    def mask(self, image: Image.Image, phrases: list[str]) -> list[np.ndarray]:
        found = np.full((64, 64), 0.02, np.float32)
        found[24:40, 24:40] = self.best
        return [found if phrase != "fog" else found * 0.1 for phrase in phrases]

    def attempt(self, name: str, work: Callable[[Any], Any]) -> Any:
        return work(self)


def run(image: Image.Image, prompt: str, best: float = 0.9, **keys: Any) -> Image.Image:
    options = {name: keys.pop(name) for name in ("threshold", "soft") if name in keys}
    spec = JobSpec(kind="mask", prompt=prompt, options=options, **keys)
    planned = (Planned(prompt=prompt, seed=0, seed_locked=False),)
    context = Context(spec, Mask.Options(**options), planned, "m", _Seeing(best), lambda *_: None, image)
    (result,) = Mask().run(context)
    assert result.image
    return result.image


def area(mask: Image.Image) -> float:
    return float((np.asarray(mask) > 127).sum())


def test_grow_blur_soft_and_invert() -> None:
    image = Image.new("RGB", (256, 128))
    plain = run(image, "a cat")
    assert plain.getbbox() == (96, 48, 160, 80)
    assert run(image, "a cat", mask_grow=4).getbbox() == (92, 44, 164, 84)
    assert area(run(image, "a cat", mask_grow=-4)) < area(plain)
    assert run(image, "a cat", mask_invert=True).tobytes() == ImageChops.invert(plain).tobytes()
    assert len(run(image, "a cat", mask_blur=8).getcolors()) > 10
    soft = run(image, "a cat", soft=True)
    assert soft.getextrema() == (round(0.02 * 255), round(0.9 * 255))
    with pytest.raises(RejectedInput, match=r"found no `a cat`; best score 0\.90$"):
        run(image, "a cat", threshold=0.95)
    with pytest.raises(RejectedInput, match=r"found no `fog`; best score 0\.04$"):
        run(image, "fog", best=0.4)


def test_fifty_megapixels_take_bytes_and_not_numbers_for_each_pixel() -> None:
    import tracemalloc

    image = Image.new("RGB", (8000, 6250))
    tracemalloc.start()
    mask = run(image, "a cat, a dog, a bird")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mask.size == image.size
    assert peak < 100_000_000, "numpy keeps its own count; Pillow's pictures of 50 MB are not in it"


def test_phrases_are_parted_by_commas_and_lines() -> None:
    assert sought.phrases("a cat, the  red\tdog,,\na cat") == ["a cat", "the red dog"]
    assert sought.phrases(" ,\n") == sought.phrases(None) == []
