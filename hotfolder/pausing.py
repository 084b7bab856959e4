"""Why nothing new is started: somebody paused, a disk is away or full, or one has just refused to be written."""

import logging
import shutil
import sqlite3
import time

from hotfolder.workspace import Workspace

PAUSE_FILES = [f"{name}{suffix}" for name in ("PAUSE", "pause", "Pause") for suffix in ("", ".txt", ".TXT")]
MIN_FREE_BYTES = 256_000_000
TROUBLE_S = 30


class Pausing:
    """Looks at what pauses a workspace. What a disk refuses is tried again after half a minute."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._devices: tuple[int, int] | None = None
        self._trouble = ""
        self.trouble_until = 0.0
        """Monotonic seconds."""

    @property
    def in_trouble(self) -> bool:
        """Whether a disk refused something a short while ago."""
        return time.monotonic() < self.trouble_until

    def meet(self, error: OSError | sqlite3.OperationalError) -> str:
        """Note that a disk refused something; returns the reason to pause."""
        logging.getLogger("hotfolder").warning("%s; trying again in %d s", error, TROUBLE_S)
        self._trouble = f"a disk gives trouble ({error}); trying again in a moment"
        self.trouble_until = time.monotonic() + TROUBLE_S
        return self._trouble

    def reason(self) -> str | None:
        """Return why nothing new may be started, None when all goes on."""
        if self.in_trouble:
            return self._trouble
        inbox, outbox = self._workspace.inbox, self._workspace.outbox
        try:
            devices = inbox.stat().st_dev, outbox.stat().st_dev
        except OSError as error:
            return f"{error.filename} is not there; waiting for it to come back"
        self._devices = self._devices or devices
        if devices != self._devices:
            return "inbox or outbox lies on another disk than at the start; waiting for that disk to come back"
        for folder in (self._workspace.root, outbox):
            if shutil.disk_usage(folder).free < MIN_FREE_BYTES:
                return f"the disk of {folder} is full; waiting for {MIN_FREE_BYTES // 1_000_000} MB of room"
        if any((inbox / name).exists() for name in PAUSE_FILES):
            return "paused; `hotfolder resume` goes on"
        return None
