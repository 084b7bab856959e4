"""`hotfolder run`: the service with its words to the terminal: bars where there is one, plain lines elsewhere."""

import logging
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hotfolder import workspace as places
from hotfolder.catalog import store
from hotfolder.printing import safe
from hotfolder.service import Service
from hotfolder.workspace import Workspace

EXIT_FAILED = 1


class Teller:
    """Says what happens to jobs, as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
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
        """Tell one event of a job: started, progress, done, failed, requeued."""
        label = f"{job['id']} {job['kind']} {safe(job['name'])}"
        if event == "progress":
            of, step = job["of"] * job["pictures"], job["of"] * (job["picture"] - 1) + job["step"]
            if self._bar is None:
                self._bar = self._bars.add_task(label, total=of)
            self._bars.update(self._bar, total=of, completed=step)
            return
        if event != "started" and self._bar is not None:
            self._bars.remove_task(self._bar)
            self._bar = None
        if event == "failed":
            self.failed += 1
        words = {"started": "starts", "done": "done", "failed": f"failed: {safe(job.get('error') or '')}"}
        self._console.print(f"{label}: {words.get(event, event)}", markup=False, highlight=False, soft_wrap=True)


def run(workspace: Workspace, once: bool) -> int:
    """Run the service on a workspace; returns the exit code: 1 when `once` and some job failed."""
    console = Console()
    places.make_private(workspace)
    places.refuse_bad_folders(workspace)
    with places.hold(workspace), Teller(console) as teller:
        before = _last_ended(workspace)
        service = Service(workspace, tell=teller)
        service.stop_on_signals()
        if not once:
            console.print(
                f"Watching {workspace.inbox} (profile {workspace.settings.profile}); Ctrl-C stops.", markup=False
            )
        logging.getLogger("hotfolder").info("watching %s", workspace.inbox)
        service.run(once)
    if not once:
        return 0
    failed = _report(workspace, console, before)
    return EXIT_FAILED if failed else 0


def _last_ended(workspace: Workspace) -> str:
    if not workspace.catalog.is_file():
        return ""
    with store.reading(workspace.catalog) as catalog:
        row = catalog.row("select max(finished_at) at from jobs")
    return (row and row["at"]) or ""


def _report(workspace: Workspace, console: Console, since: str) -> int:
    """Name what waits and what failed during a `--once` run; returns how many failed."""
    with store.reading(workspace.catalog) as catalog:
        waiting = catalog.rows("select id, name, hot_folder, wait_reason from jobs where state='waiting' order by id")
        failed = catalog.rows(
            "select id, name, hot_folder, error from jobs where state='failed' and finished_at>?", since
        )
    for row in waiting:
        console.print(
            f"{row['id']} {safe(row['name'])} waits: {safe(row['wait_reason'])}", markup=False, soft_wrap=True
        )
    for row in failed:
        console.print(f"{row['id']} {safe(row['name'])} failed: {safe(row['error'])}", markup=False, soft_wrap=True)
    return len(failed)
