"""Detections: labels and boxes as JSON, rows, keywords, and drawn over the picture, whose pixels stay untouched."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageChops

from hotfolder.capabilities.base import Context, Result, variant_of
from hotfolder.capabilities.detect import Detect
from hotfolder.errors import RejectedInput
from hotfolder.images import overlays
from hotfolder.metadata import read
from hotfolder.miniatures.measure_detector import overlap
from hotfolder.miniatures.world import Scene, Thing, paint
from hotfolder.models.profile import choose
from hotfolder.spec import JobSpec, Planned
from tests.capabilities import photographs
from tests.service.living import Living, at_once

SCENE = Scene("yellow", (Thing("purple", "tree"), Thing("red", "circle")), "left of")
PAINTING = paint(SCENE, 160)
TREE, CIRCLE = PAINTING.boxes
JOBS = {
    "both": ("both.jpg", photographs.written(PAINTING.image, "JPEG", quality=92), "tags: [street]"),
    "turned": ("turned.jpg", photographs.turned(PAINTING.image, 6), ""),
    "words": ("words.png", photographs.written(PAINTING.image, "PNG"), "prompt: circle, star"),
    "nothing": ("nothing.png", photographs.written(Image.new("RGB", (90, 60), "white"), "PNG"), "threshold: 1"),
}


@pytest.fixture(scope="module")
def detected(studio: Living) -> dict[str, dict[str, Any]]:
    """Drop every picture; give the rows of what became of them."""
    (studio.workspace.inbox / "detect").mkdir(exist_ok=True)
    (studio.workspace.inbox / "detect" / "folder.yaml").write_text("profile: miniature\n")
    with at_once(studio):
        for name, data, job in JOBS.values():
            if job:
                studio.drop(f"detect/{name}.yaml", job + "\n")
            studio.drop(f"detect/{name}", data)
    jobs = {case: studio.job(case) for case in JOBS}
    assert {case: job["error"] for case, job in jobs.items() if job["error"]} == {}
    return {case: studio.images(case)[0] for case in JOBS}


def found(studio: Living, row: dict[str, Any]) -> Any:
    return json.loads(studio.workspace.absolute(row["path"]).with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", ["both", "turned"])
def test_things_are_in_the_json_in_the_rows_and_among_the_keywords(
    studio: Living, detected: dict[str, dict[str, Any]], case: str
) -> None:
    row, told = detected[case], found(studio, detected[case])
    assert (told["width"], told["height"], told["model"]) == (160, 160, "detr-resnet-50-miniature")
    things = {one["label"]: one for one in told["detections"]}
    assert set(things) == {"tree", "circle"}
    assert overlap(things["tree"]["box"], TREE) > 0.6 and overlap(things["circle"]["box"], CIRCLE) > 0.6, "upright"
    rows = studio.rows("select * from detections where image_path=? order by score desc", row["path"])
    assert [one["label"] for one in rows] == [one["label"] for one in told["detections"]]
    path = studio.workspace.absolute(row["path"])
    own = ("street",) if case == "both" else ()
    assert set(read.read(path).tags) == {*own, "tree", "circle"}
    with Image.open(path) as after, Image.open(studio.root / row["parent_path"]) as before:
        assert after.tobytes() == before.tobytes(), "its pixels are untouched"
    with Image.open(path.with_suffix(".overlay.png")) as overlay:
        assert overlay.size == (160, 160)
        assert ImageChops.difference(overlay.convert("RGB"), PAINTING.image).crop(TREE).getbbox()


def test_words_are_looked_for_alone_and_what_is_missed_is_told(
    studio: Living, detected: dict[str, dict[str, Any]]
) -> None:
    row = detected["words"]
    assert {one["label"] for one in found(studio, row)["detections"]} == {"circle"}
    job = studio.workspace.absolute(row["path"]).with_suffix(".job.yaml").read_text()
    assert "# found no `star`; best score 0." in job and "prompt: circle, star" in job


def test_a_picture_of_nothing_known_is_done(studio: Living, detected: dict[str, dict[str, Any]]) -> None:
    assert found(studio, detected["nothing"])["detections"] == []
    assert detected["nothing"]["tags"] is None


def test_words_found_nowhere_and_words_not_known_fail(studio: Living, detected: dict[str, dict[str, Any]]) -> None:
    data = photographs.written(PAINTING.image, "PNG")
    refused = {
        "star": ("prompt: star, heart", "found no `star`; best score 0."),
        "dragon": ("prompt: dragon", "detr-resnet-50-miniature knows 7 labels, and `dragon` is none of them"),
        "wordless": ("prompt: ','", "has no words to look for"),
        "detect form": ("format: png", "`format` means nothing to `detect`"),
        "real": ("prompt: dragon\nprofile: auto", "owlv2-base-patch16-ensemble"),
    }
    with at_once(studio):
        for name, (job, _) in refused.items():
            studio.drop(f"detect/{name}.png.yaml", job + "\n")
            studio.drop(f"detect/{name}.png", data)
    for name, (_, said) in refused.items():
        row = studio.job(name, "failed", "waiting")
        assert (row["state"] == "waiting") is (name == "real")
        assert said in (row["error"] or row["wait_reason"])


def test_photographs(studio: Living, detected: dict[str, dict[str, Any]]) -> None:
    """The miniature sees its shapes in them, wherever; every box lies inside the upright picture."""
    china, grey = photographs.photograph("china.jpg"), photographs.photograph("camera.png")
    clear = photographs.photograph("astronaut.png").convert("RGBA")
    clear.putalpha(clear.getchannel("R"))
    pictures = {
        "found-china.jpg": (photographs.turned(china, 8), china.size),
        "found-camera.png": (photographs.written(grey, "PNG"), grey.size),
        "found-clear.png": (photographs.written(clear, "PNG"), clear.size),
    }
    with at_once(studio):
        for name, (data, _) in pictures.items():
            studio.drop(f"detect/{name}.yaml", "threshold: 0.01\n")
            studio.drop(f"detect/{name}", data)
    for name, (_, (width, height)) in pictures.items():
        stem = name.partition(".")[0]
        assert studio.job(stem)["error"] is None
        (row,) = studio.images(stem)
        told = found(studio, row)
        assert (told["width"], told["height"]) == (width, height) == (row["width"], row["height"])
        assert told["detections"]
        for one in told["detections"]:
            left, top, right, bottom = one["box"]
            assert 0 <= left < right <= width and 0 <= top < bottom <= height


GUESSES = [
    ("cat", 0.95, (10.0, 10.0, 60.0, 40.0)),
    ("cat", 0.9, (-20.0, 5.0, 30.04, 300.0)),
    ("fog", 0.6, (120.0, 10.0, 150.0, 20.0)),  # beyond the picture
    ("hat", 0.3, (1.0, 1.0, 5.0, 5.0)),
]


class _Finding:
    """Has its guesses, whatever it is shown."""

    entry = SimpleNamespace(defaults=SimpleNamespace(threshold=0.5))

    def detect(self, image: Image.Image, words: Sequence[str]) -> list[Any]:
        return [one for one in GUESSES if not words or one[0] in words]

    def attempt(self, name: str, work: Callable[[Any], Any]) -> Any:
        return work(self)


def run(prompt: str | None = None, size: tuple[int, int] = (100, 80), **options: Any) -> Result:
    spec = JobSpec(kind="detect", prompt=prompt, options=options)
    planned = (Planned(prompt=prompt, seed=0, seed_locked=False),)
    image = Image.new("RGB", size, "white")
    context = Context(spec, Detect.Options(**options), planned, "m", _Finding(), lambda *_: None, image)
    (result,) = Detect().run(context)
    return result


def test_boxes_end_where_the_picture_ends() -> None:
    result = run()
    assert [(one.label, one.score, one.box) for one in result.detections] == [
        ("cat", 0.95, (10.0, 10.0, 60.0, 40.0)),
        ("cat", 0.9, (0.0, 5.0, 30.0, 80.0)),
    ]
    assert result.image is None and result.facts["tags"] == ("cat",)


def test_threshold_and_max() -> None:
    assert [one.label for one in run(threshold=0.2).detections] == ["cat", "cat", "hat"]
    assert [one.score for one in run(threshold=0.2, max=1).detections] == [0.95]
    assert run("cat, hat").facts["notes"] == ("found no `hat`; best score 0.30",)
    with pytest.raises(RejectedInput, match=r"^found no `hat`; best score 0\.30; found no `owl`; best score 0\.00$"):
        run("hat, owl")


def test_an_overlay_is_no_larger_than_a_screen() -> None:
    large = Image.new("RGBA", (6000, 3000), (0, 0, 0, 0))
    drawn = overlays.boxes(large, [("a long label at the edge", 0.5, (5900.0, 0.0, 6000.0, 3000.0))])
    assert (drawn.mode, drawn.size) == ("RGB", (2048, 1024))
    assert drawn.getpixel((5, 5)) == (255, 255, 255), "what is transparent is white"
    assert drawn.getpixel((2014, 500)) == overlays.COLOURS[0]


def test_a_ribbon_is_looked_at_as_well(studio: Living, detected: dict[str, dict[str, Any]]) -> None:
    with at_once(studio):
        for name, size in (("wide", (6000, 1)), ("high", (1, 6000))):
            studio.drop(f"detect/{name}.png.yaml", "threshold: 0\nmax: 3\n")
            studio.drop(f"detect/{name}.png", photographs.written(Image.new("RGB", size, "white"), "PNG"))
    for name, size in (("wide", (2048, 1)), ("high", (1, 2048))):
        assert studio.job(name)["error"] is None
        with Image.open(studio.workspace.absolute(studio.images(name)[0]["path"]).with_suffix(".overlay.png")) as seen:
            assert seen.size == size


def test_words_are_for_the_model_that_reads_them(tmp_path: Path) -> None:
    def chosen(**job: Any) -> str:
        spec = JobSpec(kind="detect", **job)
        found = choose(spec, "auto", tmp_path, tmp_path / "models", "x", False, variant_of(spec))
        assert found
        return found.entry.name

    assert chosen() == "detr-resnet-50"
    assert chosen(prompt="a red umbrella") == "owlv2-base-patch16-ensemble"
    assert chosen(prompt="person", model="detr-resnet-50") == "detr-resnet-50"
