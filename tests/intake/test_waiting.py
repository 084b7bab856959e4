"""What waits, why, and that it starts by itself when what it waited for comes; one service lives through it all."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hotfolder import control
from tests.intake.bench import Bench, digest, picture
from tests.service.living import noon

WAITING = {
    "root.png": "the inbox itself has no kind of job; move the file into a hot folder such as inbox/upscale/",
    "mystery/a.png": "the folder inbox/mystery has no kind of job",
    "upscale/named.yaml": "waits for the picture `later.png`, which is not there",
    "strict/s.png": "waits for its job file s.png.yaml (require_sidecar)",
    "broken/b.png": "the folder's preset has to be mended: broken/folder.yaml, line 2: unknown key `factr`; did you",
    "unreadable/u.png": "the folder's preset has to be mended: unreadable/folder.yaml, line 1",
    "wrong/w.png": "the folder's preset has to be mended: wrong/folder.yaml, line 2: no profile `nope`",
    "linked/l.png": "linked/folder.yaml cannot be read: it is a link, not a file",
    "upscale/empty.png": "empty.png is empty; waits for its content",
    "upscale/withdrawn.png": "withdrawn.png is empty; waits for its content",
    "upscale/cancelled.png": "cancelled.png is empty; waits for its content",
    "upscale/silent.yaml": "silent.yaml says nothing yet; waits for its content",
    "upscale/alone.png.yaml": "waits for alone.png beside it, or for `image:` in it",
    "upscale/lone.mask.png": "waits for lone.png, the picture it belongs to",
    "upscale/poem.txt": "a text file of prompts is for inbox/generate/",
    "generate/blank.txt": "blank.txt holds no prompt yet",
    "generate/mute.yaml": "needs a prompt: write `prompt:` into mute.yaml",
    "generate/one.yaml": "the weights of flux1-schnell (33.7 GB) are not on this machine",
}
"""File -> what its reason says, while nothing has come yet."""

DONE = [
    "named.yaml", "s.png", "b.png", "u.png", "w.png", "l.png", "empty.png", "silent.yaml", "alone.png", "late.png.yaml",
]  # fmt: skip


class Story:
    """What was seen while the service lived."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root)
        self.waiting: dict[str, list[dict[str, Any]]] = {}
        self.before_sidecar: list[Any] = []
        self.pair: dict[str, bytes] = {}

    def prepare(self) -> None:
        bench = self.bench
        for name in WAITING:
            (bench.inbox / name).parent.mkdir(exist_ok=True)
        (bench.root / "jobs").mkdir(exist_ok=True)
        (bench.root / "jobs/given.png").write_bytes(picture())
        bench.put("strict/folder.yaml", "kind: upscale\nfactor: 2\nrequire_sidecar: true\n")
        bench.put("broken/folder.yaml", "kind: upscale\nfactr: 2\n")
        bench.put("unreadable/folder.yaml", "kind: [upscale\n")
        bench.put("wrong/folder.yaml", "kind: upscale\nprofile: nope\n")
        bench.put("patient/folder.yaml", "kind: upscale\nsidecar_wait_s: 600\n")
        bench.put("hurried/folder.yaml", "kind: upscale\nsidecar_wait_s: 0.2\n")
        (bench.inbox / "linked/folder.yaml").symlink_to(bench.inbox / "patient/folder.yaml")
        for folder in ("", "mystery/a", "strict/s", "broken/b", "unreadable/u", "wrong/w", "linked/l", "upscale/late"):
            bench.put(f"{folder or 'root'}.png")
        for name in ("upscale/lone.mask.png", "patient/p.png", "hurried/h.png"):
            bench.put(name)
        for name in ("empty", "withdrawn", "cancelled"):
            bench.put(f"upscale/{name}.png", b"")
        bench.put("upscale/silent.yaml", "# later\n")
        bench.put("generate/blank.txt", "\n  \n")
        bench.put("upscale/named.yaml", "image: later.png\nfactor: 2\n")
        bench.put("upscale/alone.png.yaml", "factor: 3\n")
        bench.put("upscale/poem.txt", "roses are red\n")
        bench.put("upscale/deep/two.yaml", "image: jobs/given.png\nfactor: 2\n---\nimage: second.png\nfactor: 3\n")
        bench.put("generate/one.yaml", "prompt: a fox\n")
        bench.put("generate/lines.txt", "\na fox\n\n  a hare  \na {red|blue} owl\n")
        bench.put("generate/mute.yaml", "seed: 3\n")

    def tell(self) -> None:
        bench = self.bench
        with bench.living():
            settled = [*WAITING, "upscale/deep/two.yaml", "generate/lines.txt"]
            bench.until(lambda: all("waiting" in bench.states(name) for name in settled))
            bench.until(lambda: bench.states("upscale/late.png") == bench.states("hurried/h.png") == ["done"])
            bench.until(lambda: bench.states("upscale/deep/two.yaml") == ["done", "waiting"])
            self.waiting = {name: bench.jobs(name) for name in settled}
            self.before_sidecar = bench.jobs("patient/p.png")
            self.mend()
            bench.until(lambda: all(self.states_of(name) == ["done"] for name in DONE))
            bench.until(lambda: bench.states("upscale/deep/two.yaml") == ["done", "done"])
            bench.until(lambda: bench.states("upscale/deep/second.png") == ["done"])
            bench.until(lambda: bench.states("patient/p.png") == bench.states("small/tiny/t.png") == ["done"])
            for name in ("upscale/withdrawn.png", "upscale/cancelled.png"):
                bench.until(lambda name=name: bench.states(name) == ["cancelled"])
            bench.until(lambda: bench.states("upscale/lone.png") == ["failed"])
            bench.until(lambda: (bench.root / "failed/upscale/cancelled.png.error.txt").exists())

    def states_of(self, name: str) -> list[str]:
        return [state for base in ("upscale", "strict", "broken", "unreadable", "wrong", "linked")
                for state in self.bench.states(f"{base}/{name}")]  # fmt: skip

    def mend(self) -> None:
        """Bring everything that is waited for, in no helpful order."""
        bench = self.bench
        (cancelled,) = bench.jobs("upscale/cancelled.png")
        control.ask(bench.workspace, control.Command("cancel", cancelled["id"]))
        (bench.inbox / "upscale/withdrawn.png").unlink()
        self.pair["late sidecar"] = next(bench.workspace.done.glob("upscale/late.png")).read_bytes()
        bench.put("upscale/late.png.yaml", "factor: 0.5\nformat: jpeg\n")
        self.pair["named"] = bench.put("upscale/later.png")
        bench.put("strict/s.png.yaml", "note: here it is\n")
        bench.put("broken/folder.yaml", "kind: upscale\nfactor: 2\n")
        bench.put("unreadable/folder.yaml", "kind: upscale\n")
        bench.put("wrong/folder.yaml", "kind: upscale\n")
        (bench.inbox / "linked/folder.yaml").unlink()
        bench.put("linked/folder.yaml", "kind: enlarge\n")
        bench.put("upscale/empty.png")
        bench.put("upscale/silent.yaml", "image: done/upscale/late.png\nfactor: 2\n")
        bench.put("upscale/alone.png")
        bench.put("upscale/lone.png")
        self.pair["second"] = bench.put("upscale/deep/second.png")
        bench.put("patient/p.png.yaml", "factor: 5\n")
        bench.put("small/folder.yaml", "kind: upscale\nfactor: 0.5\nquality: 80\n")
        bench.put("small/tiny/folder.yaml", "factor: 0.25\nformat: jpeg\n")
        bench.put("small/tiny/t.png", picture(size=(80, 40)))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    patch = pytest.MonkeyPatch()
    patch.setenv("TZ", noon())
    time.tzset()
    patch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("no weights")))
    story = Story(tmp_path_factory.mktemp("waiting") / "w")
    story.prepare()
    try:
        story.tell()
    finally:
        patch.undo()
        time.tzset()
    return story


