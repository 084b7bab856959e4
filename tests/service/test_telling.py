"""While fifty jobs run, `status --json`, STATUS.html, queue.json and the queue page tell states the catalog really had.

A trigger of the test writes down each state of the queue that the service's own statements pass through, with its
time. What a source tells must be one of them, in their order, and the one that held when the source says it looked.
"""

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hotfolder.browse import serve
from hotfolder.catalog.store import Catalog, utc_now
from tests.service.living import Living, hotfolder, living, picture, poll

GOOD, BAD, WAITING = 36, 8, 6
HOSTILE = "<img src=x onerror=alert(1)>"
TOLERANCE_S = 1.5
TOGETHER_S = 0.005
"""Rows that follow each other this soon may be of one transaction."""
Counts = dict[str, int]


@dataclass(frozen=True)
class Telling:
    """What one source told: the counts, and when it says it looked, where it says so.

    It looked after `since`: when it was asked, or, where nobody asks it, when it said that it looked the time before.
    """

    source: str
    counts: Counts
    since: datetime
    at: datetime | None


class Page(HTMLParser):
    """What a browser would see of STATUS.html or the queue page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.counts: Counts = {}
        self.at: datetime | None = None
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._state: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.elements.append((tag, given))
        self._state = given.get("data-state", self._state if tag == "b" else None)
        if tag == "time" and given["datetime"]:
            self.at = datetime.fromisoformat(given["datetime"])

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._state and data.strip():
            self.counts[self._state] = int(data.replace(",", ""))
            self._state = None


class Sources:
    """All that tells what goes on, asked in turn."""

    def __init__(self, one: Living) -> None:
        self._one = one
        self._datasette = serve.make(one.workspace)
        self.seen: list[Telling] = []
        self.pages: list[tuple[str, Page]] = []
        self._written = self._before = present()

    def close(self) -> None:
        for database in self._datasette.databases.values():
            database.close()

    def file(self) -> Page:
        return Page((self._one.workspace.outbox / "STATUS.html").read_text())

    def _get(self, path: str) -> Any:
        answer = asyncio.run(self._datasette.client.get(f"/-/hotfolder/{path}"))
        assert answer.status_code == 200
        return answer

    def look(self) -> list[Telling]:
        """Ask each source once, one after the other."""
        file = self.file()
        if file.at and file.at != self._written:
            self._written, self._before = file.at, self._written
        asked = [present()]
        told = self._get("queue.json").json()
        asked.append(present())
        page = Page(self._get("queue").text)
        part = Page(told["html"])
        assert part.counts == told["status"]["counts"], "the page's part is of the same moment"
        asked.append(present())
        said = json.loads(hotfolder(self._one.root, "status", "--json").stdout)
        times = [datetime.fromisoformat(told["status"]["at"]), datetime.fromisoformat(said["at"])]
        assert asked[0] <= times[0] <= asked[1] and asked[2] <= times[1] <= present(), "when it says it looked"
        self.pages += [("STATUS.html", file), ("queue", page), ("queue.json", part)]
        looked = [
            Telling("STATUS.html", file.counts, self._before, file.at),
            Telling("queue.json", told["status"]["counts"], asked[0], times[0]),
            Telling("queue", page.counts, asked[1], None),
            Telling("status --json", said["counts"], asked[2], times[1]),
        ]
        self.seen += looked
        return looked


def present() -> datetime:
    """Return the present as the sources write it, in whole milliseconds."""
    return datetime.fromisoformat(utc_now())


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Living]:
    yield from living(tmp_path / "w")


def note_each_state(path: Path) -> None:
    Catalog(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table passed(number integer primary key, at text, counts text)")
        for event in ("insert", "update of state", "delete"):
            connection.execute(
                f"create trigger passed_{event.split()[0]} after {event} on jobs begin insert into passed(at, counts) "
                "values(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), (select json_group_object(state, n) from "
                "(select state, count(*) n from jobs group by state))); end"
            )
        connection.commit()


def test_all_that_tells_what_goes_on_agrees_while_fifty_jobs_run(one: Living) -> None:
    note_each_state(one.workspace.catalog)
    one.start()
    sources = Sources(one)
    try:
        for number in range(GOOD):
            one.drop(f"upscale/{HOSTILE if number == 0 else 'good'}{number}.png", picture(240, 180))
        for number in range(BAD):
            one.drop(f"upscale/{HOSTILE if number == 0 else 'bad'} bad{number}.png", b"nothing")
        for number in range(WAITING):
            one.drop(f"generate/{HOSTILE if number == 0 else 'waits'}{number}.yaml", f"seed: {number}\n")
        one.drop(f"generate/{HOSTILE}.docx", b"?")
        poll((one.workspace.outbox / "STATUS.html").exists, "STATUS.html")
        until = time.monotonic() + 120
        while sources.look()[-1].counts != {"done": GOOD, "failed": BAD, "waiting": WAITING}:
            assert time.monotonic() < until, one.told()
        poll(lambda: sources.file().counts == {"done": GOOD, "failed": BAD, "waiting": WAITING}, "new STATUS.html")
        last = sources.look()
        known = one.rows("select state, count(*) n from jobs group by state")
        assert all(told.counts == {row["state"]: row["n"] for row in known} for told in last)
        words = f"{WAITING} waiting, {GOOD} done, {BAD} failed"
        assert words in hotfolder(one.root, "status").stdout
        assert one.end() == 0
        ended = sources.file()
        assert "hotfolder is not running" in ended.text and ended.counts == last[0].counts
    finally:
        sources.close()
    agree(sources.seen, one.rows("select * from passed order by number"))
    assert len({frozenset(told.counts.items()) for told in sources.seen}) >= 4, "it was looked at while jobs ran"
    for source, page in sources.pages:
        is_harmless(source, page)
    assert all(HOSTILE in page.text for _, page in sources.pages[-3:]), "and what is hostile is there as text"


def agree(seen: list[Telling], passed: list[dict[str, Any]]) -> None:
    """Each source goes through states of the catalog, forwards; the live ones also from one to the next; and who says
    when it looked tells a state that held between its being asked and then."""
    states = [json.loads(row["counts"]) for row in passed]
    times = [datetime.fromisoformat(row["at"]) for row in passed]
    reached: dict[str, int] = {}
    for told in seen:
        source = "live" if told.source != "STATUS.html" else told.source
        ended = sum(told.counts.get(state, 0) for state in ("done", "failed"))
        if not told.counts:
            assert source not in reached, f"{told.source} knows of no job any more"
            continue
        fitting = [number for number in range(reached.get(source, 0), len(states)) if states[number] == told.counts]
        assert fitting, f"{told} is no state the catalog was in after {states[reached.get(source, 0)]}"
        assert ended >= sum(states[reached.get(source, 0)].get(state, 0) for state in ("done", "failed"))
        reached[source] = fitting[0]
        if told.at:
            held = [(times[n], gone_by(times, n)) for n in fitting]
            off_s = min(max((a - told.at).total_seconds(), (told.since - b).total_seconds()) for a, b in held)
            assert off_s <= TOLERANCE_S, f"{told} is {off_s:.1f} s off"
    assert reached["live"] == reached["STATUS.html"], "both came to the same end"
    written = sorted({told.at for told in seen if told.source == "STATUS.html" and told.at})
    assert all((later - earlier).total_seconds() >= 1.9 for earlier, later in zip(written, written[1:])), written


def gone_by(times: list[datetime], number: int) -> datetime:
    """Return when at the latest nobody saw a state any more: what ended it was on the disk before more was written."""
    later = number + 1
    while later + 1 < len(times) and (times[later + 1] - times[later]).total_seconds() < TOGETHER_S:
        later += 1
    return times[later + 1] if later + 1 < len(times) else datetime.now(UTC)


def is_harmless(source: str, page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "base"), source
        assert not any(name.startswith("on") for name in attributes), (source, tag, attributes)
        for name in ("href", "src"):
            address = attributes.get(name) or "/"
            assert address.startswith(("/", "./", "#", "data:image/webp;base64,")), (source, tag, attributes)
        if tag == "script":
            own = re.fullmatch(r"/-/hotfolder/static/[a-z]+\.js", attributes.get("src") or "")
            assert own or (source == "STATUS.html" and not attributes), "the one script of its own"


def test_an_idle_service_leaves_its_page_alone(one: Living) -> None:
    one.start()
    one.drop("upscale/one.png", picture())
    one.job("one", "done")
    page, now = one.workspace.outbox / "STATUS.html", one.workspace.now
    poll(lambda: page.exists() and Page(page.read_text()).counts == {"done": 1}, "page that tells of it")
    before = page.stat()
    poll(lambda: now.stat().st_mtime > before.st_mtime + 3, "word of the service three seconds later")
    after = page.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
