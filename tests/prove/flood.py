"""Twenty thousand files while nobody listens: more than the system's queue of file events holds."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.prove.scenes import end, watching
from tests.prove.trial import Trial, wait_until


@dataclass(frozen=True)
class Flood:
    """What was measured. `first_start_s` counts from the moment at which the files had settled."""

    files: int
    admitted: int
    per_s: float
    first_start_s: float
    peak_mb: float


def flood(folder: Path, files: int) -> Flood:
    """Stop the service with SIGSTOP, drop `files` pictures, let it go on, and count.

    After the first job has started, PAUSE in the inbox keeps the queue from running twenty thousand of them.

    Raises:
        AssertionError: a file was missed or taken twice.
    """
    settle_s = 1.0
    trial = Trial(folder, 1, settings=f"settle_s: {settle_s}")
    process = watching(trial)
    try:
        os.kill(process.pid, signal.SIGSTOP)
        picture, hot = trial.picture(0), trial.workspace.inbox / "upscale"
        for number in range(files):
            (hot / f"p{number:06}.png").write_bytes(picture + b"%d" % number)
        os.kill(process.pid, signal.SIGCONT)
        began = time.monotonic()
        wait_until(lambda: trial.rows("select 1 from jobs where started_at is not null limit 1"), "no job started", 60)
        first_start_s = time.monotonic() - began - settle_s
        (trial.workspace.inbox / "PAUSE").touch()
        limit_s = files / 20
        wait_until(lambda: _count(trial) >= files, "the files were not all taken", limit_s)
        took_s = time.monotonic() - began - settle_s
        peak_mb = _peak_mb(process.pid)
        end(trial, process)
    finally:
        process.kill()
    (row,) = trial.rows("select count(*) drops, count(distinct name) names from drops where state!='waiting'")
    assert row["drops"] == row["names"] == files, f"{files} files became {row}"
    left = [path for path in hot.iterdir() if path.suffix == ".png"]
    assert not left, f"{len(left)} files were missed"
    return Flood(files, int(str(row["drops"])), files / took_s, first_start_s, peak_mb)


def _count(trial: Trial) -> int:
    return int(str(trial.rows("select count(*) n from drops")[0]["n"]))


def _peak_mb(pid: int) -> float:
    """Return the most memory that a process has held, in 10**6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"process {pid} has no VmHWM")
