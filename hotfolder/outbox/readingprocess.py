"""The service's end of the pipe to the process that reads pictures."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hotfolder.childprocess import ChildProcess
from hotfolder.workspace import Workspace

PATIENCE_S = 120.0
"""Seconds for one picture; then the process is ended, and the picture is one that cannot be read."""

AT_ONCE = 16
"""Orders that are sent together; twice as many may be under way."""


class ReadingProcess:
    """Reads pictures one after another, each by its path in the catalog; the process is there while there are some.
    `ring` is called when there is an answer."""

    def __init__(self, workspace: Workspace, ring: Callable[[], None]) -> None:
        self._log = workspace.private / "logs" / "reading.log"
        self._ring = ring
        self._process: ChildProcess | None = None
        self._orders: dict[str, dict[str, Any]] = {}
        self._unsent: list[str] = []
        self._heard_at = 0.0

    @property
    def is_busy(self) -> bool:
        return bool(self._orders)

    @property
    def due_at(self) -> float:
        """When a picture that is being read has taken too long; monotonic seconds."""
        return self._heard_at + PATIENCE_S

    def ask(self, orders: list[tuple[str, Path, int]]) -> None:
        """Have pictures read: path, file, and up to how many pixels it is decoded, 0 for not."""
        for path, file, max_pixels in orders:
            self._orders[path] = {"path": path, "file": str(file), "max_pixels": max_pixels}
            self._unsent.append(path)
        self._send()

    def hear(self) -> list[dict[str, Any]]:
        """Return the answers that have come: `said`, or `unreadable` with `why`."""
        answers = []
        for message in self._process.hear() if self._process else ():
            self._heard_at = time.monotonic()
            if message["event"] == "died":
                answers += self._without_the_first(f"the process that read it ended: {message['how']}")
                break
            if self._orders.pop(message["path"], None):
                answers.append(message)
        if self._orders and time.monotonic() >= self.due_at:
            answers += self._without_the_first(f"it took more than {PATIENCE_S:g} s to read")
        if not self._orders:
            self.end()
        elif answers:
            self._send()
        return answers

    def end(self) -> None:
        """Stop reading; what was not answered is forgotten."""
        if self._process:
            self._process.kill()
        self._process, self._orders, self._unsent = None, {}, []

    def _without_the_first(self, why: str) -> list[dict[str, Any]]:
        """Give up the picture that was being read, and have the others read by a new process."""
        orders = list(self._orders.values())
        self.end()
        if not orders:
            return []
        self._orders = {order["path"]: order for order in orders[1:]}
        self._unsent = list(self._orders)
        if self._orders:
            self._send()
        return [{"event": "unreadable", "path": orders[0]["path"], "why": why}]

    def _send(self) -> None:
        """Keep the process in work, without filling the pipe to it: that would stop the service."""
        if self._process is None:
            self._process = ChildProcess("hotfolder.outbox.reading", [], self._log, self._ring)
            self._heard_at = time.monotonic()
        if self._unsent and len(self._orders) - len(self._unsent) < AT_ONCE:
            paths, self._unsent = self._unsent[:AT_ONCE], self._unsent[AT_ONCE:]
            self._process.send({"orders": [self._orders[path] for path in paths]})
