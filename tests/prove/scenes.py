"""What may happen to hotfolder besides being killed at a step. Each scene makes a trial, plays it and checks it; with a
fault planted it must fail."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.prove.crashes import crash_run
from tests.prove.trial import RULE_OF_FIVE, STRIKES, Trial, wait_until

Scene = Callable[[Path, str], None]
"""Plays in a folder, with what is named planted."""
FOREIGN = b"somebody else's file"


def crash_at(point: str, seed: int = 1, count: int | None = 1) -> Scene:
    """A kill at one step."""

    def scene(folder: Path, planted: str) -> None:
        crash_run(folder, point, seed, planted, count)

    return scene


def quiet(folder: Path, planted: str) -> None:
    """Nothing happens but work."""
    trial = Trial(folder, 1, planted=planted)
    trial.drop(6)
    trial.finish()
    trial.check_finally()


def watching(trial: Trial) -> subprocess.Popen[bytes]:
    """Start the service and wait until it has looked at the inbox once."""
    process = trial.start(once=False)
    wait_until((trial.root / ".hotfolder" / "now.json").exists, "the service did not start")
    return process


def end(trial: Trial, process: subprocess.Popen[bytes]) -> None:
    """Stop a service gently and check what is left."""
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, f"it ended with {process.returncode}: {errors.decode(errors='replace')}"
    assert b"Traceback" not in errors, errors.decode(errors="replace")


def is_done(trial: Trial, name: str) -> bool:
    return bool(trial.rows("select 1 from jobs where name=? and state='done'", name))


def slow_writer(folder: Path, planted: str) -> None:
    """A file arrives in two pieces, closed in between; a later one, settled sooner, shows that time has passed."""
    trial = Trial(folder, 1, planted=planted)
    slow = trial.workspace.inbox / "upscale" / "slow"
    slow.mkdir()
    preset = slow / "folder.yaml"
    preset.write_text("settle_s: 3600\n")
    data = trial.picture(7)
    process = watching(trial)
    try:
        (slow / "slow.png").write_bytes(data[:60])
        trial.drop(1, ["plain"])
        wait_until(lambda: is_done(trial, "p00000"), "the settled file was not done")
        assert (slow / "slow.png").exists(), "a file was taken before it had settled"
        with open(slow / "slow.png", "ab") as file:
            file.write(data[60:])
        trial.expect("slow.png", data)
        preset.unlink()
        wait_until(lambda: is_done(trial, "slow"), "the slow file was not done")
        end(trial, process)
    finally:
        process.kill()
    trial.check_finally()


def open_writer(folder: Path, planted: str) -> None:
    """A program keeps a file open and pauses for longer than the settling time."""
    trial = Trial(folder, 1, planted=planted)
    data, path = trial.picture(7), trial.workspace.inbox / "upscale" / "slow.png"
    process = watching(trial)
    try:
        with open(path, "wb") as file:
            file.write(data[:60])
            file.flush()
            trial.drop(1, ["plain"])
            wait_until(lambda: is_done(trial, "p00000"), "the settled file was not done")
            assert path.exists(), "a file was taken while it was being written"
            file.write(data[60:])
        trial.expect("slow.png", data)
        wait_until(lambda: is_done(trial, "slow"), "the slow file was not done")
        end(trial, process)
    finally:
        process.kill()
    trial.check_finally()


def unseen_file(folder: Path, planted: str) -> None:
    """A file is dropped and the system says nothing."""
    trial = Trial(folder, 1, planted=f"no_events;{planted}".rstrip(";"))
    process = watching(trial)
    try:
        trial.drop(1, ["plain"])
        wait_until(lambda: is_done(trial, "p00000"), "a file without an event was not done", 60)
        end(trial, process)
    finally:
        process.kill()
    trial.check_finally()


def two_services(folder: Path, planted: str) -> None:
    """A second service on the same workspace refuses, and names the first."""
    trial = Trial(folder, 1, planted=planted)
    first = watching(trial)
    second = trial.start(once=False)
    holder = trial.root / ".hotfolder" / "pid"
    try:
        own = f"{second.pid}\n"
        wait_until(lambda: second.poll() is not None or holder.read_text() == own, "nothing happened")
        assert second.poll() is not None, "two services worked on one workspace"
        _, errors = second.communicate()
        assert second.returncode == 3, f"the second service ended with {second.returncode}"
        assert f"process {first.pid}" in errors.decode(), errors.decode()
        end(trial, first)
    finally:
        first.kill()
        second.kill()


def poison(folder: Path, planted: str) -> None:
    """A job kills every worker that runs it: it fails after two of them, and the queue goes on."""
    trial = Trial(folder, 1, planted=f"poison;{planted}".rstrip(";"))
    trial.drop(2, ["plain"])
    trial.finish()
    jobs = trial.rows("select attempts, state, error from jobs")
    good = [job for job in jobs if job["attempts"] == 2 and job["state"] == "failed" and STRIKES in str(job["error"])]
    assert len(good) == len(jobs) == 2, f"strikes did not end a job that kills its worker: {jobs}"
    assert trial.check_finally(forgiven=True) == 2


def rule_of_five(folder: Path, planted: str) -> None:
    """The service dies six times while one job runs: the job fails rather than take it down for ever."""
    trial = Trial(folder, 1, planted=planted)
    trial.drop(1, ["plain"])
    for _ in range(6):
        assert trial.wait_for_death(trial.start("job_claimed")), "the job was not claimed again"
        trial.check_always()
    trial.finish()
    (job,) = trial.rows("select state, error from jobs")
    assert RULE_OF_FIVE in str(job["error"]), f"the job was tried once more: {job}"
    assert trial.check_finally(forgiven=True) == 1


def chain(folder: Path, planted: str) -> None:
    """The service dies whenever a step of a chain is recorded, and each time before the next one is queued."""
    trial = Trial(folder, 1, planted=planted)
    trial.drop(1, ["chain"])
    for number in range(3):
        assert trial.wait_for_death(trial.start("recorded")), f"step {number + 1} was never recorded"
        trial.check_always()
        done = trial.rows("select attempts from jobs where state='done'")
        assert [job["attempts"] for job in done] == [1] * (number + 1), f"after step {number + 1}: {trial.describe()}"
    trial.finish()
    trial.check_finally()


def torn_disk(folder: Path, planted: str) -> None:
    """The disk tears every picture that is staged: none may be shown, and the file fails with a reason."""
    trial = Trial(folder, 1, planted=f"torn_disk;{planted}".rstrip(";"))
    data = trial.picture(7)
    (trial.workspace.inbox / "upscale" / "p.png").write_bytes(data)
    trial.expect("p.png", data, "failed", 0)
    trial.finish()
    trial.check_finally()


def foreign_in_outbox(folder: Path, planted: str) -> None:
    """Somebody takes the reserved name in outbox before the result is linked."""
    trial = Trial(folder, 1, planted=planted)
    trial.drop(1, ["plain"])
    assert trial.wait_for_death(trial.start("intended")), "intended was never reached"
    paths = [trial.workspace.absolute(str(row["path"])) for row in trial.rows("select path from outputs")]
    _stand_in_the_way(trial, paths)


def foreign_in_done(folder: Path, planted: str) -> None:
    """Somebody takes the reserved name in done/ before the original is filed there."""
    trial = Trial(folder, 1, planted=planted)
    trial.drop(1, ["plain"])
    assert trial.wait_for_death(trial.start("places_reserved")), "places_reserved was never reached"
    (drop,) = trial.rows("select files from drops")
    _stand_in_the_way(trial, [trial.root / file["path"] for file in json.loads(str(drop["files"]))])


def _stand_in_the_way(trial: Trial, paths: list[Path]) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FOREIGN)
    trial.finish()
    for path in paths:
        assert path.read_bytes() == FOREIGN, f"somebody else's {path} was overwritten"
        path.unlink()
    trial.check_finally()
