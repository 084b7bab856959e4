"""The watching process: takes files in, plans, publishes, and is the one writer of the catalog. Never imports torch.

`Service.run` is the way of a file, read from top to bottom.
"""

import logging
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from hotfolder import atomic, control, gpu, machine, orders, publish
from hotfolder.catalog import chains, queue
from hotfolder.catalog.store import Catalog
from hotfolder.errors import HotfolderError, OutOfMemory, WorkerLost
from hotfolder.fetcher import Fetcher
from hotfolder.intake.taking import Taking
from hotfolder.intake.watch import Watch, watching
from hotfolder.models.placement import Machine
from hotfolder.outbox.following import Following
from hotfolder.pausing import Pausing
from hotfolder.publish import Staged
from hotfolder.recovery import pick_up_stranded, recover
from hotfolder.statuspage import StatusPage
from hotfolder.telling import Telling
from hotfolder.working import Working
from hotfolder.workspace import Workspace

log = logging.getLogger("hotfolder")

PAUSE_S = 1.0
"""While paused, how often it is looked whether that is over; taking a file away makes no event."""
LOOK_COST = 5
"""Looking at the inbox, and again at what waits there, is followed by a rest this many times as long."""


class Service:
    """One service on one workspace. `tell(job, event)` is called with each job that starts, moves on or ends."""

    def __init__(
        self,
        workspace: Workspace,
        tell: Callable[[dict[str, Any], str], None] = lambda job, event: None,
        machine: Callable[[], Machine] = machine.facts,
        nvml: Callable[[], Any] = gpu.nvml,
    ) -> None:
        self.workspace = workspace
        self.machine = lambda: machine().limited(workspace.settings.memory_gb)
        self.catalog = Catalog(workspace.catalog)
        self.tell = tell
        self.taking: Taking
        self.stopping = False
        self.paused: str | None = None
        self._bell = threading.Event()
        self._look_at = self._look_not_before = 0.0
        self._stranded = self._filed = False
        self._page = StatusPage(workspace)
        self._telling = Telling(workspace, self._page.look)
        self._pausing = Pausing(workspace)
        self._fetcher = Fetcher(workspace, self.catalog, self._bell.set, tell)
        self._following = Following(workspace, self.catalog, self._bell.set)
        self._monitor = gpu.Monitor(self._bell.set, lambda: self._working.loaded, nvml)
        self._working = Working(workspace, self._monitor, self._bell.set)

    def run(self, once: bool = False) -> None:
        """Watch until stopped; with `once`, until nothing more can run. The caller holds the workspace.

        Raises:
            ConfigError: the catalog was moved away or replaced meanwhile.
        """
        self._monitor.start()
        self._following.start()
        self._stranded = recover(self.workspace, self.catalog)
        self.taking = Taking(self.workspace, self.catalog, random.Random(), self.machine, self._fetcher.sentences)
        try:
            with watching([self.workspace.inbox, self.workspace.control], self.look_soon) as watch:
                self._watch(watch, once)
        finally:
            self._fetcher.end()
            self._following.end()
            self._working.let_go()
        self.tell_now(None)
        self._page.end()
        self.catalog.close()

    def _watch(self, watch: Watch, once: bool) -> None:
        while not self.stopping:
            self._bell.clear()
            try:
                self.catalog.refuse_replaced()
                self.take_commands()
                self.paused = self._pausing.reason() or self._following.away
                self.take_in(watch)
                if self._fetcher.step(time.monotonic(), tries_again=not once):
                    self.look_soon()
                self.hear_worker()
                if not self._pausing.in_trouble:
                    self._monitor.keep(self.catalog)
                    if self._following.step():
                        self.look_soon()
                self.pick_up_stranded()
                self.start_next()
            except (OSError, sqlite3.OperationalError) as error:
                self.paused, self._stranded = self._pausing.meet(error), True
            self.tell_now(watch)
            if once and self.is_drained():
                break
            self.rest()
        try:
            self.finish_running(watch)
            self._monitor.keep(self.catalog)
        except (OSError, sqlite3.OperationalError) as error:
            log.warning("%s; the next start goes on from here", error)

    def look_soon(self) -> None:
        """Something happened in the inbox; safe from any thread."""
        self._look_at = 0.0
        self._bell.set()

    # -- what people ask for ------------------------------------------------------------------------------------

    def take_commands(self) -> None:
        """Do what `hotfolder cancel`, `retry` and `stop` wrote into .hotfolder/control."""
        for command in control.take(self.workspace):
            log.info("%s %s", command.verb, command.job or "")
            if command.verb == "stop":
                self.stopping = True
            elif command.verb == "cancel" and command.job:
                self.cancel(command.job)
            elif command.verb == "retry" and command.job:
                control.put_back_in_inbox(self.workspace, self.catalog, command.job)

    def cancel(self, job: int) -> None:
        """End a waiting, queued or running job as cancelled, and with it what is not done of its chain."""
        final = (*queue.ENDED, "publishing")
        row = self.catalog.row(
            "select jobs.*, drops.state drop_state from jobs join drops on drops.id=drop_id where jobs.id=?", job
        )
        if row is None or row["state"] in final:
            return
        if row["drop_state"] == "waiting":
            self.taking.cancel_waiting(row)
        else:
            chain = [step for step in chains.steps_of(self.catalog, row) if step["state"] not in final]
            if self._running_id in [step["id"] for step in chain]:
                self._working.lose()
            with self.catalog.transaction():
                for step in chain:
                    queue.put_end(self.catalog, step["id"], "cancelled", "cancelled")
        self.tell(row, "cancelled")
        self.file_away_if_ended(row["drop_id"])

    def pick_up_stranded(self) -> None:
        """Go on with jobs that disk trouble left halfway."""
        if self._pausing.in_trouble or not self._stranded:
            return
        pick_up_stranded(self.workspace, self.catalog, self._running_id)
        self._stranded, self._look_at = False, 0.0  # what comes after these is among what waits

    # -- from the inbox to the queue ----------------------------------------------------------------------------

    def take_in(self, watch: Watch) -> None:
        """Look at the inbox when it is time to, and take what has settled, a batch at a time."""
        began = time.monotonic()
        if self._pausing.in_trouble:
            return
        if not self.taking.settled and began >= max(self._look_at, self._look_not_before):
            watch.mend()
            # set before looking: an event that comes meanwhile must not be forgotten
            self._look_at = began + self.workspace.settings.rescan_s
            self.taking.look(began)
            self.wake_waiting()
            self._fetcher.look_what_lacks()
            looked = time.monotonic()
            self._rest_from_looking(looked - began)
            began = looked
            if self.taking.next_settles is not None:
                self._look_at = min(self._look_at, self.taking.next_settles)
                if self.taking.unsettled > len(self.taking.waiting):
                    # most of what lies there will be taken then: that look is no waste
                    self._look_not_before = min(self._look_not_before, self.taking.next_settles)
        if self.taking.settled:
            taken = self.taking.take_some()
            for one in taken:
                self.tell_all(one.drop, "failed")
                self.file_away_if_ended(one.drop)
            while self.taking.newly_waiting:
                self.tell_all(self.taking.newly_waiting.pop(), "waiting")
                self._fetcher.look_what_lacks()
            if not taken:
                self._rest_from_looking(time.monotonic() - began)

    def _rest_from_looking(self, took_s: float) -> None:
        """Keep what looking at the inbox costs in proportion, however much waits there."""
        self._look_not_before = max(self._look_not_before, time.monotonic()) + LOOK_COST * took_s

    def tell_all(self, drop: str, state: str) -> None:
        """Tell of the jobs of a drop that were refused, or wait, when it was looked at."""
        for row in self.catalog.rows("select * from jobs where drop_id=? and state=?", drop, state):
            self.tell(row, state)

    def wake_waiting(self) -> None:
        """Queue claimed jobs that waited for something which is there now."""
        for row in self.catalog.rows(
            "select jobs.* from jobs join drops on drops.id=drop_id "
            "where jobs.state='waiting' and drops.state='claimed' order by jobs.id"
        ):
            self.reconsider(row)
            self.file_away_if_ended(row["drop_id"])

    def reconsider(self, job: dict[str, Any]) -> None:
        """Queue a claimed job that waited, if it can run now, or end it if it never can."""
        self.taking.reconsider(job)
        for ended in self.catalog.rows("select * from jobs where id=? and state in ('failed','cancelled')", job["id"]):
            self.tell(ended, ended["state"])

    # -- from the queue to outbox -------------------------------------------------------------------------------

    def start_next(self) -> None:
        """Give the worker the job the planner picks; one whose model does not fit this machine any more waits."""
        if self._working.running or self.paused or self.stopping:
            return
        picked = orders.pick(self.workspace, self.catalog, self._working.loaded)
        if picked is None or not (job := queue.claim_job(self.catalog, picked.id)):
            return
        atomic.crash_point("job_claimed")
        try:
            order = orders.order(self.workspace, self.catalog, job, self.machine())
        except HotfolderError as error:  # the profile or the card is another than when the job was taken in
            self._put_waiting(job, str(error))
            return
        self._working.begin(job, order)
        self.tell(job, "started")

    def hear_worker(self) -> None:
        """Act on what the worker said; notice when it died or hangs."""
        for message in self._working.hear():
            if message["event"] == "progress" and self._working.running:
                self.tell({**self._working.running.job, **message}, "progress")
            elif message["event"] == "done":
                self.publish_result(message)
            elif message["event"] == "failed":
                self.take_failure(message)
            elif message["event"] == "died" and self._working.running:
                self.strike(WorkerLost(message["why"]))

    def publish_result(self, message: dict[str, Any]) -> None:
        """Intend, link, record, file away; the worker starts on the next job first."""
        job, energy_wh = self._working.end_job()
        staged = [Staged(**one) for one in message["staged"]]
        publish.intend(self.workspace, self.catalog, job, staged, message | {"energy_wh": energy_wh})
        self.start_next()
        publish.publish(self.workspace, self.catalog, job["id"])
        self.tell({**job, "made": chains.made(self.catalog, job), "notes": message.get("notes", [])}, "done")
        self.file_away_if_ended(job["drop_id"])

    def take_failure(self, message: dict[str, Any]) -> None:
        """Let a job wait, put it back until its disk has room, try it in a fresh worker, or end it as failed."""
        if message.get("retryable"):
            self._working.let_go()
            self.strike(OutOfMemory(message["error"]))
            return
        job, _ = self._working.end_job()
        if message["waits"]:
            self._put_waiting(job, message["error"])
            return
        if message.get("disk_full"):
            # first of all room for the catalog, if they share the disk
            shutil.rmtree(publish.job_folder(self.workspace, job), ignore_errors=True)
            with self.catalog.transaction():
                queue.put_back(self.catalog, job["id"])
            self.paused, self._stranded = self._pausing.meet(OSError(message["error"])), True
            return
        with self.catalog.transaction():
            queue.put_end(self.catalog, job["id"], "failed", message["error"])
        self.tell({**job, "error": message["error"]}, "failed")
        self.file_away_if_ended(job["drop_id"])

    def strike(self, error: WorkerLost | OutOfMemory) -> None:
        """The worker is gone: its job goes back with a strike, and the second strike fails it."""
        job, _ = self._working.end_job()
        log.warning("job %s: %s", job["id"], error)
        with self.catalog.transaction():
            queue.put_requeue(self.catalog, job["id"], error=error)
        after = self.catalog.row("select state, error from jobs where id=?", job["id"])
        assert after
        self.tell({**job, **after}, "failed" if after["state"] == "failed" else "requeued")
        self.file_away_if_ended(job["drop_id"])

    def file_away_if_ended(self, drop: str) -> None:
        """Go on with the jobs of a drop that came after one which has ended; once its last one has, move its files to
        done/ or failed/."""
        for row in queue.followers(self.catalog, drop):
            self.reconsider(row)
        if queue.is_ended(self.catalog, drop):
            publish.file_away(self.workspace, self.catalog, drop)
            self._filed = True

    def _put_waiting(self, job: dict[str, Any], reason: str) -> None:
        with self.catalog.transaction():
            queue.put_waiting(self.catalog, job["id"], reason)

    @property
    def _running_id(self) -> int | None:
        return self._working.running.job["id"] if self._working.running else None

    # -- the loop's own business --------------------------------------------------------------------------------

    def is_drained(self) -> bool:
        """Say whether nothing runs, nothing can run, and nothing is settling."""
        if self._working.running or self.taking.settled or self.taking.unsettled:
            return False
        if self.paused is not None:
            return True
        if self._fetcher.is_busy or self._following.is_busy or self._look_at == 0.0:
            return False
        if self._filed and self.catalog.row("select 1 from jobs where state='waiting' limit 1"):
            self._filed, self._look_at = False, 0.0  # what waits may have waited for what is in done/ or outbox now
            return False
        return self.catalog.row("select 1 from jobs where state='queued' limit 1") is None

    def rest(self) -> None:
        """Sleep until something rings or is due."""
        if self.taking.settled:
            return
        looks_at = max(self._look_at, self._look_not_before, self._pausing.trouble_until)
        follows_at = max(self._following.due_at, self._pausing.trouble_until)
        due_at = min(looks_at, follows_at, self._fetcher.due_at, self._telling.due_at, self._working.hangs_at)
        rest_s = due_at - time.monotonic()
        self._bell.wait(max(0.0, min(rest_s, PAUSE_S) if self.paused else rest_s))

    def finish_running(self, watch: Watch) -> None:
        """Let the running job end within the grace time; else put it back where it was."""
        until = time.monotonic() + self.workspace.settings.stop_grace_s
        if self._working.running:
            self.tell(self._working.running.job, "stopping")
        while self._working.running and time.monotonic() < until:
            self._bell.wait(0.1)
            self._bell.clear()
            self.hear_worker()
            self.tell_now(watch)
        if self._working.running:
            job = self._working.running.job
            self._working.lose()
            with self.catalog.transaction():
                queue.put_back(self.catalog, job["id"])
            self.tell(job, "put back")

    def tell_now(self, watch: Watch | None) -> None:
        """Write what happens now, for `status`; at once when the service ends."""
        if watch and not self._telling.is_time():
            return
        now = {
            "model": self._working.loaded[-1] if self._working.loaded else "",
            "fetching": self._fetcher.saying,
            "paused": "stopping; the running job may finish first" if self.stopping else self.paused,
            "profile": self.workspace.settings.profile,
            "watcher": watch.state if watch else "stopped",
            "settling": self.taking.unsettled,
            "not_taken": self.taking.strangers[:100],
            "gpu": self._monitor.told(),
        }
        self._telling.tell(now, self._working.running)
