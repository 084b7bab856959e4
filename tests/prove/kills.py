"""Kills at random moments: of the service, of its worker, of both, while files are dropped."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.prove.trial import Trial, workers_of

AHEAD = 24
"""Drops beyond what the kills so far have earned: enough that a job put behind the others meets no second kill."""
WITHOUT_RUNNING = 0.25
"""How many of the services are killed while they start and recover."""


def random_kills(folder: Path, seed: int, kills: int, files: int) -> dict[str, int]:
    """Drop `files` files in waves and kill `kills` times; returns what happened, counted.

    Raises:
        AssertionError: a promise was broken.
    """
    trial = Trial(folder, seed)
    starts = 0
    while trial.kills < kills:
        earned = files * trial.kills // kills + AHEAD
        trial.drop(min(files, earned) - dropped(trial))
        _one_life(trial, files)
        starts += 1
    trial.drop(files - dropped(trial))
    trial.finish(600)
    failed = trial.check_finally(forgiven=True)
    (row,) = trial.rows("select count(*) jobs, sum(attempts) attempts, sum(requeues) requeues, sum(strikes) strikes "
                        "from jobs where state!='waiting'")  # fmt: skip
    counted = {name: int(str(value or 0)) for name, value in row.items()}
    return {"kills": trial.kills, "starts": starts, "drops": dropped(trial), "failed by kills": failed, **counted}


def dropped(trial: Trial) -> int:
    """How many drops there were: each has one picture."""
    return sum(one.name.endswith(".png") for one in trial.expected.values())


def _one_life(trial: Trial, files: int) -> None:
    """Start the service, kill its workers a few times, and then itself; check at each kill that leaves it standing."""
    chance = trial.random
    process = trial.start(once=False)
    if chance.random() < WITHOUT_RUNNING:
        time.sleep(chance.uniform(0.0, 0.8))  # the moment of the kill, not a wait for something
    else:
        for _ in range(chance.randint(0, 3)):
            time.sleep(chance.uniform(0.2, 1.5))
            if chance.random() < 0.3 and dropped(trial) < files:
                trial.drop(1)
            _kill_workers(trial, process)
        time.sleep(chance.uniform(0.1, 2.0))
    workers = workers_of(process.pid) if chance.random() < 0.5 else []
    for pid in [*workers, process.pid]:
        trial.kills += _kill(pid)
    _, errors = process.communicate()
    assert b"Traceback" not in errors, errors.decode(errors="replace")
    trial.check_always()


def _kill_workers(trial: Trial, process: subprocess.Popen[bytes]) -> None:
    """Kill the worker and look at what it left while the service is held still."""
    with trial.held_still(process.pid):
        for pid in workers_of(process.pid):
            trial.kills += _kill(pid)
        trial.check_always()


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
