"""A small workspace with a catalog, pictures, and rows that mean harm."""

import asyncio
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from hotfolder.browse import serve
from hotfolder.catalog.schema import migrate
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace


@dataclass
class Workplace:
    """A workspace on disk, its catalog open for writing, and a Datasette that shows it."""

    root: Path
    connection: sqlite3.Connection
    datasette: Any

    @property
    def outbox(self) -> Path:
        return self.root / "outbox"

    def get(self, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        return asyncio.run(self.datasette.client.request(method, path, **options))

    def add_image(self, image_id: str, path: str, **columns: Any) -> None:
        row = {
            "id": image_id, "job_id": 1, "path": path, "sha256": "0" * 64, "pixel_sha256": "1" * 64, "width": 600,
            "height": 400, "format": "png", "kind": "generate", "created_at": "2020-01-01T00:00:00Z", **columns,
        }  # fmt: skip
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        self.connection.execute(f"insert into images ({names}) values ({marks})", row)
        self.connection.commit()

    def add_job(self, job_id: int, **columns: Any) -> None:
        row = {
            "id": job_id, "drop_id": "d1", "state": "done", "kind": "generate", "hot_folder": "generate",
            "name": f"job{job_id}.txt", "spec": json.dumps({}), "planned": json.dumps({}), "position": job_id,
            "created_at": "2020-01-01T00:00:00Z", **columns,
        }  # fmt: skip
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        self.connection.execute(f"insert into jobs ({names}) values ({marks})", row)
        self.connection.commit()


@pytest.fixture
def workplace(tmp_path: Path) -> Any:
    root = tmp_path / "workspace"
    (root / ".hotfolder").mkdir(parents=True, mode=0o700)
    day = root / "outbox" / "generate" / "2026-11-20"
    day.mkdir(parents=True)
    connection = sqlite3.connect(root / "catalog.db")
    connection.execute("pragma journal_mode = wal")
    migrate(connection)
    connection.execute(
        "insert into drops(id, hot_folder, name, state, files, created_at)"
        " values ('d1', 'generate', 'job1.txt', 'done', '[]', '2020-01-01T00:00:00Z')"
    )
    place = Workplace(root, connection, None)
    place.add_job(1, run_s=12.5, load_s=3.0, finished_at="2026-11-20T01:00:00Z")
    place.add_job(2, state="failed", error="no such mask\nname one", finished_at="2026-11-20T02:00:00Z")
    place.add_job(3, state="waiting", wait_reason="a prompt is missing")
    Image.new("RGB", (600, 400), "teal").save(day / "knight.png")
    Image.new("RGBA", (400, 600), (200, 50, 50, 0)).save(day / "cutout.png")
    place.add_image(
        "knight1", "outbox/generate/2026-11-20/knight.png", prompt="a knight in obsidian armor", rating=5,
        seed="18446744073709551615", seed_locked=1, model="miniature-flux", energy_wh=0.25, review="keep",
        created_at="2026-11-20T01:00:00Z",
    )  # fmt: skip
    place.add_image(
        "cutout1", "outbox/generate/2026-11-20/cutout.png", kind="cutout", tags="red, square",
        parent_path="outbox/generate/2026-11-20/knight.png", energy_wh=0.5,
    )  # fmt: skip
    place.datasette = serve.make(Workspace(root, Settings()))
    yield place
    connection.close()
    for database in place.datasette.databases.values():
        database.close()