@pytest.mark.parametrize("name", WAITING)
def test_it_waits_with_its_reason(name: str, story: Story) -> None:
    (job,) = story.waiting[name]
    assert job["state"] == "waiting"
    assert WAITING[name] in job["wait_reason"]
    assert job["error"] is None


@pytest.mark.parametrize("name", DONE)
def test_it_starts_without_a_restart_when_that_comes(name: str, story: Story) -> None:
    assert story.states_of(name) == ["done"]


def test_each_line_of_prompts_is_a_job(story: Story) -> None:
    jobs = story.waiting["generate/lines.txt"]
    assert [job["name"] for job in jobs] == ["lines_001", "lines_002", "lines_003"]
    assert all("weights of flux1-schnell" in job["wait_reason"] for job in jobs)


def test_what_waits_still_stays_in_the_inbox(story: Story) -> None:
    left = set("root.png mystery/a.png upscale/poem.txt generate/one.yaml generate/lines.txt".split())
    left |= {"generate/mute.yaml", "generate/blank.txt"}
    assert left == {name for name in story.bench.tree("inbox") if not name.endswith("folder.yaml")}


def test_a_deleted_waiting_file_cancels_its_job(story: Story) -> None:
    (job,) = story.bench.jobs("upscale/withdrawn.png")
    assert (job["state"], job["drop_state"]) == ("cancelled", "cancelled")
    assert "taken away while it waited" in job["error"]


