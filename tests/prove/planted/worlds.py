"""What the world may do to a correct hotfolder: these are no faults of its own. They are planted before any fault."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from planting import planted

from hotfolder import atomic


@planted
def gate(path: str) -> None:
    """A job that takes its time: each waits at its start until the file `path` is there."""
    before = atomic.crash_point

    def crash_point(name: str) -> None:
        before(name)
        while name == "run_started" and not Path(path).exists():
            time.sleep(0.01)

    atomic.crash_point = crash_point


@planted
def poison(_: str) -> None:
    """A job that kills the process it runs in."""
    before = atomic.crash_point

    def crash_point(name: str) -> None:
        before(name)
        if name == "run_started":
            os.kill(os.getpid(), signal.SIGKILL)

    atomic.crash_point = crash_point


@planted
def torn_disk(_: str) -> None:
    """A disk that loses the second half of every picture written to it, and says nothing."""
    from hotfolder.metadata import write

    save = write.save

    def torn(image: Any, path: Path, *rest: Any) -> None:
        save(image, path, *rest)
        os.truncate(path, path.stat().st_size // 2)

    write.save = torn


@planted
def no_events(_: str) -> None:
    """A system that reports no changes to folders."""
    from hotfolder.intake import watch

    def refuse(self: object) -> None:
        self._observer = None

    watch.Watch._start = refuse


@planted
def small_disk(least_bytes: str) -> None:
    """Let the service use a disk down to `least_bytes`, and try again soon after trouble."""
    from hotfolder import pausing

    pausing.MIN_FREE_BYTES, pausing.TROUBLE_S = int(least_bytes), 1
