"""What the service is doing this moment, written for whoever asks: `status`, and the pages that show it."""

import contextlib
import json
import math
import time
from collections.abc import Callable
from typing import Any

from hotfolder.working import Running
from hotfolder.workspace import Workspace

TELL_S = 0.5
"""At most this often, in seconds, what happens now is written."""


class Telling:
    """Writes `.hotfolder/now.json`; `told` is called after each time. `due_at` is when it has to write again, infinite
    while nothing is held back."""

    def __init__(self, workspace: Workspace, told: Callable[[], None]) -> None:
        self._workspace = workspace
        self._told = told
        self._told_at = 0.0
        self.due_at = math.inf

    def is_time(self) -> bool:
        """Say whether to tell now; if not, it is noted that something is untold."""
        due = self._told_at + TELL_S
        self.due_at = due if time.monotonic() < due else math.inf
        return self.due_at == math.inf

    def tell(self, now: dict[str, Any], running: Running | None) -> None:
        """Write what happens now and what runs, if something does."""
        self._told_at = time.monotonic()
        part = self._workspace.now.with_suffix(".part")
        with contextlib.suppress(OSError):  # on a full disk `status` is old for a while; the terminal has the reason
            part.write_text(json.dumps(now | (running.told() if running else {})), encoding="utf-8")
            part.replace(self._workspace.now)
        self._told()
