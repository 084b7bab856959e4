"""The service as a process: a second one, PAUSE, gentle stops, hanging workers, other disks, full disks."""

import contextlib
import io
import os
import random
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.prove import scenes
from tests.prove.scenes import end, watching
from tests.prove.trial import Trial, wait_until, workers_of

OTHER_DEVICE = Path("/dev/shm")


def state_of(trial: Trial, state: str) -> int:
    return len(trial.rows("select 1 from jobs where state=?", state))


@pytest.mark.parametrize(
    "scene", [scenes.two_services, scenes.open_writer, scenes.unseen_file, scenes.poison, scenes.foreign_in_outbox]
)
def test_scene(scene: scenes.Scene, tmp_path: Path) -> None:
    scene(tmp_path / "w", "")


def test_pause_holds_the_queue_and_taking_in_goes_on(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "w", 1, planted=f"gate={tmp_path / 'open'}")
    trial.drop(2, ["plain"])
    process = watching(trial)
    try:
        wait_until(lambda: state_of(trial, "running") == 1, "no job ran")
        (trial.workspace.inbox / "PAUSE").touch()
        trial.drop(1, ["plain"])
        wait_until(lambda: state_of(trial, "queued") == 2, "the file dropped while paused was not taken")
        (tmp_path / "open").touch()
        wait_until(lambda: state_of(trial, "done") == 1, "the running job did not end")
        trial.drop(1, ["plain"])
        wait_until(lambda: state_of(trial, "queued") == 3, "a job was started while PAUSE lay in the inbox")
        (trial.workspace.inbox / "PAUSE").unlink()
        wait_until(lambda: state_of(trial, "done") == 4, "the queue did not go on")
        end(trial, process)
    finally:
        process.kill()
    trial.check_finally()


@pytest.mark.parametrize("finishes", [True, False], ids=["in time", "too late"])
def test_a_gentle_stop_lets_the_job_finish_or_puts_it_back_uncounted(finishes: bool, tmp_path: Path) -> None:
    settings = "stop_grace_s: 60" if finishes else "stop_grace_s: 0"
    trial = Trial(tmp_path / "w", 1, settings=settings, planted=f"gate={tmp_path / 'open'}")
    trial.drop(1, ["plain"])
    process = watching(trial)
    try:
        wait_until(lambda: state_of(trial, "running") == 1, "no job ran")
        process.send_signal(signal.SIGTERM)
        if finishes:
            (tmp_path / "open").touch()
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    (job,) = trial.rows("select state, attempts, strikes, requeues from jobs")
    expected = {"state": "done", "attempts": 1} if finishes else {"state": "queued", "attempts": 0}
    assert job == {**expected, "strikes": 0, "requeues": 0}
    trial.check_always()
    (tmp_path / "open").touch()
    trial.finish()
    trial.check_finally()


def test_a_worker_that_hangs_is_ended_and_struck(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "w", 1, settings="job_timeout_s: 15", planted=f"gate={tmp_path / 'open'}")
    trial.drop(1, ["plain"])
    process = watching(trial)
    try:
        wait_until(lambda: state_of(trial, "running") == 1 and workers_of(process.pid), "no job ran")
        (worker,) = workers_of(process.pid)
        os.kill(worker, signal.SIGSTOP)
        (tmp_path / "open").touch()  # the worker after it has the job at once, and must not wait
        wait_until(lambda: trial.rows("select 1 from jobs where strikes=1"), "the hanging worker was not noticed")
        wait_until(lambda: worker not in workers_of(process.pid), "the hanging worker was not ended")
        wait_until(lambda: state_of(trial, "done") == 1, "the job was not done by a new worker")
        end(trial, process)
    finally:
        process.kill()
    trial.check_finally()


@pytest.mark.skipif(not OTHER_DEVICE.is_dir(), reason="needs a second disk; /dev/shm is not here")
def test_inbox_and_outbox_on_another_disk(tmp_path: Path) -> None:
    if OTHER_DEVICE.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is the same disk as the tests' own")
    with tempfile.TemporaryDirectory(dir=OTHER_DEVICE) as name:
        other = Path(name)
        (other / "outbox").mkdir()
        trial = Trial(tmp_path / "w", 1, inbox=other / "inbox", outbox=other / "outbox")
        trial.drop(8)
        trial.finish()
        trial.check_finally()
        assert any((other / "outbox").rglob("*.png"))
        assert not any((tmp_path / "w" / "outbox").rglob("*.png"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB, where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"may not mount a disk: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("full", ["outbox", "workspace", "guard"])
def test_a_full_disk_pauses_the_queue_and_loses_nothing(full: str, small_disk: Path, tmp_path: Path) -> None:
    """The disk of outbox; the workspace's own, where results are staged; one that is full before a job starts."""
    (small_disk / "outbox").mkdir()
    trial = Trial(
        small_disk / "w" if full == "workspace" else tmp_path / "w",
        1,
        outbox=None if full == "workspace" else small_disk / "outbox",
        planted=f"small_disk={1_000_000 if full == 'guard' else 0}",
    )
    process = watching(trial)
    try:
        trial.drop(1, ["plain"])
        wait_until(lambda: state_of(trial, "done") == 1, "the first job was not done")
        _fill(small_disk / "filler", leave=800_000)
        data = _noise()
        trial.expect("noise.png", data)
        (trial.workspace.inbox / "upscale" / "folder.yaml").write_text("factor: 16\n")  # a result of 1.4 MB
        (trial.workspace.inbox / "upscale" / "noise.png").write_bytes(data)
        now = trial.root / ".hotfolder" / "now.json"
        reason = "is full" if full == "guard" else "No space left"
        wait_until(lambda: reason in _text(now), "the reason was not told")
        wait_until(lambda: not (trial.workspace.inbox / "upscale" / "noise.png").exists(), "the file was not taken")
        with trial.held_still(process.pid):
            trial.check_always()
        (small_disk / "filler").unlink()
        wait_until(lambda: state_of(trial, "done") == 2, "the queue did not go on")
        assert not trial.rows("select 1 from jobs where strikes>0 or attempts>1"), "a full disk counted as an attempt"
        (trial.workspace.inbox / "upscale" / "folder.yaml").unlink()
        end(trial, process)
    finally:
        process.kill()
    trial.check_finally()


def _noise() -> bytes:
    """A picture that grows large when it is enlarged."""
    file = io.BytesIO()
    Image.frombytes("RGB", (64, 48), random.Random(1).randbytes(64 * 48 * 3)).save(file, "PNG")
    return file.getvalue()


def _fill(path: Path, leave: int) -> None:
    """Take every free byte of a disk but `leave`."""
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - leave)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
