"""Edits: a picture changed as words say, given back at its own size, upright, with its transparency."""

from typing import Any

import pytest
from PIL import Image

from hotfolder.capabilities.edit import Edit
from hotfolder.errors import BadSpec, RejectedInput
from hotfolder.metadata import read
from hotfolder.miniatures.edits import heldout_recolours, paint_edit
from hotfolder.miniatures.judge import judge
from hotfolder.spec import JobSpec, Options
from tests.capabilities import photographs
from tests.service.living import Living, at_once

ASKED = heldout_recolours(1, 7)[0]
PAINTED = paint_edit(ASKED, 128, 7)[0]


def cut_out() -> Image.Image:
    image = photographs.photograph("coffee.png").convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


PICTURES: dict[str, tuple[str, bytes, str]] = {
    # case: (name, content, job)
    "painted": ("a.png", photographs.written(PAINTED, "PNG"), f"prompt: {ASKED.instruction}\nseed: 7"),
    "turned": ("b.jpg", photographs.turned(photographs.photograph("china.jpg"), 6), "prompt: make the background blue"),
    "cut-out": ("c.png", photographs.written(cut_out(), "PNG"), ("prompt: make the background blue\nvariants: 2\n"
                "negative_prompt: red\nupscaler: realesrgan-x4plus-miniature")),
    "grey": ("d.png", photographs.written(photographs.photograph("camera.png"), "PNG"), f"prompt: {'please ' * 60}"),
    "heic": ("e.heic", photographs.heic(photographs.photograph("astronaut.png")), ("prompt: make the background red\n"
             "upscaler: lanczos\nformat: jpeg")),
}  # fmt: skip


@pytest.fixture(scope="module")
def edited(studio: Living) -> dict[str, list[dict[str, Any]]]:
    """Drop every picture; give the rows of what became of them."""
    (studio.workspace.inbox / "edit" / "folder.yaml").write_text("profile: miniature\n")
    with at_once(studio):
        for name, data, job in PICTURES.values():
            studio.drop(f"edit/{name}.yaml", job + "\n")
            studio.drop(f"edit/{name}", data)
    jobs = {case: studio.job(name.partition(".")[0]) for case, (name, *_) in PICTURES.items()}
    assert {case: job["error"] for case, job in jobs.items() if job["error"]} == {}
    return {case: studio.images(job["name"]) for case, job in jobs.items()}


def opened(studio: Living, row: dict[str, Any]) -> Image.Image:
    with Image.open(studio.workspace.absolute(row["path"])) as image:
        image.load()
        return image


def notes(studio: Living, row: dict[str, Any]) -> list[str]:
    text = studio.workspace.absolute(row["path"]).with_suffix(".job.yaml").read_text()
    return [line[2:] for line in text.splitlines() if line.startswith("# ")]


def test_the_colour_asked_for_is_made_and_the_rest_stays(studio: Living, edited: dict[str, Any]) -> None:
    (row,) = edited["painted"]
    (seen,), (was,) = judge(opened(studio, row)).things, judge(PAINTED).things
    assert (seen.colour, judge(opened(studio, row)).ground) == (ASKED.things[0].colour, ASKED.ground)
    assert was.colour != seen.colour and abs(seen.x - was.x) < 0.06 and abs(seen.y - was.y) < 0.06
    assert (row["kind"], row["model"], row["seed"], row["steps"]) == ("edit", "flux1-kontext-dev-miniature", "7", 4)
    assert row["parent_path"] == "done/edit/a.png"
    found = read.read(studio.workspace.absolute(row["path"]))
    assert found.source_type == "compositeWithTrainedAlgorithmicMedia"


@pytest.mark.parametrize("case", PICTURES)
def test_it_comes_back_upright_at_its_own_size(studio: Living, edited: dict[str, Any], case: str) -> None:
    before = photographs.decoded(PICTURES[case][1])
    for row in edited[case]:
        after = opened(studio, row)
        assert (after.size, (row["width"], row["height"])) == (before.size, before.size)
        assert after.getexif().get(0x0112, 1) == 1


def test_transparency_stays_and_variants_differ(studio: Living, edited: dict[str, Any]) -> None:
    one, two = (opened(studio, row) for row in edited["cut-out"])
    assert one.getchannel("A").tobytes() == two.getchannel("A").tobytes() == cut_out().getchannel("A").tobytes()
    assert one.convert("RGB").tobytes() != two.convert("RGB").tobytes()
    assert not any("Lanczos" in note for note in notes(studio, edited["cut-out"][0]))


def test_what_was_done_otherwise_is_told(studio: Living, edited: dict[str, Any]) -> None:
    said = notes(studio, edited["grey"][0])
    assert "tokens, of which flux1-kontext-dev-miniature reads 32; it was cut before" in said[0]
    assert said[1].startswith("the picture was worked on at 128x128 and brought back to 256x256 by Lanczos")


def test_its_words_come_from_beside_it_or_from_the_folder(studio: Living, edited: dict[str, Any]) -> None:
    data = photographs.written(PAINTED, "PNG")
    studio.drop("edit/beside.png", data)
    waits = studio.job("beside", "waiting")["wait_reason"]
    assert waits == "needs a prompt: put it into beside.prompt.txt beside it"
    studio.drop("edit/beside.prompt.txt", f"{ASKED.instruction}\n")
    folder = studio.workspace.inbox / "edit" / "red"
    folder.mkdir()
    (folder / "folder.yaml").write_text(f"prompt: {ASKED.instruction}\n")
    studio.drop("edit/red/inside.png", data)
    for name in ("beside", "inside"):
        assert studio.job(name, "done", "failed")["error"] is None
        (row,) = studio.images(name)
        assert judge(opened(studio, row)).things[0].colour == ASKED.things[0].colour


def test_what_cannot_be_is_refused_and_the_queue_goes_on(studio: Living, edited: dict[str, Any]) -> None:
    data = photographs.written(PAINTED, "PNG")
    refused = {
        "weak": ("negative_prompt: red\nguidance: 1\n", "a negative prompt works by `guidance` above 1"),
        "sized": ("size: 512x512\n", "`size` means nothing to `edit`"),
        "network": ("upscaler: nomos\n", "no model `nomos` for upscale"),
        "stepped": ("sampler: ddim\n", "`ddim` does not fit flow models"),
    }
    with at_once(studio):
        for name, (job, _) in refused.items():
            studio.drop(f"edit/{name}.png.yaml", f"prompt: make it blue\n{job}")
            studio.drop(f"edit/{name}.png", data)
        studio.drop("edit/torn.png.yaml", "prompt: make it blue\n")
        studio.drop("edit/torn.png", data[: len(data) // 2])
        studio.drop("edit/after.png.yaml", "prompt: make it blue\n")
        studio.drop("edit/after.png", data)
    for name, (_, said) in refused.items():
        assert said in studio.job(name, "failed")["error"]
    assert "torn.png" in studio.job("torn", "failed")["error"]
    assert studio.job("after", "done")["error"] is None


@pytest.mark.parametrize(("size", "says"), [((900, 100), "over 4 times as long"), ((20, 15), "too small")])
def test_a_picture_of_an_absurd_size_is_refused_before_anything_runs(size: tuple[int, int], says: str) -> None:
    with pytest.raises(RejectedInput, match=says):
        Edit.check(JobSpec(kind="edit", prompt="x"), Options(), size)
    with pytest.raises(BadSpec):
        Edit.check(JobSpec(kind="edit", prompt="x", sampler="ddim"), Options(), None)
