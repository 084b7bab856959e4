"""The queue as rows: who is next, who was overtaken, strikes and the rule of five."""

import json
from pathlib import Path

import pytest

from hotfolder.catalog import queue
from hotfolder.catalog.queue import MAX_REQUEUES, NewJob
from hotfolder.catalog.store import Catalog
from hotfolder.errors import WorkerLost


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.db")


def new(name: str, state: str = "queued", priority: int = 0, model: str = "") -> NewJob:
    return NewJob(name, "upscale", priority, "{}", "[]", model, None, state, "a reason" if state == "waiting" else None)


def put(catalog: Catalog, drop: str, *jobs: NewJob, state: str = "claimed") -> list[int]:
    with catalog.transaction():
        queue.put_drop(catalog, drop, "upscale", f"{drop}.png", state, [], list(jobs))
    return [row["id"] for row in catalog.rows("select id from jobs where drop_id=? order by id", drop)]


def row(catalog: Catalog, job: int) -> dict[str, object]:
    found = catalog.row("select * from jobs where id=?", job)
    assert found
    return found


def heads(catalog: Catalog, *loaded: str, bound: int = 32) -> tuple[list[int], int]:
    rows, overtaken = queue.contenders(catalog, loaded, bound)
    return [one["id"] for one in rows], overtaken


def test_priority_then_arrival_then_the_model_in_memory(catalog: Catalog) -> None:
    assert heads(catalog) == ([], 0)
    (low,) = put(catalog, "a", new("low", priority=-1, model="x"))
    (first,) = put(catalog, "b", new("first", model="x"))
    (second,) = put(catalog, "c", new("second", model="y"))
    put(catalog, "d", new("plain"))
    assert heads(catalog) == ([first], 0)
    assert heads(catalog, "y") == ([first, second], 0)
    assert heads(catalog, "z", "y", "x") == ([first, second, first], 0)
    (high,) = put(catalog, "e", new("high", priority=5, model="z"))
    assert heads(catalog, "y") == ([high], 0)
    for job in (high, first, second):
        assert queue.claim_job(catalog, job)
    assert low not in heads(catalog)[0]


def test_being_overtaken_is_counted_from_the_rows_up_to_the_bound(catalog: Catalog) -> None:
    (oldest,) = put(catalog, "a", new("oldest", model="x"))
    for number in range(4):
        (younger,) = put(catalog, f"b{number}", new(f"younger{number}", model="y"))
        queue.claim_job(catalog, younger)
        with catalog.transaction():
            queue.put_end(catalog, younger, "done")
    (other,) = put(catalog, "c", new("of another priority", priority=9, model="y"))
    queue.claim_job(catalog, other)
    put(catalog, "d", new("waits", "waiting"))
    put(catalog, "e", new("refused", "failed"))
    assert heads(catalog) == ([oldest], 4)
    assert heads(catalog, bound=3) == ([oldest], 3)


def test_a_job_is_claimed_once_and_its_attempt_counted(catalog: Catalog) -> None:
    (job,) = put(catalog, "a", new("one"))
    claimed = queue.claim_job(catalog, job)
    assert claimed and (claimed["state"], claimed["attempts"]) == ("running", 1)
    assert queue.claim_job(catalog, job) is None
    with catalog.transaction():
        queue.put_back(catalog, job)
    assert (row(catalog, job)["state"], row(catalog, job)["attempts"]) == ("queued", 0)
    assert heads(catalog)[0] == [job]


def test_the_second_strike_fails_a_job(catalog: Catalog) -> None:
    (job,) = put(catalog, "a", new("bad"))
    (next_one,) = put(catalog, "b", new("next"))
    for strike in (1, 2):
        queue.claim_job(catalog, job)
        with catalog.transaction():
            queue.put_requeue(catalog, job, error=WorkerLost("It died."))
        assert row(catalog, job)["strikes"] == strike
        if strike == 1:
            assert heads(catalog)[0] == [next_one], "behind the others"
    assert row(catalog, job)["state"] == "failed"
    assert row(catalog, job)["error"] == "It died. It was tried 2 times; the queue went on without it."


def test_the_services_own_death_is_forgiven_five_times(catalog: Catalog) -> None:
    (job,) = put(catalog, "a", new("unlucky"))
    for death in range(1, MAX_REQUEUES + 1):
        queue.claim_job(catalog, job)
        with catalog.transaction():
            queue.put_requeue(catalog, job)
        assert (row(catalog, job)["state"], row(catalog, job)["requeues"]) == ("queued", death)
        assert row(catalog, job)["strikes"] == 0
    queue.claim_job(catalog, job)
    with catalog.transaction():
        queue.put_requeue(catalog, job)
    assert row(catalog, job)["state"] == "failed"
    assert f"{MAX_REQUEUES + 1} times" in str(row(catalog, job)["error"])


def test_a_waiting_drop_keeps_its_jobs_and_places_when_it_is_written_anew(catalog: Catalog) -> None:
    jobs = put(catalog, "a", new("one", "waiting"), new("two", "waiting"), state="waiting")
    put(catalog, "b", new("later"))
    assert put(catalog, "a", new("one"), new("two", "waiting")) == jobs
    assert heads(catalog)[0] == [jobs[0]], "its place in the queue is that of its arrival"
    assert row(catalog, jobs[0])["wait_reason"] is None
    assert len(put(catalog, "a", new("one"), new("two"), new("three"))) == 3
    assert catalog.row("select count(*) n from jobs where drop_id='a'") == {"n": 3}


def test_a_drop_has_ended_when_its_last_job_has(catalog: Catalog) -> None:
    one, two = put(catalog, "a", new("one"), new("two"))
    put(catalog, "b", new("waits", "waiting"), state="waiting")
    with catalog.transaction():
        queue.put_end(catalog, one, "done")
    assert queue.ended_drops(catalog) == []
    with catalog.transaction():
        queue.put_end(catalog, two, "failed", "why")
    assert queue.ended_drops(catalog) == ["a"]


def test_a_withdrawn_drop_is_cancelled_with_its_reason(catalog: Catalog) -> None:
    (job,) = put(catalog, "a", new("gone", "waiting"), state="waiting")
    with catalog.transaction():
        queue.put_withdrawn(catalog, "a")
    assert row(catalog, job)["state"] == "cancelled"
    assert "taken away" in str(row(catalog, job)["error"])
    assert json.loads(str(row(catalog, job)["spec"])) == {}
