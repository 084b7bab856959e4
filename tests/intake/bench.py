"""A scratch workspace whose real service runs in this process, and what tests ask about it afterwards."""

import contextlib
import hashlib
import io
import itertools
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from hotfolder import control
from hotfolder import workspace as places
from hotfolder.service import Service

PATIENCE_S = 60
_numbers = itertools.count(1)


def picture(number: int | None = None, size: tuple[int, int] = (12, 8), format: str = "PNG") -> bytes:
    """Return a small picture, different for each number; without one, different from every other."""
    number = next(_numbers) + 100_000 if number is None else number
    image = Image.new("RGB", size, (number % 256, number // 256 % 256, number // 65536 % 256))
    stream = io.BytesIO()
    image.save(stream, format)
    return stream.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Bench:
    """`put` drops, `run` does what `hotfolder run --once` does, `living` keeps a service going meanwhile."""

    def __init__(self, root: Path, settings: str = "settle_s: 0.05\nrescan_s: 0.2\n") -> None:
        self.root = root
        places.init(root)
        (root / "hotfolder.yaml").write_text(settings)
        self.workspace = places.open_workspace(root)
        self.inbox = self.workspace.inbox
        self.errors: list[BaseException] = []

    def put(self, name: str | bytes, data: bytes | str | None = None) -> bytes:
        """Drop a file into the inbox; without data it is a new picture. Returns its bytes."""
        data = picture() if data is None else data.encode() if isinstance(data, str) else data
        path = self.inbox / (name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return data

    def run(self) -> "Bench":
        Service(self.workspace).run(once=True)
        return self

    @contextlib.contextmanager
    def living(self) -> Iterator[None]:
        """Run a service in a thread for the length of a `with` block; what it raises is raised here."""
        services: list[Service] = []
        self.errors.clear()

        def serve() -> None:
            try:
                services.append(Service(self.workspace))
                services[0].run()
            except BaseException as error:
                self.errors.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            self.until(lambda: bool(services))
            yield
        finally:
            control.ask(self.workspace, control.Command("stop"))
            thread.join(PATIENCE_S)
        if self.errors:
            raise self.errors[0]
        assert not thread.is_alive()

    def until(self, holds: Callable[[], Any]) -> None:
        """Return as soon as something holds."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            if self.errors:
                raise self.errors[0]
            states = [(job["name"], job["state"], (job["error"] or "")[:80]) for job in self.jobs()]
            assert time.monotonic() < end, f"still not so: {states}"
            time.sleep(0.02)  # between two looks at a condition

    # -- what came of it ----------------------------------------------------------------------------------------

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        if not self.workspace.catalog.is_file():
            return []
        with contextlib.closing(sqlite3.connect(self.workspace.catalog, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute(sql, values)]
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def jobs(self, origin: str | None = None) -> list[dict[str, Any]]:
        """Return the jobs, or those of the drops that hold the file dropped as `origin`, oldest first."""
        found = self.rows(
            "select jobs.*, drops.state drop_state, drops.files from jobs "
            "join drops on drops.id=drop_id order by jobs.id"
        )
        return [job for job in found if origin is None or origin in [f["origin"] for f in json.loads(job["files"])]]

    def states(self, origin: str) -> list[str]:
        return [job["state"] for job in self.jobs(origin)]

    def reason(self, origin: str) -> str:
        """Return why the only job of a file waits or failed."""
        (job,) = self.jobs(origin)
        return job["wait_reason"] or job["error"] or ""

    def spec(self, origin: str) -> dict[str, Any]:
        (job,) = self.jobs(origin)
        spec: dict[str, Any] = json.loads(job["spec"])
        return spec

    def tree(self, name: str) -> set[str]:
        """Return the files of outbox, done, failed or inbox, relative to it; days are called DAY."""
        base = self.root / name
        found = set()
        for path in base.rglob("*"):
            if path.is_file() and not path.is_symlink():
                parts = path.relative_to(base).parts
                found.add("/".join("DAY" if len(part) == 10 and part[4] == part[7] == "-" else part for part in parts))
        return found

    def input_hashes(self) -> list[str]:
        """Return the hash of the input that each finished picture says it was made from."""
        return [
            line.partition(": ")[2]
            for path in (self.root / "outbox").rglob("*.job.yaml")
            for line in path.read_text().splitlines()
            if line.startswith("image_sha256")
        ]
