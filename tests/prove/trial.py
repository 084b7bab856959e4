"""One workspace that gets files dropped and its processes killed, and what must hold then.

What is expected lives here, outside the system under test: the bytes that were dropped and what should become of them.
"""

import contextlib
import hashlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from PIL import Image

from hotfolder import verify
from hotfolder import workspace as places
from tests.service.living import is_still

ROOT = Path(__file__).parents[2]
PLANTED = Path(__file__).parent / "planted"
SORTS = ["plain", "plain", "sidecar", "broken", "deep", "several", "same name", "chain"]
CHAIN = "pipeline:\n" + "- {kind: upscale, model: lanczos, factor: 2}\n" * 3
RULE_OF_FIVE = "was ended"
STRIKES = "It was tried 2 times"
KEPT = "factor: 2\non_keep: {kind: upscale, factor: 0.5}\n"
"""A job whose picture is kept: with what is then made of that, two pictures."""


def crash_points() -> list[str]:
    """Every step that the code marks: a new step is tested by being marked."""
    sources = (ROOT / "hotfolder").rglob("*.py")
    return sorted({name for path in sources for name in re.findall(r'crash_point\("([a-z_]+)"\)', path.read_text())})


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Expected:
    """One dropped file: where its bytes end, and how many pictures are made from it."""

    name: str
    ends_in: str
    pictures: int


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 120) -> None:
    """Wait for something to be so; fails with `what` when it does not come to be."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"{what} within {timeout_s:g} s"
        time.sleep(0.02)


@dataclass
class Trial:
    """A scratch workspace. `seed` decides everything that is random here.

    `settings` is added to hotfolder.yaml; `planted` names what sitecustomize plants into the processes (planted/).
    """

    root: Path
    seed: int
    inbox: Path | None = None
    outbox: Path | None = None
    settings: str = ""
    planted: str = ""
    expected: dict[str, Expected] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """Where files of outbox were published that were moved since, by where they lie."""
    kills: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.workspace = places.init(self.root)
        text = {"settle_s": "0.05", "rescan_s": "0.5", "stop_grace_s": "5"}
        text |= dict(line.split(": ", 1) for line in self.settings.splitlines())
        for name in ("inbox", "outbox"):
            if place := getattr(self, name):
                text[name] = place
        (self.root / "hotfolder.yaml").write_text("".join(f"{key}: {value}\n" for key, value in text.items()))
        self.workspace = places.open_workspace(self.root)
        (self.workspace.inbox / "upscale").mkdir(parents=True, exist_ok=True)
        places.make_private(self.workspace)

    def drop(self, count: int, sorts: list[str] = SORTS) -> None:
        """Drop `count` drops of mixed sorts into inbox/upscale."""
        hot = self.workspace.inbox / "upscale"
        for _ in range(count):
            number = len(self.expected)
            sort = self.random.choice(sorts)
            folder = hot / f"tree{number % 3}" if sort == "deep" else hot
            name = "again.png" if sort == "same name" and not (hot / "again.png").exists() else f"p{number:05}.png"
            folder.mkdir(exist_ok=True)
            picture = self.picture(number)
            if sort == "broken":
                job, ends_in, pictures = f"factr: {number}.5\n", "failed", 0
            elif sort == "sidecar":
                job, ends_in, pictures = f"factor: 2\nnote: n{number}\n", "done", 1
            elif sort == "several":
                job, ends_in, pictures = f"factor: 2\nnote: n{number}\n---\nfactor: 0.5\nformat: jpeg\n", "done", 2
            elif sort == "chain":
                job, ends_in, pictures = CHAIN, "done", 3
            elif sort == "kept":
                job, ends_in, pictures = KEPT, "done", 2
            else:
                job, ends_in, pictures = "", "done", 1
            files = [(folder / name, picture, ends_in, pictures)]
            if job:
                files.append((folder / f"{name}.yaml", f"{job}# {number}\n".encode(), ends_in, 0))
            self._write(files)

    def drop_broken_alone(self) -> None:
        """Drop a job file that can never run and belongs to no picture."""
        self._write([(self.workspace.inbox / "upscale" / "broken.yaml", b"factr: 1\n", "failed", 0)])

    def keep(self) -> None:
        """Move the pictures that are to be kept, and what lies beside them, as one does in a file manager."""
        for beside in list(self.workspace.outbox.rglob("*.job.yaml")):
            if "on_keep" not in beside.read_text():
                continue
            folder = beside.parent / "keep"
            folder.mkdir(exist_ok=True)
            for path in (beside, beside.with_name(beside.name.replace(".job.yaml", ".png"))):
                self.moved[self.workspace.relative(folder / path.name)] = self.workspace.relative(path)
                path.rename(folder / path.name)

    def expect(self, name: str, data: bytes, ends_in: str = "done", pictures: int = 1) -> None:
        """Expect what a test itself writes into the inbox."""
        self.expected[digest(data)] = Expected(name, ends_in, pictures)

    def picture(self, number: int) -> bytes:
        path = self.root / ".picture.png"
        image = Image.new("RGB", (16, 12), tuple(self.random.randrange(256) for _ in range(3)))
        image.putpixel((0, 0), (number % 256, number // 256 % 256, self.random.randrange(256)))
        image.save(path)
        data = path.read_bytes()
        path.unlink()
        return data + b"#%d" % number

    def _write(self, files: list[tuple[Path, bytes, str, int]]) -> None:
        """Write files under names that are passed over, then show them all at once: a pair is dropped as a pair."""
        for path, data, ends_in, pictures in files:
            path.with_name(f".{path.name}.part").write_bytes(data)
            self.expect(path.name, data, ends_in, pictures)
        for path, *_ in files:
            path.with_name(f".{path.name}.part").rename(path)

    def start(
        self, point: str | None = None, count: int = 1, *, once: bool = True, before: tuple[str, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Start hotfolder, to be killed at a marked step if one is named; `before` is a command that runs it."""
        environment = dict(os.environ)
        if self.planted:
            environment |= {"PROVE_PLANTED": self.planted, "PYTHONPATH": f"{PLANTED}{os.pathsep}{ROOT}"}
        if point:
            token = self.root / ".hotfolder" / "die"
            token.write_text("once")
            environment["HOTFOLDER_CRASH_AT"] = f"{point}:{count}:{token}"
        command = [*before, sys.executable, "-m", "hotfolder", "--workspace", str(self.root), "run"]
        command += ["--once"] if once else []
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)

    def finish(self, timeout_s: float = 120) -> None:
        """Run to the end without killing; fails when the service did not end by itself or met a bug."""
        for _ in range(3):
            process = self.start()
            try:
                _, errors = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"hotfolder did not finish in {timeout_s} s: {self.describe()}") from None
            assert process.returncode in (0, 1), f"exit {process.returncode}: {errors.decode(errors='replace')}"
            assert b"Traceback" not in errors, errors.decode(errors="replace")
            if not any(self._files(self.workspace.inbox)):
                return

    @contextlib.contextmanager
    def held_still(self, pid: int) -> Iterator[None]:
        """Stop a service, wherever it is, but where it keeps others from reading the catalog; it goes on afterwards."""
        try:
            while True:
                os.kill(pid, signal.SIGSTOP)
                # a call to the disk is ended first: a rename may still happen after the signal
                wait_until(lambda: is_still(pid), "the service was not stopped")
                if self._may_read():
                    break
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.02)
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _may_read(self) -> bool:
        """Say whether the catalog can be read: while it is made, and mended after a kill, its maker alone may."""
        try:
            self.rows("pragma schema_version", patience_s=0)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def wait_for_death(self, process: subprocess.Popen[bytes], timeout_s: float = 120) -> bool:
        """Wait for a process told to die; says whether SIGKILL ended it, or its worker."""
        _, errors = process.communicate(timeout=timeout_s)
        died = process.returncode == -signal.SIGKILL
        worker_died = not (self.root / ".hotfolder" / "die").exists()
        assert b"Traceback" not in errors, errors.decode(errors="replace")
        self.kills += died or worker_died
        return died or worker_died

    def _files(self, folder: Path) -> list[Path]:
        """Return what is of the trial below a folder: all but the page of what goes on, which has no row."""
        page = self.workspace.status_page
        files = (path for path in folder.rglob("*") if path.is_file() and path != page)
        return [path for path in files if not path.name.startswith(".")]

    def check_always(self) -> None:
        """What holds at any instant, also right after a kill and before recovery."""
        held: Counter[str] = Counter()
        inputs = [self.workspace.inbox, self.workspace.done, self.workspace.failed]
        for folder in [*inputs, *self.workspace.work.glob("*/in")]:
            for path in self._files(folder):
                held[digest(path.read_bytes())] += 1
        twice = 2 if self.inbox else 1  # from another device: copied, verified, and only then removed
        for sha256, one in self.expected.items():
            assert 1 <= held[sha256] <= twice, f"{one.name} is in {held[sha256]} places: {self.describe()}"
        outputs = self.rows("select path, sha256, published from outputs")
        known = {row["path"]: row["sha256"] for row in outputs}
        for path in self._files(self.workspace.outbox):
            relative = self.workspace.relative(path)
            assert path.suffix not in (".png", ".jpg") or _is_whole(path), f"{relative} is a torn picture"
            wanted = {known.get(relative), known.get(self.moved.get(relative, ""))}
            assert digest(path.read_bytes()) in wanted, f"{relative} is not what was intended"
        for row in self.rows("pragma integrity_check"):
            assert row["integrity_check"] == "ok", row

    def check_finally(self, *, forgiven: bool = False) -> int:
        """What holds once all is quiet; returns how many jobs failed by the rule of five or by strikes.

        `forgiven`: jobs that were killed too often may have failed, each with that reason; they are counted.
        """
        self.check_always()
        assert not self._files(self.workspace.inbox), f"left in the inbox: {self.describe()}"
        left = [path.name for path in self.workspace.work.iterdir()]
        assert not left, f"left in work: {left}"
        killed = self.rows("select drop_id, error from jobs where state='failed' and (error like ? or error like ?)",
                           f"%{RULE_OF_FIVE}%", f"%{STRIKES}%")  # fmt: skip
        assert forgiven or not killed, killed
        excused = {row["drop_id"] for row in killed}
        where = {}
        for base in ("done", "failed"):
            for path in self._files(self.root / base):
                where[digest(path.read_bytes())] = base
        drops = self.rows("select id, files from drops")
        drop_of = {file["sha256"]: row["id"] for row in drops for file in json.loads(row["files"])}
        made = self._pictures_by_input()
        for sha256, one in self.expected.items():
            if drop_of[sha256] in excused:
                assert where[sha256] == "failed"
                continue
            assert where[sha256] == one.ends_in, f"{one.name} ended in {where[sha256]}, not in {one.ends_in}"
            assert made[sha256] == one.pictures, f"{one.name} gave {made[sha256]} pictures, not {one.pictures}"
        assert verify.verify(self.workspace) == []
        return len(killed)

    def _pictures_by_input(self) -> Counter[str]:
        """Count the pictures in outbox by the hash of the dropped file that they were made from, step by step."""
        made_from = {}
        for path in self._files(self.workspace.outbox):
            if path.suffix in (".png", ".jpg"):
                job = yaml.safe_load(path.with_suffix(".job.yaml").read_text())
                made_from[digest(path.read_bytes())] = job["image_sha256"]
        made: Counter[str] = Counter()
        for sha256 in made_from.values():
            while sha256 in made_from:
                sha256 = made_from[sha256]
            made[sha256] += 1
        return made

    def rows(self, sql: str, *values: object, patience_s: float = 60) -> list[dict[str, object]]:
        if not self.workspace.catalog.exists():
            return []
        connection = sqlite3.connect(f"{self.workspace.catalog.as_uri()}?mode=ro", uri=True, timeout=patience_s)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, values)]
        except sqlite3.OperationalError as error:
            # the second: killed while it was made; it is empty once somebody who may write has opened it
            if "no such table" in str(error) or error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
                return []
            raise
        finally:
            connection.close()

    def describe(self) -> str:
        """How the workspace stands, for messages."""
        states = self.rows("select state, count(*) n, max(error) error from jobs group by state")
        return f"seed {self.seed}, {self.root}: {states}"


def workers_of(pid: int) -> list[int]:
    """Return the processes that a service has started."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _is_whole(path: Path) -> bool:
    try:
        Image.open(path).load()
    except OSError:
        return False
    return True