def test_a_cancelled_waiting_file_goes_to_failed_with_the_word(story: Story) -> None:
    assert "upscale/cancelled.png" in story.bench.tree("failed")
    text = (story.bench.root / "failed/upscale/cancelled.png.error.txt").read_text()
    assert text.startswith("cancelled\nTo try again, move the file back into inbox/upscale/.")


def test_a_sidecar_that_comes_late_runs_on_the_picture_in_done(story: Story) -> None:
    (job,) = story.bench.jobs("upscale/late.png.yaml")
    assert job["source_path"] == "done/upscale/late.png"
    assert story.bench.input_hashes().count(digest(story.pair["late sidecar"])) == 3  # itself, its sidecar, silent.yaml
    (made,) = story.bench.workspace.outbox.glob("upscale/*/late*.jpg")
    assert made.name == "late-2.jpg"  # late.job.yaml is there already
    assert Image.open(made).size == (6, 4)


def test_a_picture_that_a_job_names_becomes_part_of_it(story: Story) -> None:
    (job,) = story.bench.jobs("upscale/later.png")
    assert job["name"] == "named"
    assert story.bench.input_hashes().count(digest(story.pair["named"])) == 1
    assert {"upscale/named.yaml", "upscale/later.png"} <= story.bench.tree("done")


def test_a_document_of_a_job_already_taken_finds_its_picture_beside_where_it_lay(story: Story) -> None:
    first, second = story.bench.jobs("upscale/deep/two.yaml")
    assert "waits for the picture `second.png`" in story.waiting["upscale/deep/two.yaml"][1]["wait_reason"]
    assert (first["state"], second["state"]) == ("done", "done")
    assert story.bench.input_hashes().count(digest(story.pair["second"])) == 2


def test_a_folder_may_wait_for_sidecars(story: Story) -> None:
    assert story.before_sidecar == []  # not even a row: it may be paired any moment
    assert story.bench.spec("patient/p.png")["options"] == {"factor": 5.0}
    assert story.bench.states("patient/p.png.yaml") == ["done"]
    assert story.bench.spec("hurried/h.png").get("options") is None


def test_presets_cascade_into_a_folder_made_meanwhile(story: Story) -> None:
    spec = story.bench.spec("small/tiny/t.png")
    assert (spec["options"], spec["format"], spec["quality"]) == ({"factor": 0.25}, "jpeg", 80)
    (made,) = story.bench.workspace.outbox.glob("small/tiny/*/t.jpg")
    assert Image.open(io.BytesIO(made.read_bytes())).size == (20, 10)


def test_a_companion_that_the_kind_has_no_use_for_is_said_so(story: Story) -> None:
    assert "`mask` means nothing to `upscale`" in story.bench.reason("upscale/lone.png")
    assert story.bench.states("upscale/lone.mask.png") == ["failed"]
