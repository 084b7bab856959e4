"""Chains in a living service: killed after every step, cancelled, failed and tried again; no step is done twice."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from hotfolder import rebuild, verify
from tests.service.living import Living, hotfolder, living, noon, picture, poll

FACTORS = (2, 3, 0.5)
STEPS = [f"- {{kind: upscale, model: lanczos, factor: {factor}}}" for factor in FACTORS]
VAST = "- {kind: upscale, model: lanczos, factor: 32}"
NAMES = ["photo.1-upscale", "photo.2-upscale", "photo"]
SIZES = [(48, 32), (144, 96), (72, 48)]


@pytest.fixture(scope="module")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A workspace on which no service stays: each test runs it to the end, with names of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", noon())
        yield from living(tmp_path_factory.mktemp("resting") / "w")


def drop(place: Living, name: str, *steps: str) -> None:
    place.drop(f"pipeline/{name}.png.yaml", "pipeline:\n" + "\n".join(steps) + "\n")
    place.drop(f"pipeline/{name}.png", picture())


def made(place: Living, name: str) -> list[Path]:
    return sorted(path for path in (place.root / "outbox").rglob(f"{name}*.png"))


def test_killed_after_every_step_it_goes_on_with_the_next(place: Living) -> None:
    drop(place, "photo", *STEPS)
    for name in NAMES:
        place.start()
        poll(lambda name=name: place.rows("select 1 from jobs where name=? and state='done'", name), f"step {name}")
        place.end(signal.SIGKILL)
    assert place.once().returncode == 0
    done = place.rows("select distinct job_id from outputs where published")
    assert len(done) == len(place.rows("select 1 from jobs where state='done'")) == 3
    rows = place.rows("select * from images order by created_at, path")
    assert [(row["width"], row["height"]) for row in rows] == SIZES
    paths = [row["path"] for row in rows]
    assert [Path(path).stem for path in paths] == NAMES
    assert [row["parent_path"] for row in rows] == ["done/pipeline/photo.png", *paths[:2]]
    assert len(made(place, "photo")) == 3
    assert verify.verify(place.workspace) == []


def test_each_step_can_be_made_again_by_its_own_job_file(resting: Living) -> None:
    drop(resting, "own", *STEPS)
    assert resting.once().returncode == 0
    (second,) = (path for path in made(resting, "own") if path.stem == "own.2-upscale")
    resting.drop("upscale/again.job.yaml", second.with_name("own.2-upscale.job.yaml").read_text())
    assert resting.once().returncode == 0
    (again,) = (resting.root / "outbox" / "upscale").rglob("again.png")
    assert Image.open(again).tobytes() == Image.open(second).tobytes()


def test_a_failed_step_fails_the_chain_and_a_mended_one_goes_on_from_it(resting: Living) -> None:
    drop(resting, "vast", STEPS[0], VAST, f"{VAST}  # again", STEPS[2])
    ran = resting.once()
    assert ran.returncode == 1
    failed = resting.root / "failed" / "pipeline"
    says = "step 3 of 4, upscale, failed: 1536x1024 enlarged to 49152x32768 would have 1610 megapixels"
    assert f"vast: failed: {says}" in ran.stdout
    first, second = made(resting, "vast")
    reason = (failed / "vast.png.error.txt").read_text()
    assert reason.startswith(f"vast: {says}")
    for path in (first, second):
        assert resting.workspace.relative(path) in reason
    assert reason.count("failed: ") == 1
    text = (failed / "vast.png.yaml").read_text()
    (failed / "vast.png.yaml").write_text(text.replace(f"{VAST}  # again", STEPS[2]))
    job = resting.job("vast", "failed")["id"]
    assert hotfolder(resting.root, "retry", str(job)).returncode == 0
    assert resting.once().returncode == 0
    assert [path.stem for path in made(resting, "vast")] == [f"vast.{n}-upscale" for n in (1, 2, 3)] + ["vast"]
    third = resting.images("vast.3-upscale")[0]
    assert (third["width"], third["parent_path"]) == (768, resting.workspace.relative(second))
    assert not list(failed.iterdir())
    assert verify.verify(resting.workspace) == []


def test_a_step_whose_picture_was_deleted_is_done_again(resting: Living) -> None:
    drop(resting, "gone", STEPS[0], STEPS[1], f"{VAST}  # again", VAST)
    assert resting.once().returncode == 1
    first, second, third = made(resting, "gone")
    third.unlink()
    text = resting.root / "failed" / "pipeline" / "gone.png.yaml"
    text.write_text(text.read_text().replace(f"\n{VAST}\n", f"\n{STEPS[2]}\n"))
    for name in ("gone.png.yaml", "gone.png"):
        text.with_name(name).rename(resting.workspace.inbox / "pipeline" / name)
    assert resting.once().returncode == 0
    assert [path.name for path in made(resting, "gone")] == [
        first.name,
        second.name,
        "gone.3-upscale-2.png",
        "gone.png",
    ]


def test_cancelling_a_step_cancels_what_is_not_done_of_its_chain(place: Living) -> None:
    place.start()
    place.freeze()
    drop(place, "photo", *STEPS)
    place.job("photo.1-upscale", "running")
    waiting = place.job("photo.2-upscale", "waiting")
    assert waiting["wait_reason"] == "waits for step 1 of 3, upscale"
    assert hotfolder(place.root, "cancel", str(waiting["id"])).returncode == 0
    reason = place.filed("photo.png.error.txt", "failed").read_text()
    assert reason.startswith("photo: step 1 of 3, upscale, was cancelled\n")
    assert {row["state"] for row in place.rows("select state from jobs where name like 'photo%'")} == {"cancelled"}
    assert made(place, "photo") == []


def test_one_chain_of_a_file_fails_alone(resting: Living) -> None:
    good = "pipeline:\n- {kind: upscale, model: lanczos, factor: 2}\n- {kind: upscale, model: lanczos, factor: 2}\n"
    resting.drop(
        "pipeline/two.yaml", f"image: other.png\n{good}---\nimage: other.png\n{good.replace('lanczos', 'zebra')}"
    )
    resting.drop("pipeline/other.png", picture())
    assert resting.once().returncode == 1
    assert [path.stem for path in made(resting, "two")] == ["two_01.1-upscale", "two_01"]
    reason = (resting.root / "failed" / "pipeline" / "two.yaml.error.txt").read_text()
    assert reason.startswith("two_02: two.yaml, line 8: no model `zebra` for upscale")


def test_a_catalog_made_anew_knows_the_parents(resting: Living) -> None:
    drop(resting, "lost", *STEPS[:2])
    assert resting.once().returncode == 0
    (first,) = resting.images("lost.1-upscale")
    path = resting.workspace.absolute(first["path"])
    moved = path.with_name("keep") / path.name
    moved.parent.mkdir(exist_ok=True)
    path.rename(moved)
    rebuild.rebuild(resting.workspace)
    parents = {
        Path(row["path"]).stem: row["parent_path"] for row in resting.rows("select path, parent_path from images")
    }
    assert parents["lost"] == resting.workspace.relative(moved)
    assert parents["lost.1-upscale"] == "done/pipeline/lost.png"
