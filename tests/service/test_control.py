"""What people ask of a service: stop, cancel, retry, pause, one round only."""

import os
import signal
from pathlib import Path

import pytest

from tests.service.living import Living, hotfolder, living, picture, poll


def test_stop_lets_the_running_job_finish(place: Living) -> None:
    place.start()
    pid = place.freeze()
    place.drop("upscale/last.png", picture(30))
    place.job("last", "running")
    place.drop("upscale/later.png", picture(31))
    place.job("later", "queued")
    assert "Stopping" in hotfolder(place.root, "stop").stdout
    poll(lambda: not list(place.workspace.control.iterdir()), "command taken")
    os.kill(pid, signal.SIGCONT)
    assert place.process and place.process.wait(120) == 0
    assert place.job("last")["state"] == "done"
    assert place.job("later", "queued")["attempts"] == 0
    assert place.once().returncode == 0
    assert place.job("later")["state"] == "done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_the_grace_time_the_job_is_put_back_uncounted(tmp_path: Path, number: int) -> None:
    for place in living(tmp_path / "w", "stop_grace_s: 0.2\n"):
        place.start()
        place.freeze()
        place.drop("upscale/cut.png", picture(30))
        place.job("cut", "running")
        assert place.end(number) == 0
        row = place.job("cut", "queued")
        assert (row["attempts"], row["strikes"], row["requeues"]) == (0, 0, 0)
        assert place.once().returncode == 0
        assert len(place.images("cut")) == 1
        assert "Traceback" not in place.told()


def test_cancel_of_running_queued_and_waiting_jobs(running: Living) -> None:
    running.freeze()
    running.drop("upscale/running.png", picture(30))
    jobs = [running.job("running", "running")["id"]]
    running.drop("upscale/queued.png", picture(31))
    jobs.append(running.job("queued", "queued")["id"])
    running.drop("generate/waiting.yaml", "seed: 1\n")
    jobs.append(running.job("waiting", "waiting")["id"])
    running.drop("upscale/stays.png", picture(32))
    running.job("stays", "queued")
    done = hotfolder(running.root, "cancel", *map(str, jobs))
    assert done.returncode == 0 and "now" in done.stdout
    for name, file in [("running", "running.png"), ("queued", "queued.png"), ("waiting", "waiting.yaml")]:
        row = running.job(name, "cancelled")
        assert row["wait_reason"] is None
        assert "cancelled" in running.filed(f"{file}.error.txt", "failed").read_text()
        assert running.filed(file, "failed").is_file()
    assert running.job("stays", "done")
    assert not running.images("running")
    assert hotfolder(running.root, "verify").stdout == "Files and catalog agree.\n"


def test_cancel_and_retry_while_nothing_runs_are_done_at_the_next_start(place: Living) -> None:
    place.drop("generate/waiting.yaml", "seed: 1\n")
    place.drop("upscale/bad.png", b"no picture at all")
    assert place.once().returncode == 1
    waiting, bad = place.job("waiting", "waiting")["id"], place.job("bad", "failed")["id"]
    for verb, job in (("cancel", waiting), ("retry", bad)):
        done = hotfolder(place.root, verb, str(job))
        assert done.returncode == 0 and "when hotfolder runs next" in done.stdout
    (place.root / "failed" / "upscale" / "bad.png").write_bytes(picture())
    done = place.once()
    assert done.returncode == 0, done.stderr
    assert place.job("waiting")["state"] == "cancelled"
    assert place.job("bad")["state"] == "done"
    assert not list((place.root / "failed").rglob("bad*"))
    assert hotfolder(place.root, "verify").stdout == "Files and catalog agree.\n"


def test_retry_runs_a_cancelled_job(running: Living) -> None:
    running.freeze()
    running.drop("upscale/again.png", picture(30))
    job = running.job("again", "running")["id"]
    hotfolder(running.root, "cancel", str(job))
    running.job("again", "cancelled")
    running.filed("again.png.error.txt", "failed")
    assert hotfolder(running.root, "retry", str(job)).returncode == 0
    row = running.job("again", "done")
    assert row["id"] != job
    assert running.filed("again.png", "done")
    assert not list((running.root / "failed").rglob("again*"))
    assert hotfolder(running.root, "verify").stdout == "Files and catalog agree.\n"


