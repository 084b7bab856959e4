"""What `status.gather` reads: one moment, quickly, and no estimate that it cannot know."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from hotfolder import status, statuswords
from hotfolder import workspace as places
from hotfolder.catalog import store
from hotfolder.catalog.store import Catalog
from hotfolder.workspace import Workspace

NOW = datetime.now(UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = places.init(tmp_path / "w")
    Catalog(made.catalog).close()
    return made


class Rows:
    """Writes jobs as the service would have."""

    def __init__(self, workspace: Workspace) -> None:
        self.catalog = Catalog(workspace.catalog)

    def job(self, state: str, drop: str | None = None, pictures: int = 1, took_s: float = 2, **columns: Any) -> int:
        number = self.catalog.rows("select count(*) + 1 n from jobs")[0]["n"]
        drop = drop or f"d{number}"
        self.catalog.rows(
            "insert or ignore into drops(id, hot_folder, name, state, files, created_at) values(?, 'generate', ?, "
            "'claimed', '[]', ?)",
            drop, f"file{number}.yaml", moment(0),
        )  # fmt: skip
        row = {
            "drop_id": drop, "state": state, "kind": "generate", "hot_folder": "generate", "name": f"job{number}",
            "spec": "{}", "planned": json.dumps([{}] * pictures), "model": "m", "position": number,
            "created_at": moment(0), "started_at": moment(-took_s) if state in ("running", "done") else None,
            "finished_at": moment(0) if state in ("done", "failed") else None, **columns,
        }  # fmt: skip
        names = ", ".join(row)
        self.catalog.rows(f"insert into jobs({names}) values({', '.join('?' * len(row))})", *row.values())
        return int(number)

    def image(self, job: int, number: str, path: str) -> None:
        self.catalog.rows(
            "insert into images(id, job_id, path, sha256, pixel_sha256, width, height, format, kind, created_at, "
            "energy_wh) values(?, ?, ?, 'a', 'b', 1, 1, 'png', 'generate', ?, 500)",
            number, job, path, moment(0),
        )  # fmt: skip


@pytest.fixture
def rows(workspace: Workspace) -> Any:
    one = Rows(workspace)
    yield one
    one.catalog.close()


def moment(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_every_question_is_answered_by_an_index(workspace: Workspace, rows: Rows, monkeypatch: Any) -> None:
    """Pages ask each second, also where there are 100,000 jobs: nothing sorts them or reads each of them in full."""
    rows.job("running")
    rows.job("done")
    asked: list[str] = []
    whole = store._connect

    def connect(*given: Any) -> Any:
        connection = whole(*given)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(store, "_connect", connect)
    status.gather(workspace, running=True)
    questions = [sql for sql in asked if re.match(r"\s*select", sql)]
    assert len(questions) >= 10
    for sql in questions:
        plan = [row["detail"] for row in rows.catalog.rows(f"explain query plan {sql}")]
        for step in plan:
            small = re.match(r"SCAN \(?(subquery|SUBQUERY)", step) or "COVERING INDEX" in step
            assert small or not step.startswith("SCAN"), (sql, plan)
            assert "B-TREE" not in step or "GROUP BY" in step, (sql, plan)


def test_the_queue_is_estimated_by_pictures_of_the_same_kind_and_model(workspace: Workspace, rows: Rows) -> None:
    rows.job("queued", pictures=5)
    rows.job("done", pictures=2, took_s=4)
    rows.job("done", pictures=2, took_s=4)
    rows.job("done", model="other")
    assert status.gather(workspace, running=True).queue_eta_s is None, "two are too few to say"
    rows.job("done", pictures=4, took_s=8)
    assert status.gather(workspace, running=True).queue_eta_s == pytest.approx(10, abs=0.1)
    rows.job("queued", model="unknown")
    assert status.gather(workspace, running=True).queue_eta_s is None, "of one nothing is known"
    assert status.gather(workspace, running=False).queue_eta_s is None


def test_nothing_is_estimated_while_paused(workspace: Workspace, rows: Rows) -> None:
    for _ in range(3):
        rows.job("done")
    rows.job("queued")
    workspace.now.write_text(json.dumps({"paused": "paused; `hotfolder resume` goes on"}))
    found = status.gather(workspace, running=True)
    assert found.paused and found.queue_eta_s is None
    assert statuswords.headline(found) == "hotfolder is running, but starts nothing new"


def test_old_words_of_another_job_are_not_taken_for_the_running_one(workspace: Workspace, rows: Rows) -> None:
    number = rows.job("running", took_s=5)
    started_at = rows.catalog.rows("select started_at from jobs")[0]["started_at"]
    at = {"picture": 2, "pictures": 4, "step": 1, "of": 2, "made": ["a1"]}
    said = {"progress": at, "first_step": {**at, "picture": 1}, "stepping_s": 3.0}
    for job, is_its in (
        ((number + 1, started_at), False),
        ((number, moment(-60)), False),
        ((number, started_at), True),
    ):
        workspace.now.write_text(json.dumps({"job": {"id": job[0], "started_at": job[1]}, **said}))
        found = status.gather(workspace, running=True)
        assert found.job and found.job["id"] == number and found.job["running_s"] >= 5
        assert (bool(found.progress), found.made, found.eta_s) == (is_its, ["a1"] * is_its, 7.5 if is_its else None)
        assert statuswords.step(found) == ("picture 2 of 4, step 1 of 2" if is_its else "")


def test_jobs_that_were_tried_again_are_history(workspace: Workspace, rows: Rows) -> None:
    rows.job("failed", error="first try")
    rows.job("failed", error="second try")
    rows.catalog.rows("update drops set superseded_by='d2' where id='d1'")
    found = status.gather(workspace, running=False)
    assert found.counts == {"failed": 1}
    (failed,) = found.failed
    assert failed["error"] == "second try"
    assert failed["how_to_mend"] == (
        "Mend what the error names, then move file2.yaml from failed/generate back into inbox/generate, "
        "or run: hotfolder retry 2"
    )


def test_jobs_that_wait_for_the_same_are_told_together(workspace: Workspace, rows: Rows) -> None:
    rows.job("waiting", wait_reason="needs a prompt")
    for _ in range(7):
        rows.job("waiting", wait_reason="waits for weights", model="big")
    workspace.now.write_text(json.dumps({"fetching": {"model": "big", "says": "fetching big, 1 of 2 GB"}}))
    first, second = status.gather(workspace, running=True).waiting_for
    assert (first["reason"], first["jobs"], len(first["first"])) == ("fetching big, 1 of 2 GB", 7, 5)
    assert (second["reason"], second["jobs"]) == ("needs a prompt", 1)


def test_what_was_done_lately_comes_with_its_pictures(workspace: Workspace, rows: Rows) -> None:
    for number in range(12):
        job = rows.job("done", finished_at=moment(number), run_s=1.5)
        for picture in range(6 if number == 11 else 0):
            rows.image(job, f"i{picture}", f"outbox/{picture}.png")
    rows.image(job, "sheet", "outbox/sheet.png")
    rows.catalog.rows("update images set kind = 'sheet', energy_wh = null where id = 'sheet'")
    found = status.gather(workspace, running=False)
    assert [job["name"] for job in found.done] == [f"job{number}" for number in range(12, 2, -1)]
    assert (found.done[0]["pictures"], found.done[0]["run_s"]) == (6, 1.5)
    assert [picture["id"] for picture in found.done[0]["shown"]] == ["i0", "i1", "i2", "i3"]
    if NOW.astimezone().date() == datetime.now().date():
        assert found.today == {"pictures": 6, "energy_wh": 3000, "cost": None}
        assert statuswords.today(found) == "6 pictures, 3.00 kWh"


def test_interrupted_jobs_are_not_said_to_run(workspace: Workspace, rows: Rows) -> None:
    rows.job("running")
    found = status.gather(workspace, running=False)
    assert found.job is None and statuswords.counted(found) == [("running", 1, "interrupted")]


def test_who_looks_never_holds_up_or_announces_one_that_is_just_starting(workspace: Workspace) -> None:
    """It has the lock before it writes its process id; until then there is nothing to look for, and no lock taken."""
    with FileLock(workspace.private / "lock"):
        assert not places.is_running(workspace)
        (workspace.private / "pid").write_text("1\n")
        assert places.is_running(workspace)
    assert not places.is_running(workspace), "one that was killed leaves its process id behind"
    (workspace.private / "pid").unlink()
    (workspace.private / "lock").unlink()
    assert not places.is_running(workspace)
    assert not (workspace.private / "lock").exists()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "about 1 s"), (42.4, "about 42 s"), (150, "about 2 min"), (5_000, "about 83 min"),
     (12_000, "about 3 h 20 min"), (7_190, "about 2 h")],
)  # fmt: skip
def test_estimates_are_said_roughly(seconds: float, said: str) -> None:
    assert statuswords.about(seconds) == said
