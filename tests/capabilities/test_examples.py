"""Every example in jobs/ runs, all through one service, on the models that ship: those know shapes up to 256 pixels."""

from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from hotfolder import demo
from hotfolder.catalog import queue
from hotfolder.miniatures import world
from tests.service.living import ROOT, Living, living, poll

EXAMPLES = sorted(path.stem for path in (ROOT / "jobs").glob("*.yaml"))
STAND_INS = {
    "1024x768": "128x96",
    "512x512": "96x96",
    "a person, a dog": "the house",
    "prompt: the knight": "prompt: the square",
    "a knight in a storm, oil painting": "a large red square on a white background",
}
"""What the shipped models can neither draw nor find, and what they get for it."""
PHOTO = world.Scene("white", (world.Thing("red", "house", "large"),))


def written(example: str) -> str:
    text = (ROOT / "jobs" / f"{example}.yaml").read_text()
    for theirs, ours in STAND_INS.items():
        text = text.replace(theirs, ours)
    return text


def put(place: Living, example: str) -> None:
    """Drop an example as its first lines say: beside photo.png, or alone."""
    folder = place.workspace.inbox / example
    folder.mkdir(exist_ok=True)
    if "photo.png" not in written(example).split("kind:")[0] and example != "sheet":
        place.drop(f"{example}/{example}.yaml", written(example))
        return
    says = PngInfo()
    says.add_text("parameters", demo.THEIRS)
    if example == "inpaint":
        mask = Image.new("L", (128, 128))
        ImageDraw.Draw(mask).ellipse((40, 40, 90, 90), fill=255)
        mask.save(folder / "photo.mask.png")
    place.drop(f"{example}/{'sheet' if example == 'sheet' else 'photo.png'}.yaml", written(example))
    world.paint(PHOTO).image.save(folder / "photo.png", pnginfo=says)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A service that works on all examples at once."""
    for place in living(tmp_path_factory.mktemp("examples") / "w", "profile: miniature\n"):
        for example in EXAMPLES:
            put(place, example)
        yield place.start()
        assert "Traceback" not in place.told()


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(running: Living, example: str) -> None:
    def ended() -> list[dict[str, Any]]:
        jobs = running.rows("select name, state, error from jobs where hot_folder=?", example)
        return jobs if all(job["state"] in queue.ENDED for job in jobs) else []

    jobs = poll(ended, f"end of {example}", 170)
    assert [job for job in jobs if job["state"] != "done"] == []
    assert list((running.workspace.outbox / example).rglob("*.job.yaml"))
    assert (ROOT / "jobs" / f"{example}.yaml").read_text().startswith("# "), "it says what it is"
