"""A real service on a scratch workspace: spoken to as a user does, looked at from outside."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from hotfolder import status
from hotfolder import workspace as places
from hotfolder.catalog import queue, store
from hotfolder.status import Status

ROOT = Path(__file__).parents[2]
SETTINGS = "settle_s: 0.05\nrescan_s: 0.5\n"
T = TypeVar("T")


def poll(look: Callable[[], T | None], what: str, deadline_s: float = 120) -> T:
    """Return what `look` finds as soon as it finds something; AssertionError after the deadline."""
    until = time.monotonic() + deadline_s
    while not (found := look()):
        assert time.monotonic() < until, f"in {deadline_s:g} s there was no {what}"
        time.sleep(0.03)
    return found


def picture(width: int = 24, height: int = 16, colour: object = (200, 80, 40), form: str = "PNG") -> bytes:
    """Return the bytes of a plain picture."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, form)
    return file.getvalue()


def hotfolder(root: Path, *words: str, timeout_s: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command on a workspace to its end."""
    return subprocess.run(
        [sys.executable, "-m", "hotfolder", "--workspace", str(root), *words],
        capture_output=True, text=True, timeout=timeout_s, cwd=ROOT, env=os.environ | environment,
    )  # fmt: skip


def processes(service: int, module: str) -> list[int]:
    """Return the processes of a service that run a module; other services may run at the same time."""
    children = Path(f"/proc/{service}/task/{service}/children").read_text().split()
    return [int(pid) for pid in children if module.encode() in command_line(int(pid)).split(b"\0")]


def command_line(pid: int) -> bytes:
    """Return what a process was started with; nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_still(pid: int) -> bool:
    """Say whether each thread of a process is stopped, or over. Source: proc(5), the letter behind the name."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (thread / "stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
                return False
    return True


def noon() -> str:
    """Return a time zone in which it is noon now: for tests of what lies in a day's folder, no midnight comes."""
    now = time.gmtime()
    ahead = 12 * 60 - (60 * now.tm_hour + now.tm_min)
    return f"NOON{'-' if ahead >= 0 else '+'}{abs(ahead) // 60:02}:{abs(ahead) % 60:02}"


@contextlib.contextmanager
def at_once(place: "Living") -> Iterator[None]:
    """Hold a service still while files are dropped, changed or copied: it then finds all that was done as done at once.

    It takes a file that has not changed for 0.05 s: a picture whose job file comes later is worked on without it. And
    a picture that is away for 2 s counts as deleted.
    """
    assert place.process
    pid = place.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        poll(lambda: is_still(pid), "service that holds still")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Living:
    """One workspace, and the service that lives on it between `start` and `end`."""

    def __init__(self, root: Path, settings: str = "") -> None:
        self.root = root
        places.init(root)
        (root / "hotfolder.yaml").write_text(SETTINGS + settings)
        self.workspace = places.open_workspace(root)
        self.process: subprocess.Popen[str] | None = None
        self.frozen = 0
        self.since = 0
        """Jobs up to this id belong to other tests, whatever their names are."""

    def start(self, *words: str, **environment: str) -> "Living":
        """Start `hotfolder run` and return once it says that it watches: it has its catalog then, and hears signals."""
        with open(self.root / "told.txt", "a") as told:
            before = told.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hotfolder", "--workspace", str(self.root), *words, "run"],
                stdout=told, stderr=told, cwd=ROOT, env=os.environ | environment,
            )  # fmt: skip
        poll(lambda: "Watching " in self.told()[before:] or self.process.poll() is not None, "service that watches")
        assert self.process.poll() is None, self.told()
        return self

    def end(self, number: int = signal.SIGTERM, timeout_s: float = 120) -> int:
        """Send a signal and return the exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout_s)
        self.process = None
        return code

    def once(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return hotfolder(self.root, *words, "run", "--once", **environment)

    def told(self) -> str:
        return (self.root / "told.txt").read_text()

    def drop(self, place: str, content: bytes | str) -> Path:
        """Put a file into the inbox as a careful program does: written aside, renamed in."""
        path = self.workspace.inbox / place
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.part")
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
        aside.rename(path)
        return path

    def status(self) -> Status:
        return status.gather(self.workspace)

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        try:
            with store.reading(self.workspace.catalog) as catalog:
                return catalog.rows(sql, *values)
        except store.NothingYet:
            return []

    def job(self, name: str, *states: str, deadline_s: float = 120) -> dict[str, Any]:
        """Return the row of the youngest job of that name, once it is in one of the states (default: ended).

        Where that is an end, the files of its drop have been filed away too.
        """
        wanted = states or queue.ENDED

        def look() -> dict[str, Any] | None:
            sql = "select jobs.*, drops.state drop_state from jobs join drops on drops.id=drop_id where jobs.name=?"
            rows = self.rows(f"{sql} and jobs.id>? order by jobs.id desc limit 1", name, self.since)
            found = [row for row in rows if row["state"] in wanted]
            return next(
                (row for row in found if row["drop_state"] != "claimed" or row["state"] not in queue.ENDED), None
            )

        try:
            return poll(look, f"job {name} {' or '.join(wanted)}", deadline_s)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; {json.dumps(self.rows('select id, name, state, error from jobs'))}"
            ) from None

    def images(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of the pictures that the jobs of that name made, in order, without contact sheets of them."""
        return self._images("images.kind=jobs.kind", name)

    def sheets(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of the contact sheets beside the pictures that the jobs of that name made."""
        return self._images("images.kind!=jobs.kind", name)

    def _images(self, which: str, name: str) -> list[dict[str, Any]]:
        sql = f"select images.* from images join jobs on jobs.id=job_id where {which} and jobs.name=? and jobs.id>?"
        return self.rows(f"{sql} order by path", name, self.since)

    def filed(self, name: str, base: str) -> Path:
        """Return a file of that name in done/ or failed/, once it is there."""
        folder = self.root / base
        return poll(lambda: next(folder.rglob(name), None), f"{base}/**/{name}")

    def worker(self) -> int:
        """Return the process id of the worker, once there is one; the service may have other processes too."""
        assert self.process
        service = self.process.pid
        return poll(lambda: next(iter(processes(service, "hotfolder.worker")), None), "worker")

    def freeze(self) -> int:
        """Get a worker by giving it something small to do, and stop it in its tracks; returns its process id.

        The next job then stays `running` for as long as a test needs.
        """
        self.frozen += 1
        self.drop(f"upscale/first{self.frozen}.png", picture())
        self.job(f"first{self.frozen}", "done")
        pid = self.worker()
        os.kill(pid, signal.SIGSTOP)
        return pid


def living(root: Path, settings: str = "") -> Iterator[Living]:
    """Give a Living whose service, if one is left, is killed at the end."""
    one = Living(root, settings)
    try:
        yield one
    finally:
        if one.process and one.process.poll() is None:
            one.process.kill()
            one.process.wait()
