"""Photographs as cameras and editors write them, through every kind: upright, of the right size, with their alpha.

What enlarging makes of each of them stands in test_upscale.py; here every kind gets the forms that its own tests lack.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hotfolder import images
from tests.capabilities import photographs
from tests.service.living import Living, at_once

PHOTO = photographs.photograph("china.jpg").crop((0, 8, 320, 208)).resize((160, 100))
"""A light sky above dark roofs: which way is up shows in its greys."""

SIZE = PHOTO.size


def ellipse(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((0.3 * size[0], 0.2 * size[1], 0.7 * size[0], 0.7 * size[1]), fill=255)
    return mask


def soft() -> Image.Image:
    picture = PHOTO.convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(SIZE).point([127 + grey // 2 for grey in range(256)]))
    return picture


def palette() -> bytes:
    """Return a picture of 32 colours, the rarest of them transparent."""
    few = PHOTO.quantize(32)
    rarest = min(few.getcolors(), key=lambda one: one[0])[1]
    return photographs.written(few, "PNG", transparency=rarest)


FORMS: dict[str, tuple[str, bytes, str]] = {
    # form: (ending, content, mode once decoded)
    "left": ("jpg", photographs.turned(PHOTO, 6), "RGB"),
    "right": ("jpg", photographs.turned(PHOTO, 8), "RGB"),
    "deep": ("png", photographs.sixteen_bits(PHOTO), "RGB"),
    "print": ("jpg", photographs.written(PHOTO.convert("CMYK"), "JPEG", quality=95), "RGB"),
    "phone": ("heic", photographs.heic(PHOTO), "RGB"),
    "soft": ("png", photographs.written(soft(), "PNG"), "RGBA"),
    "grey": ("png", photographs.written(PHOTO.convert("L"), "PNG"), "L"),
    "palette": ("png", palette(), "RGBA"),
}
KINDS: dict[str, tuple[str, str, str]] = {
    # kind: (folder, job, forms)
    "edit": ("edit", "prompt: make the background blue\nsteps: 1", "right print palette"),
    "inpaint": ("inpaint", "prompt: a red circle\nsteps: 1", "print phone palette"),
    "outpaint": ("outpaint", "prompt: a meadow\nsteps: 1\nextend: {left: 16, top: 10}\ntransparent: keep",
                 "left phone palette"),
    "mask": ("mask", "prompt: a circle\nthreshold: 0\nsoft: true", "right deep print palette"),
    "detect": ("detect", "threshold: 0\nmax: 5", "left deep print phone"),
    "cutout": ("cutout", "", "right print grey palette"),
    "fast": ("caption", "existing: overwrite", "right deep print phone"),
    "objects": ("caption", "existing: overwrite\nmode: deep\nobjects: true\nmax_tokens: 8", "left print soft"),
    "begun": ("generate", "prompt: x\nseed: 3\nsize: 160x96\nsteps: 4\nstrength: 0.25", "left right soft"),
    "chain": ("pipeline", ("pipeline: [{kind: cutout}, {kind: outpaint, transparent: keep, prompt: x, steps: 1, "
              "extend: {right: 20}}, {kind: upscale, model: lanczos, factor: 2}]"), "left phone soft grey"),
}  # fmt: skip
CASES = [(kind, form) for kind, (_, _, forms) in KINDS.items() for form in forms.split()]


Made = Callable[[str, str], Path]
Own = Callable[[str], Image.Image]


@pytest.fixture(scope="module")
def made(studio: Living) -> Made:
    """Drop the photographs of a kind when the first of them is asked for; wait for the picture that one becomes."""

    @functools.cache
    def drop(kind: str) -> None:
        folder, job, forms = KINDS[kind]
        with at_once(studio):
            for form in forms.split():
                ending, data, _ = FORMS[form]
                name = f"{folder}/photo-{kind}-{form}"
                if kind == "inpaint":
                    studio.drop(f"{name}.mask.png", photographs.written(ellipse(SIZE), "PNG"))
                studio.drop(f"{name}.{ending}.yaml", f"profile: miniature\n{job}\n")
                studio.drop(f"{name}.{ending}", data)

    def made(kind: str, form: str) -> Path:
        drop(kind)
        job = studio.job(f"photo-{kind}-{form}")
        assert job["state"] == "done", job["error"]
        (row,) = studio.rows("select path from images where job_id=?", job["id"])
        return studio.workspace.absolute(row["path"])

    return made


def opened(path: Path) -> Image.Image:
    """Return a picture as it is stored, without any turn."""
    with Image.open(path) as image:
        image.load()
        assert image.getexif().get(0x0112, 1) == 1, "upright pixels, and nothing that says to turn them"
        return image


def upright(image: Image.Image) -> bool:
    """Say whether a picture shows the photograph, and not a turned one."""
    seen, head = (np.asarray(images.on_white(one).convert("L").resize((16, 10)), float) for one in (image, PHOTO))
    likeness = [np.corrcoef(one.ravel(), head.ravel())[0, 1] for one in (seen, seen[::-1, ::-1])]
    return bool(likeness[0] > 0.3 and likeness[0] > likeness[1] + 0.3)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    """Decode a form as hotfolder does: the right way up, of the right mode, and what a plain viewer shows."""
    folder = tmp_path_factory.mktemp("own")

    def own(form: str) -> Image.Image:
        ending, data, mode = FORMS[form]
        path = folder / f"{form}.{ending}"
        path.write_bytes(data)
        image = images.open_picture(path, 10**6).image
        assert (image.mode, image.size) == (mode, SIZE) and upright(image)
        mean, _ = photographs.difference(image, photographs.decoded(data))
        assert mean <= 0.6
        return image

    return own


def overlap(one: list[float], other: list[float]) -> float:
    """Return intersection over union of two boxes."""
    wide, high = (min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis]) for axis in (0, 1))
    both = max(wide, 0) * max(high, 0)
    return both / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both)


def of(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("form", KINDS[kind][2].split())


@of("edit")
def test_edit(made: Made, own: Own, form: str) -> None:
    before, after = own(form), opened(made("edit", form))
    assert after.size == SIZE and upright(after)
    assert after.mode == ("RGBA" if before.mode == "RGBA" else "RGB")
    if before.mode == "RGBA":
        assert after.getchannel("A").tobytes() == before.getchannel("A").tobytes()


@of("inpaint")
def test_inpaint(made: Made, own: Own, form: str) -> None:
    before, after = own(form), opened(made("inpaint", form))
    assert (after.mode, after.size) == (before.mode, SIZE)
    change = np.asarray(opened(made("inpaint", form).with_suffix(".mask.png")))
    assert np.array_equal(np.asarray(after)[change == 0], np.asarray(before)[change == 0])
    assert not np.array_equal(np.asarray(after)[change == 255], np.asarray(before)[change == 255])
    assert (np.asarray(ellipse(SIZE)) <= change).all(), "the mask lies where it was drawn"


@of("outpaint")
def test_outpaint(made: Made, own: Own, form: str) -> None:
    before, after = own(form), opened(made("outpaint", form))
    assert (after.mode, after.size) == (before.mode, (SIZE[0] + 16, SIZE[1] + 10))
    assert after.crop((16, 10, *after.size)).tobytes() == before.tobytes()


@of("mask")
def test_mask(made: Made, form: str) -> None:
    mask, overlay = (opened(path) for path in (made("mask", form), made("mask", form).with_suffix(".overlay.png")))
    assert (mask.mode, mask.size, overlay.mode, overlay.size) == ("L", SIZE, "RGB", SIZE)


@of("detect")
def test_detect(made: Made, form: str) -> None:
    copy, data = made("detect", form), FORMS[form][1]
    assert photographs.decoded(copy.read_bytes()).tobytes() == photographs.decoded(data).tobytes()
    told = json.loads(copy.with_suffix(".json").read_text())
    assert (told["width"], told["height"]) == SIZE
    assert 1 <= len(told["detections"]) <= 5
    for one in told["detections"]:
        left, top, right, bottom = one["box"]
        assert 0 <= left < right <= SIZE[0] and 0 <= top < bottom <= SIZE[1]
    plain = json.loads(made("detect", "deep").with_suffix(".json").read_text())
    assert overlap(told["detections"][0]["box"], plain["detections"][0]["box"]) > 0.5, "in the same place, not turned"
    overlay = opened(copy.with_suffix(".overlay.png"))
    assert overlay.size == SIZE and upright(overlay)


@of("cutout")
def test_cutout(made: Made, own: Own, form: str) -> None:
    before, after = own(form), opened(made("cutout", form))
    assert (after.mode, after.size) == ("RGBA", SIZE)
    colours = images.on_white(before).convert("RGB")
    assert after.convert("RGB").tobytes() == colours.tobytes(), "no colour is changed, none is turned"
    assert after.getchannel("A").getextrema()[1] > 0
    if before.mode == "RGBA":
        assert (np.asarray(after)[..., 3] <= np.asarray(before)[..., 3]).all()


@pytest.mark.parametrize(("kind", "form"), [case for case in CASES if case[0] in ("fast", "objects")])
def test_caption(studio: Living, made: Made, kind: str, form: str) -> None:
    copy, (ending, data, _) = made(kind, form), FORMS[form]
    assert copy.suffix == f".{ending}"
    assert photographs.decoded(copy.read_bytes()).tobytes() == photographs.decoded(data).tobytes()
    assert len(copy.with_suffix(".txt").read_text()) > 3
    (row,) = studio.images(f"photo-{kind}-{form}")
    assert (row["width"], row["height"]) == SIZE


@of("begun")
def test_a_picture_begun_from_a_photograph(made: Made, form: str) -> None:
    after = opened(made("begun", form))
    assert (after.mode, after.size) == ("RGB", (160, 96)) and upright(after)


def test_such_a_picture_is_made_again_and_varied(studio: Living, made: Made) -> None:
    begun = made("begun", "left")
    for kind in ("rerun", "vary"):
        with at_once(studio):
            studio.drop(f"{kind}/photo-{kind}.png.yaml", "profile: miniature\nvariants: 1\n")
            studio.drop(f"{kind}/photo-{kind}.png", begun.read_bytes())
        assert studio.job(f"photo-{kind}", deadline_s=240)["error"] is None
        (row,) = studio.images(f"photo-{kind}")
        after = opened(studio.workspace.absolute(row["path"]))
        assert (after.mode, after.size) == ("RGB", (160, 96)) and upright(after)
        assert after.tobytes() != opened(begun).tobytes()
        assert row["parent_path"] == "done/generate/photo-begun-left.jpg"


@of("chain")
def test_a_chain(made: Made, own: Own, form: str) -> None:
    before, after = own(form), opened(made("chain", form))
    assert (after.mode, after.size) == ("RGBA", (2 * SIZE[0] + 40, 2 * SIZE[1]))
    inner = after.resize((SIZE[0] + 20, SIZE[1]), Image.Resampling.BOX)
    alpha = np.asarray(inner.getchannel("A"), int)
    assert alpha[:, SIZE[0] + 4 :].min() == 255, "what was added is opaque"
    if before.mode == "RGBA":
        over = alpha[:, : SIZE[0] - 4] - np.asarray(before, int)[:, : SIZE[0] - 4, 3]
        assert over.max() <= 8, "as transparent as it was, but for what Lanczos rings"
    there = alpha[:, : SIZE[0]] > 60
    apart = np.asarray(inner.convert("RGB"), int)[:, : SIZE[0]] - np.asarray(
        images.on_white(before).convert("RGB"), int
    )
    assert there.any() and np.abs(apart[there]).mean() < 8
