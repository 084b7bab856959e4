"""One service with FLUX weights, small ones, for all tests of what capabilities make: torch is loaded once."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.service import tiny
from tests.service.living import Living, living, poll

PRESET = "size: 64x48\n"
STUDIO: list[Living] = []
LATE = "transformer/diffusion_pytorch_model.safetensors"


@dataclass
class Early:
    """A job dropped before its weights were there: why it waited, at first and while they were being copied."""

    rows: list[dict[str, object]] = field(default_factory=list)
    was_in_inbox: bool = False


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    for one in living(tmp_path_factory.mktemp("studio") / "w"):
        (one.workspace.inbox / "generate" / "folder.yaml").write_text(PRESET)
        (one.workspace.wildcards / "animal.txt").write_text("cat\ndog\nowl\nfox\nbear\n")
        STUDIO.append(one)
        yield one.start(HF_HOME=str(one.root / "no-cache"))
        assert one.end() == 0
        assert "Traceback" not in one.told()


@pytest.fixture(scope="module", autouse=True)
def own_jobs() -> None:
    """Each file of tests sees its own jobs alone, for others may have the same names."""
    for one in STUDIO:
        one.since = one.rows("select coalesce(max(id), 0) since from jobs")[0]["since"]


@pytest.fixture(scope="session")
def early(studio: Living) -> Early:
    """Let the weights arrive as a slow copy brings them, while a job waits for them."""
    found = Early()
    waiting = studio.drop("generate/early.yaml", "prompt: x\n")
    found.rows.append(studio.job("early", "waiting"))
    found.was_in_inbox = waiting.is_file()
    place, aside = studio.workspace.models / "checkpoints" / tiny.MODEL, studio.root / "aside"
    shutil.copytree(tiny.weights(), aside, ignore=lambda folder, _: [Path(LATE).name] * ("transformer" in folder))
    place.parent.mkdir(exist_ok=True)
    aside.rename(place)  # at once, for the first file that is missing is the one that is named
    found.rows.append(poll(lambda: _waits_for_more(studio, found.rows[-1]), "word of the missing file"))
    whole = (tiny.weights() / LATE).read_bytes()
    (place / LATE).write_bytes(whole[:-100])
    found.rows.append(poll(lambda: _waits_for_more(studio, found.rows[-1]), "word of the unfinished file"))
    (place / LATE).write_bytes(whole)
    return found


def _waits_for_more(studio: Living, last: dict[str, object]) -> dict[str, object] | None:
    row = studio.job("early", "waiting")
    return row if row["wait_reason"] != last["wait_reason"] else None


@pytest.fixture(scope="session")
def painter(studio: Living, early: Early) -> Living:
    """The studio once its weights are there."""
    return studio
