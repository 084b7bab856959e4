"""One run for each step of the protocol: killed there, checked, killed again during recovery in half of the runs,
then finished and checked once more."""

import os
import random
import shutil
import signal
import tempfile
from pathlib import Path

from tests.prove.trial import Trial, crash_points

OTHER_DEVICE = Path("/dev/shm")
RECOVERY = {"recover_given_back": "claim_flushed", "recover_requeued": "run_started", "recover_published": "intended"}
"""Steps of the recovery itself, each with a step at which the service dies first so that there is something to do."""
FOLLOWING = {"follow_jobs_put", "follow_recorded"}
"""Steps that need somebody who has kept pictures."""
ONCE_ONLY = {"claim_intent", "claim_folders", "claim_flushed", "claim_committed", "recover_requeued",
             "recover_published", *FOLLOWING}  # fmt: skip


def crash_run(folder: Path, point: str, seed: int, planted: str = "", count: int | None = None) -> int:
    """Kill at the `count`-th passing of `point` and prove recovery; returns the number of SIGKILLs that struck.

    Raises:
        AssertionError: a promise was broken, or the step was never reached.
    """
    chance = random.Random(f"{point}:{seed}")
    needs_device = point == "claim_copied"
    inbox = Path(tempfile.mkdtemp(dir=OTHER_DEVICE)) if needs_device else None
    try:
        trial = Trial(folder, seed, inbox, planted=planted)
        if point in FOLLOWING:
            trial.drop(2, ["kept"])
            trial.finish()
            trial.keep()
        trial.drop(1, ["chain"])
        trial.drop(5)
        count = count or (1 if point in ONCE_ONLY or point in RECOVERY else chance.randint(1, 3))
        if first := RECOVERY.get(point):
            _kill_service_at(trial, first)
            trial.check_always()
        if point == "reason_written":
            trial.drop(1)
            count = 1
            trial.drop_broken_alone()
        process = trial.start(point, count)
        assert trial.wait_for_death(process), f"{point} was never reached (seed {seed})"
        trial.check_always()
        if chance.random() < 0.5:
            again = chance.choice([step for step in crash_points() if step not in {"claim_copied", *FOLLOWING}])
            trial.wait_for_death(trial.start(again, 1))
            (folder / ".hotfolder" / "die").unlink(missing_ok=True)
            trial.check_always()
        trial.drop(1)
        trial.finish()
        trial.check_finally()
        return trial.kills
    finally:
        if inbox:
            shutil.rmtree(inbox)


def _kill_service_at(trial: Trial, point: str) -> None:
    """Let the service itself die at a step; steps in the worker are survived by the service, so both are killed."""
    process = trial.start(point, 1, once=False)
    if point == "run_started":
        while (trial.root / ".hotfolder" / "die").exists() and process.poll() is None:
            pass
        os.kill(process.pid, signal.SIGKILL)
    trial.wait_for_death(process)
    (trial.root / ".hotfolder" / "die").unlink(missing_ok=True)
