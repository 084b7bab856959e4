"""A living service fetches what a job lacks: the job waits and says so, the queue goes on, a kill loses no byte.

The hub is the test's own; its "blip-large" is the shipped miniature, the same classes in the same files.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotfolder import miniatures
from hotfolder.models.entries import entries
from tests.models import hubserver
from tests.models.hubserver import COMMIT, Hub, digest
from tests.service.living import Living, command_line, picture, poll, processes

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes as Linux shows them")


def published() -> dict[str, bytes]:
    """Return the files of the published model, with what the miniature has in them."""
    folder = miniatures.path("blip-large")
    words = json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"]
    made = {"vocab.txt": "\n".join(sorted(words, key=words.get)).encode(), "special_tokens_map.json": b"{}"}
    return {
        name: made[name] if name in made else (folder / name).read_bytes() for name in entries()["blip-large"].files
    }


@pytest.fixture
def hub() -> Iterator[Hub]:
    repo = entries()["blip-large"].repo
    assert repo
    yield from hubserver.serving(Hub({repo: published()}, pace=threading.Event()))


@pytest.mark.slow
def test_a_job_waits_for_its_weights_and_runs_when_they_are_here(place: Living, hub: Hub, tmp_path: Path) -> None:
    surroundings = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": ""}
    weights = published()["model.safetensors"]
    place.start(**surroundings)
    place.drop("caption/photo.png", picture(64, 64))

    def reason() -> str:
        return next((row["wait_reason"] for row in place.status().waiting if row["name"] == "photo"), "")

    poll(lambda: reason() == "fetching blip-large, 1.0 of 2.0 MB", "progress")
    assert place.status().fetching == reason()
    assert place.rows("select wait_reason from jobs")[0]["wait_reason"] == "fetching blip-large (1.9 GB)"
    place.drop("upscale/other.png", picture())
    place.job("other", "done")
    assert place.process
    (process,) = processes(place.process.pid, "hotfolder.models.fetching")

    place.end(9)
    poll(lambda: not command_line(process), "end of the fetching process")
    part = next((tmp_path / "home").rglob("*.part"))
    begun = part.stat().st_size
    assert 950_000 <= begun < len(weights), "what was told as 1.0 MB is here"
    assert hub.pace
    hub.pace.set()
    asked = len(hub.asked)
    place.start(**surroundings)
    place.job("photo", "done")
    assert place.images("photo")[0]["caption"]
    again = [wanted for path, wanted, _ in hub.asked[asked:] if path.endswith(digest(weights))]
    assert again == [f"bytes={begun}-"]
    (row,) = place.rows("select * from models where name='blip-large'")
    assert (row["family"], row["licence"]) == ("blip", "BSD-3-Clause")
    assert os.path.basename(row["path"]) == COMMIT
    assert place.end() == 0
    assert "Traceback" not in place.told()


def test_what_cannot_be_had_is_said_and_named_at_the_end(place: Living, hub: Hub, tmp_path: Path) -> None:
    hub.answers = {"/api/": [403]}
    place.drop("caption/photo.png", picture(64, 64))
    done = place.once(HF_ENDPOINT=hub.endpoint, HF_HOME=str(tmp_path / "home"), HF_HUB_OFFLINE="")
    assert "photo: waits: " in done.stdout
    assert "does not let you have it (HTTP 403)" in done.stdout
    assert "it is tried again by itself" in done.stdout
    assert done.returncode == 0