def test_a_whole_file_is_cancelled_and_tried_again_by_its_name(running: Living) -> None:
    worker = running.freeze()
    running.drop("upscale/night.png", picture(30))
    running.drop("upscale/night.png.yaml", "matrix: {factor: [2, 3, 4]}\nmodel: lanczos\n")
    jobs = "select id, state from jobs where name like 'night%' and id>? order by id"
    poll(
        lambda: [row["state"] for row in running.rows(f"{jobs} limit 1", running.since)] == ["running"],
        "first cell at work",
    )
    running.drop("upscale/other.png", picture(31))
    running.job("other", "queued")
    asked = [row["id"] for row in running.rows(jobs, running.since)]
    assert len(asked) >= 3
    done = hotfolder(running.root, "cancel", "upscale/night.png.yaml")
    assert done.stdout == f"Cancel jobs {', '.join(map(str, asked))}: now.\n", done.stderr
    running.filed("night.png.yaml", "failed")
    assert {row["state"] for row in running.rows(jobs, running.since)} == {"cancelled"}
    assert not os.path.exists(f"/proc/{worker}"), "the worker of the running one was ended"
    assert running.job("other", "done")
    assert hotfolder(running.root, "retry", "failed/upscale/night.png", str(asked[0])).returncode == 0
    running.filed("night.png", "done")
    made = running.rows("select state from jobs where name like 'night%' and id>?", asked[-1])
    assert [row["state"] for row in made] == ["done"] * len(asked)
    again = hotfolder(running.root, "cancel", "night.png.yaml")
    assert again.returncode == 2 and "cannot cancel the jobs of `night.png.yaml`: it is done" in again.stderr


@pytest.mark.parametrize("name", ["PAUSE", "PAUSE.txt", "Pause.TXT"])
def test_a_file_called_pause_holds_the_queue(running: Living, name: str) -> None:
    running.drop(name, "")
    poll(lambda: running.status().paused, "pause")
    job = f"held by {name}"
    running.drop(f"upscale/{job}.png", picture())
    assert running.job(job, "queued")["attempts"] == 0
    status = hotfolder(running.root, "status").stdout
    assert "hotfolder resume" in status and "1 queued" in status
    (running.workspace.inbox / name).unlink()
    assert running.job(job, "done")
    poll(lambda: not running.status().paused, "word that the pause is over")
    assert running.status().not_taken == []


def test_pause_and_resume_as_commands(place: Living) -> None:
    assert hotfolder(place.root, "pause").returncode == 0
    place.drop("upscale/held.png", picture())
    done = place.once()
    assert done.returncode == 0
    assert place.job("held", "queued")
    assert "paused" in done.stdout and "hotfolder resume" in done.stdout, "it must say why nothing was done"
    assert hotfolder(place.root, "resume").returncode == 0
    place.once()
    assert place.job("held", "done")


def test_once_names_what_waits_and_says_by_its_exit_code_whether_something_failed(place: Living) -> None:
    place.drop("upscale/good.png", picture())
    place.drop("generate/later.yaml", "seed: 1\n")
    done = place.once()
    assert done.returncode == 0
    assert "good: done: outbox/upscale/" in done.stdout
    assert "later: waits: needs a prompt" in done.stdout
    place.drop("upscale/bad.yaml", "factr: 2\n")
    done = place.once()
    assert done.returncode == 1
    assert "did you mean `factor`?" in done.stdout
    assert place.once().returncode == 0, "what failed earlier is not this run's failure"


def test_a_job_that_fails_when_its_picture_arrives_counts_as_failed(place: Living) -> None:
    """One document of the file runs at once; the other waits, claimed, and turns out wrong later."""
    place.drop("upscale/two.yaml", "image: a.png\n---\nimage: b.png\n")
    place.drop("upscale/a.png", picture())
    assert place.once().returncode == 0
    waiting = place.rows("select * from jobs where state='waiting'")
    assert len(waiting) == 1 and "b.png" in waiting[0]["wait_reason"]
    (place.root / "done" / "upscale").mkdir(parents=True, exist_ok=True)
    (place.root / "done" / "upscale" / "b.png").write_bytes(b"not a picture")
    done = place.once()
    assert done.returncode == 1
    assert "is not a picture" in done.stdout
    assert place.filed("two.yaml", "failed")


def test_a_second_service_is_refused(place: Living) -> None:
    place.start()
    assert place.process
    done = hotfolder(place.root, "run")
    assert done.returncode == 3
    assert f"process {place.process.pid}" in done.stderr and "hotfolder stop" in done.stderr
    assert place.end() == 0
    assert hotfolder(place.root, "stop").returncode == 2
