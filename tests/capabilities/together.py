"""Files that belong together, found together."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.service.living import Living, poll


@contextlib.contextmanager
def at_once(place: Living) -> Iterator[None]:
    """Hold the service still while files are dropped: it then finds all of them, however long the test took; or while
    they are copied: none changes or goes meanwhile.

    It takes a file that has not changed for 0.05 s. A picture whose job file comes later than that is worked on without
    it, and a job file that is wrong fails without its picture.
    """
    assert place.process
    threads = Path(f"/proc/{place.process.pid}/task")
    os.kill(place.process.pid, signal.SIGSTOP)
    try:
        poll(lambda: all(_is_stopped(thread) for thread in threads.iterdir()), "service that holds still")
        yield
    finally:
        os.kill(place.process.pid, signal.SIGCONT)


def _is_stopped(thread: Path) -> bool:
    """Say whether a thread is stopped, or over. Source: proc(5), the letter behind the name in brackets."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] in "TtZX"
    except OSError:
        return True
