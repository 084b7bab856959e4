"""`hotfolder run`: the service with its words to the terminal: bars where there is one, plain lines elsewhere."""

import signal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hotfolder import workspace as places
from hotfolder.catalog import chains, store
from hotfolder.service import Service
from hotfolder.statuswords import safe
from hotfolder.workspace import Workspace

EXIT_FAILED = 1


def label_of(job: dict[str, Any]) -> str:
    """Return how a job is called: number, kind where it is known, name."""
    kind = "" if job["kind"] == "unknown" else f"{job['kind']} "
    return f"{job['id']} {kind}{safe(job['name'])}"


def waits(job: dict[str, Any]) -> str:
    """Return a waiting job's reason, which may itself begin with that word."""
    reason = safe(job.get("wait_reason") or "")
    return reason if reason.startswith("waits") else f"waits: {reason}"


class Teller:
    """Says what happens to jobs, as it happens."""

    def __init__(self, console: Console, tells_waiting: bool) -> None:
        self._console = console
        self._tells_waiting = tells_waiting
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._bar: TaskID | None = None
        self.failed = 0

    def __enter__(self) -> "Teller":
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def __call__(self, job: dict[str, Any], event: str) -> None:
        """Tell one event of a job: started, progress, done, failed, waiting, requeued; or of a model: fetching."""
        if event == "fetching":
            self._console.print(job["says"], markup=False, highlight=False, soft_wrap=True)
            return
        label = label_of(job)
        if event == "progress":
            of, step = job["of"] * job["pictures"], job["of"] * (job["picture"] - 1) + job["step"]
            if self._bar is None:
                self._bar = self._bars.add_task(label, total=of)
            self._bars.update(self._bar, total=of, completed=step)
            return
        if event != "started" and self._bar is not None:
            self._bars.remove_task(self._bar)
            self._bar = None
        self.failed += event == "failed"
        if event == "waiting" and not self._tells_waiting:
            return
        words = {
            "started": "starts",
            "done": "; ".join((f"done: {', '.join(job.get('made', ()))}", *map(safe, job.get("notes", ())))),
            "failed": f"failed: {safe(job.get('error') or '')}",
            "waiting": waits(job),
            "requeued": "is queued again: its worker ended before it did",
            "cancelled": "cancelled",
            "stopping": "is let finish before hotfolder stops",
            "put back": "did not finish in time; it runs again at the next start",
        }
        self._console.print(f"{label}: {words[event]}", markup=False, highlight=False, soft_wrap=True)


def run(workspace: Workspace, once: bool) -> int:
    """Run the service on a workspace; returns the exit code: 1 when `once` and some job failed."""
    console = Console()
    places.make_private(workspace)
    places.refuse_bad_folders(workspace)
    with places.hold(workspace), Teller(console, tells_waiting=not once) as teller:
        service = Service(workspace, tell=teller)
        _stop_on_signals(service)
        if not once:
            profile = workspace.settings.profile
            console.print(
                f"Watching {workspace.inbox} (profile {profile}); Ctrl-C stops.", markup=False, soft_wrap=True
            )
        service.run(once)
    if once:
        _name_waiting(workspace, console)
        if service.paused:
            console.print(f"Nothing new was started: {service.paused}", markup=False, highlight=False, soft_wrap=True)
    return EXIT_FAILED if once and teller.failed else 0


def _stop_on_signals(service: Service) -> None:
    """Let SIGINT and SIGTERM stop the service gently."""

    def stop(number: int, frame: object) -> None:
        service.stopping = True
        service.look_soon()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _name_waiting(workspace: Workspace, console: Console) -> None:
    """Say what was left and why."""
    with store.reading(workspace.catalog) as catalog:
        waiting = catalog.rows("select * from jobs where state='waiting' order by id")
    own = {row["id"] for row in waiting}
    for row in (row for row in waiting if not own & set(chains.after(row))):  # later steps wait for the one named
        console.print(f"{label_of(row)}: {waits(row)}", markup=False, highlight=False, soft_wrap=True)
