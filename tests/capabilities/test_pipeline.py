"""Chains through real models, the small ones that ship: what a step makes is what the next one gets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotfolder import yamlfile
from hotfolder.intake import language
from hotfolder.metadata import read
from hotfolder.miniatures import world
from tests.service.living import Living, hotfolder, living

SCENE = world.Scene("white", (world.Thing("red", "house"),))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A workspace in which chains have run to their end."""
    for place in living(tmp_path_factory.mktemp("chains") / "w", "profile: miniature\n"):
        inbox = place.workspace.inbox
        world.paint(SCENE).image.save(inbox / "pipeline" / "house.png")
        place.drop(
            "pipeline/house.png.yaml", "pipeline: [{kind: caption}, {kind: t2i, seed: 7}, {kind: resize, factor: 2}]"
        )
        place.drop("pipeline/line.txt", "[generate|outlines] a blue circle\n[blip]\n")
        place.drop(
            "web/folder.yaml", "format: webp\npipeline: [{kind: upscale, model: lanczos, factor: 2}, {kind: caption}]"
        )
        world.paint(SCENE).image.save(inbox / "web" / "small.png")
        done = place.once()
        assert done.returncode == 0, done.stdout
        yield place


def one(place: Living, name: str) -> dict[str, Any]:
    (row,) = place.images(name)
    return row


def test_a_caption_becomes_the_prompt_of_a_new_picture_and_that_is_enlarged(ran: Living) -> None:
    caption, new, larger = (one(ran, name) for name in ("house.1-caption", "house.2-generate", "house"))
    assert caption["parent_path"] == "done/pipeline/house.png"
    assert new["prompt"] == caption["caption"] and "red" in new["prompt"] and "house" in new["prompt"]
    assert new["parent_path"] is None, "made from the words alone"
    assert (larger["parent_path"], larger["width"]) == (new["path"], 2 * new["width"])
    text = ran.workspace.absolute(new["path"]).with_name("house.2-generate.job.yaml").read_text()
    (document,) = yamlfile.parse(text.encode(), "x.yaml")
    assert (spec := language.resolve([document], None)).prompt == caption["caption"] and spec.seed == 7


def test_a_line_names_a_lora_for_its_step(ran: Living) -> None:
    assert '"outlines"' in one(ran, "line.1-generate")["loras"]
    assert one(ran, "line")["parent_path"] == one(ran, "line.1-generate")["path"]


def test_a_folders_own_chain_keeps_formats_to_its_end(ran: Living) -> None:
    larger = one(ran, "small.1-upscale")
    assert larger["format"] == "png", "the last step's format is that of the chain"
    assert (larger["width"], one(ran, "small")["width"]) == (256, 256)
    assert larger["path"].startswith("outbox/web/")


def test_a_picture_names_the_jobs_behind_it(ran: Living) -> None:
    found = read.read(ran.workspace.absolute(one(ran, "line")["path"]))
    assert found.job and found.job["kind"] == "caption"
    (before,) = found.record["history"]
    assert (before["kind"], before["prompt"]) == ("generate", "a blue circle")


def test_check_shows_a_chain_and_what_it_would_wait_for(ran: Living, tmp_path: Path) -> None:
    file = ran.root / "jobs" / "x.txt"
    file.write_text("[generate] a fox\n[upscale]\n")
    shown = hotfolder(ran.root, "check", str(file))
    assert shown.returncode == 0, shown.stderr
    assert "as things are" not in shown.stdout and "- kind: upscale" in shown.stdout
    shown = hotfolder(ran.root, "--profile", "quality", "check", str(file))
    assert "# as things are: step 1 of 2, generate: " in shown.stdout
