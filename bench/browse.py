"""What the pages cost with 100,000 pictures: the catalog as `hotfolder browse` serves it, asked over HTTP.

The figures are milliseconds by the clock, from the question to the last byte: beside other work they grow.
"""

import http.client
import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import uvicorn

from bench import hoard
from bench.measures import scratch
from hotfolder import workspace as places
from hotfolder.browse import finding, ports, serve
from hotfolder.catalog import store
from tests.prove.report import Row

IMAGES, JOBS = 100_000, 20_000
REPEATS = 9
GOAL = "< 150"
PART = f"{IMAGES:,} pictures of {JOBS:,} jobs"
GALLERY = "-/hotfolder/gallery"
FILTERS = {
    "show": "flagged", "kind": "detect", "model": "4x-ultrasharp", "lora": "tarot", "tag": "commission-7",
    "folder": "posters", "rating": "5", "review": "keep", "job": "77",
}  # fmt: skip
SEARCHES = {
    "a rare word": hoard.RARE_WORD,
    "a frequent word": "photograph",
    "a first letter": "s",
    "three words": "neon fox ni",
    "no such word": "zeppelin",
}


def browsing() -> list[Row]:
    """The median of each page, in milliseconds."""
    with scratch() as root, _served(root) as asker:
        with store.reading(root / "catalog.db") as catalog:
            middle, last = (
                finding.place(catalog.rows(f"select created_at, id from images where rowid={row}")[0])
                for row in (IMAGES // 2, finding.PAGE)
            )
            image = catalog.rows(f"select id from images where rowid={IMAGES // 2}")[0]["id"]
        pages = {
            "gallery, first page": GALLERY,
            "gallery, a page from the middle": f"{GALLERY}.json?{urlencode({'after': middle})}",
            "gallery, the last page": f"{GALLERY}.json?{urlencode({'after': last})}",
            "picture page": f"-/hotfolder/picture/{image}",
            "Datasette's table of images with facets": "catalog/images",
            "the same, of one kind": "catalog/images?kind=generate",
            "the same, of one kind and model": "catalog/images?kind=generate&model=flux1-dev",
            "the same, searched for a rare word": f"catalog/images?_search={hoard.RARE_WORD}",
        }
        took = {what: asker.median_ms(page) for what, page in pages.items()}
        alone = {key: asker.median_ms(f"{GALLERY}?{urlencode({key: value})}") for key, value in FILTERS.items()}
        pairs = {
            f"{one} and {other}": asker.median_ms(
                f"{GALLERY}.json?{urlencode({one: FILTERS[one], other: FILTERS[other]})}"
            )
            for one, other in itertools.combinations(FILTERS, 2)
        }
        found = {what: asker.median_ms(f"{GALLERY}.json?{urlencode({'q': text})}") for what, text in SEARCHES.items()}
        both = asker.median_ms(f"{GALLERY}.json?{urlencode({'q': 'photograph', 'kind': 'detect', 'rating': '5'})}")
    took |= {f"gallery, one filter: the slowest of {len(alone)}, {_slowest(alone)}": max(alone.values())}
    took |= {f"gallery, two filters: the slowest of {len(pairs)}, {_slowest(pairs)}": max(pairs.values())}
    took |= {f"search, {what}": ms for what, ms in found.items()}
    took |= {"search, a frequent word within two filters": both}
    return [Row(PART, f"{what}, ms", round(ms), GOAL) for what, ms in took.items()]


def _slowest(took: dict[str, float]) -> str:
    return max(took, key=lambda what: took[what])


class _Asker:
    """One connection that stays open, as a browser keeps it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def median_ms(self, path: str) -> float:
        """Ask once to warm up, then REPEATS times."""
        took = []
        for _ in range(1 + REPEATS):
            began = time.perf_counter()
            self._connection.request("GET", f"/{path}")
            answer = self._connection.getresponse()
            answer.read()
            took.append(1000 * (time.perf_counter() - began))
            assert answer.status == 200, f"{path}: {answer.status}"
        return statistics.median(took[1:])


@contextmanager
def _served(root: Path) -> Iterator[_Asker]:
    workspace = places.init(root)
    hoard.fill(workspace.catalog, IMAGES, JOBS)
    listener = ports.listen("127.0.0.1", serve.DEFAULT_PORT)
    server = uvicorn.Server(uvicorn.Config(serve.make(workspace).app(), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield _Asker(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
