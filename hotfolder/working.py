"""The worker while it works: its process, the job that it has and how far that is, the models in its memory."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hotfolder.gpu import Monitor
from hotfolder.workerprocess import WorkerProcess
from hotfolder.workspace import Workspace


@dataclass
class Running:
    """The job that the worker has, and how far it has come. Times are monotonic seconds."""

    job: dict[str, Any]
    heard_at: float = field(default_factory=time.monotonic)
    progress: dict[str, Any] = field(default_factory=dict)
    first_step: dict[str, Any] = field(default_factory=dict)
    first_step_at: float = 0.0

    def move_on(self, message: dict[str, Any]) -> None:
        """Take note of a `progress` message. The pace is counted from the first one: loading is not in it."""
        if not self.progress:
            self.first_step, self.first_step_at = message, self.heard_at
        self.progress = message

    def told(self) -> dict[str, Any]:
        """Return what `.hotfolder/now.json` says of it."""
        return {
            "job": {name: self.job[name] for name in ("id", "kind", "name", "started_at")},
            "progress": self.progress,
            "first_step": self.first_step,
            "stepping_s": round(self.heard_at - self.first_step_at, 3),
        }


class Working:
    """One worker at a time, begun when there is work. `running` is the job that it has, `loaded` are the models in its
    memory; `monitor` measures the card as long as it has a job."""

    def __init__(self, workspace: Workspace, monitor: Monitor, ring: Callable[[], None]) -> None:
        self.running: Running | None = None
        self.loaded: list[str] = []
        self._workspace, self._monitor, self._ring = workspace, monitor, ring
        self._worker: WorkerProcess | None = None

    @property
    def hangs_at(self) -> float:
        """When the worker has been silent for too long; infinite while it has no job."""
        return self.running.heard_at + self._workspace.settings.job_timeout_s if self.running else math.inf

    def begin(self, job: dict[str, Any], order: dict[str, Any]) -> None:
        """Give the worker a job: its row, and what it is told of it."""
        if self._worker is None:
            self._worker = WorkerProcess(self._workspace, self._ring)
        self.running = Running(job)
        self._worker.send(order)
        self._monitor.begin(job["id"])

    def hear(self) -> Iterator[dict[str, Any]]:
        """Yield what the worker said; the last is `died`, with a sentence in `why`, when it died or was killed because
        it hung."""
        worker = self._worker
        if worker is None:
            return
        for message in worker.hear():
            if self.running:
                self.running.heard_at = time.monotonic()
            self.loaded = message.get("loaded", self.loaded)
            if message["event"] == "died":
                self._worker, self.loaded = None, []
                yield {**message, "why": f"The worker died while it ran this job: {message['how']}."}
                return
            if message["event"] == "progress" and self.running:
                self.running.move_on(message)
            yield message
        if time.monotonic() > self.hangs_at:
            self._kill()
            silent_s = self._workspace.settings.job_timeout_s
            yield {
                "event": "died",
                "why": f"The worker gave no sign of life for {silent_s:g} s while it ran this job.",
            }

    def end_job(self) -> tuple[dict[str, Any], float | None]:
        """The running job has left the worker: return its row, and the watt-hours that the card took for it, None where
        that is not known."""
        assert self.running
        energy_wh = self._monitor.end()
        job, self.running = self.running.job, None
        return job, energy_wh

    def lose(self) -> None:
        """End the worker at once, and with it its job."""
        self._kill()
        self._monitor.end()
        self.running = None

    def let_go(self) -> None:
        """Let an idle worker leave by itself."""
        if self._worker:
            self._worker.end(grace_s=10)
        self._worker, self.loaded = None, []

    def _kill(self) -> None:
        if self._worker:
            self._worker.kill()
        self._worker, self.loaded = None, []
