"""When a file is complete: unchanged for a while, and nobody writing it."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from hotfolder.intake.scan import Entry, Signature

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Stability:
    """Remembers since when each file has looked as it does. Pure: the time is passed in (monotonic seconds)."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[Signature, float]] = {}

    def observe(self, entries: Iterable[Entry], now: float) -> None:
        """Take in one scan; files that are not in it any more are forgotten."""
        seen: dict[str, tuple[Signature, float]] = {}
        for entry in entries:
            known = self._since.get(entry.path)
            seen[entry.path] = known if known and known[0] == entry.signature else (entry.signature, now)
        self._since = seen

    def ready_at(self, path: str, settle_s: float) -> float:
        """Return the moment from which the file counts as settled if it does not change until then."""
        return self._since[path][1] + settle_s


def is_being_written(path: Path) -> bool:
    """Say whether some process has the file open for writing, or mapped writable, as far as the system tells.

    Linux grants a read lease only when nobody does; it refuses to answer for other users' files and on some network
    disks, and other systems have no such call: then only the quiet period speaks.
    Source: fcntl(2), F_SETLEASE.
    """
    if fcntl is None or not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(fd)
    return False
