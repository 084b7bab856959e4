"""STATUS.html: one file that needs nothing else, links only to what is there, and harms nobody's own file."""

import base64
import hashlib
import io
import json
import random
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from hotfolder import status, statuspage
from hotfolder import workspace as places
from hotfolder.catalog.store import Catalog
from hotfolder.images import thumbs
from hotfolder.intake.watch import Watch
from hotfolder.outbox import standing
from hotfolder.workspace import Workspace
from tests.elements import Elements
from tests.service.living import poll

HOSTILE = "</li><script>alert(1)</script><img src=http://evil.example/x>\u202e"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = places.init(tmp_path / "w")
    standing.set_mark(made)
    catalog = Catalog(made.catalog)
    now = datetime.now(UTC).isoformat()
    catalog.rows("insert into drops(id, hot_folder, name, state, files, created_at) values('d', ?, ?, 'done', '[]', ?)",
                 HOSTILE, HOSTILE, now)  # fmt: skip
    for number, state in enumerate(("done", "done", "done", "done", "failed", "waiting"), start=1):
        catalog.rows(
            "insert into jobs(id, drop_id, state, kind, hot_folder, name, spec, planned, position, created_at, "
            "started_at, finished_at, wait_reason, error) "
            "values(?, 'd', ?, 'generate', ?, ?, '{}', '[{}]', ?, ?, ?, ?, ?, ?)",
            number, state, HOSTILE, HOSTILE, number, now, now, now, HOSTILE, HOSTILE,
        )  # fmt: skip
        for picture in range(4 if state == "done" else 0):
            name = f"job {number}: 100%_{picture}#?.png"
            catalog.rows(
                "insert into images(id, job_id, path, sha256, pixel_sha256, width, height, format, kind, created_at) "
                "values(?, ?, ?, 'a', 'b', 1, 1, 'png', 'generate', ?)",
                f"i{number}{picture}", number, f"outbox/{name}", now,
            )  # fmt: skip
            if (number, picture) == (4, 0):
                continue  # somebody deleted it
            noise = Image.frombytes("RGB", (160, 160), random.Random(picture).randbytes(160 * 160 * 3))
            image = noise if picture == 1 else Image.new("RGB", (700, 500), "teal")
            image.save(made.outbox / name)
            thumbs.make(image, thumbs.place(made.thumbs, f"i{number}{picture}"))
    catalog.close()
    made.now.write_text(json.dumps({"not_taken": [HOSTILE], "paused": HOSTILE}))
    return made


def page_of(workspace: Workspace, running: bool = True) -> str:
    return statuspage.render(workspace, status.gather(workspace, running))


def test_nothing_in_it_asks_or_runs_anything(workspace: Workspace) -> None:
    page = page_of(workspace)
    assert "&lt;script&gt;alert(1)" in page and "\u202e" not in page
    ours = f"<script>{statuspage.SCRIPT}</script>"
    assert page.count(ours) == 1 and "<script" not in page.replace(ours, "")
    digest = base64.b64encode(hashlib.sha256(statuspage.SCRIPT.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    for tag, attributes in Elements(page).seen:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form"), tag
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "action", "srcset"):
            assert (attributes.get(name) or "./").startswith(("./", "data:image/webp;base64,"))
    assert not re.search(r"@import|url\(", page)
    assert "prefers-color-scheme: dark" in page and 'name="viewport"' in page


def test_pictures_are_linked_where_they_lie_and_shown_where_they_are_small(workspace: Workspace) -> None:
    page = page_of(workspace)
    linked = re.findall(r'<a href="(\./[^"]*)"', page)
    assert linked and len(linked) <= 12 and len(set(linked)) == len(linked)
    assert all((workspace.outbox / unquote(address)).is_file() for address in linked)
    assert not any(":" in address or "#" in address or "?" in address for address in linked)
    shown = [base64.b64decode(data) for data in re.findall(r'src="data:image/webp;base64,([^"]*)"', page)]
    assert 0 < len(shown) < len(linked), "what would be large is a link alone"
    for data in shown:
        assert len(data) <= 6_000
        assert max(Image.open(io.BytesIO(data)).size) <= 160


def test_it_says_when_it_was_written_and_how_things_stand(workspace: Workspace) -> None:
    page = page_of(workspace)
    assert "hotfolder is running, but starts nothing new" in page
    assert datetime.now().astimezone().strftime("Written <time datetime=") in page
    for state, number in (("done", 4), ("failed", 1), ("waiting", 1)):
        assert f'data-state="{state}"><b>{number}</b>' in page
    assert "hotfolder retry 5" in page
    ended = page_of(workspace, running=False)
    assert "hotfolder is not running" in ended and "hotfolder run" in ended


def test_a_file_of_that_name_that_is_not_ours_stays(workspace: Workspace, tmp_path: Path) -> None:
    path = workspace.outbox / "STATUS.html"
    path.write_text("my own")
    statuspage.put(workspace, page_of(workspace))
    assert path.read_text() == "my own"
    path.unlink()
    (tmp_path / "target.html").write_text(statuspage.MARK)
    path.symlink_to(tmp_path / "target.html")
    statuspage.put(workspace, page_of(workspace))
    assert (tmp_path / "target.html").read_text() == statuspage.MARK and path.is_symlink()
    path.unlink()
    for running in (True, False):
        statuspage.put(workspace, page_of(workspace, running))
    assert "is not running" in path.read_text()
    assert not workspace.status_page_part.exists()


def test_an_outbox_that_is_away_troubles_nobody(workspace: Workspace) -> None:
    workspace.outbox.rename(workspace.root / "away")
    workspace.outbox.mkdir()  # where a share would be mounted
    page = statuspage.StatusPage(workspace)
    page.look()
    page.end()
    assert not page._thread.is_alive() and not list(workspace.outbox.iterdir())
    workspace.outbox.rmdir()
    (workspace.root / "away").rename(workspace.outbox)
    again = statuspage.StatusPage(workspace)
    again.look()
    again.end()
    assert "hotfolder is not running" in (workspace.outbox / "STATUS.html").read_text()


def test_a_page_that_cannot_be_written_is_said_once(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    workspace.status_page_part.mkdir()
    page = statuspage.StatusPage(workspace)
    page.look()
    page.end()
    assert len([record.message for record in caplog.records if "STATUS.html cannot be written" in record.message]) == 1


def test_time_alone_is_no_change(workspace: Workspace) -> None:
    first, second = status.gather(workspace, True), status.gather(workspace, True)
    assert first != second and statuspage._unchanging(first) == statuspage._unchanging(second)


def test_who_watches_outbox_does_not_hear_it_being_written(workspace: Workspace) -> None:
    rung: list[float] = []
    own = (workspace.status_page, workspace.status_page_part)
    watch = Watch([workspace.outbox], lambda: rung.append(time.monotonic()), deletions=True, unheard=own)
    try:
        for _ in range(3):
            statuspage.put(workspace, page_of(workspace))
        assert workspace.status_page.is_file()
        before = time.monotonic()
        (workspace.outbox / "new.png").write_bytes(b"x")
        poll(lambda: rung, "bell")
        assert all(moment >= before for moment in rung)
        count = len(rung)
        (workspace.outbox / "new.png").rename(workspace.outbox / "STATUS.html.png")
        poll(lambda: len(rung) > count, "bell for a name that only begins so")
    finally:
        watch.stop()
