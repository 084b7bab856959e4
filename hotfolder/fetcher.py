"""The service's end of fetching: which model is fetched next, by a process of its own, and what its jobs are told."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hotfolder.catalog import queue, stock
from hotfolder.catalog.store import Catalog
from hotfolder.childprocess import ChildProcess
from hotfolder.models import download, entries, inventory
from hotfolder.workspace import Workspace

AGAIN_S = 30.0
"""Seconds until a model that could not be had is tried again; each time twice as long, up to LONGEST_S."""
LONGEST_S = 3600.0


class Fetcher:
    """Fetches what waiting jobs lack, one model after another, and keeps the catalog's table of models. `now` is
    monotonic seconds.

    `sentences` is why the jobs of a model wait, for as long as more is to be said than that its weights are missing.
    `saying` is the model that is being fetched and how far that is, for `status`. `tell(model, "fetching")` is called
    when a model is first begun.
    """

    def __init__(
        self,
        workspace: Workspace,
        catalog: Catalog,
        ring: Callable[[], None],
        tell: Callable[[dict[str, Any], str], None],
    ) -> None:
        self.sentences: dict[str, str] = {}
        self.saying: dict[str, str] = {}
        self._limit_bytes = int(workspace.settings.fetch_limit_gb * 1e9)
        self._log = workspace.private / "logs" / "fetching.log"
        self._models = workspace.models
        self._catalog = catalog
        self._ring = ring
        self._tell = tell
        self._has_stock = False
        self._wanted: list[str] = []
        self._process: ChildProcess | None = None
        self._model = ""
        self._tries: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    @property
    def is_busy(self) -> bool:
        return self._process is not None

    @property
    def due_at(self) -> float:
        """When the next try is due; never, while something is being fetched or nothing is to be."""
        moments = [self._not_before.get(name, 0.0) for name in self._wanted]
        return math.inf if self.is_busy else min(moments, default=math.inf)

    def look_what_lacks(self) -> None:
        """Read from the catalog which models jobs wait for; what none waits for any more is not fetched on."""
        self._wanted = [name for name in queue.lacking(self._catalog) if self._may_be_fetched(name)]
        for name in {*self._tries, *self.sentences} - {*self._wanted}:
            self._tries.pop(name, None)
            self._not_before.pop(name, None)
            self.sentences.pop(name, None)
        if self._process and self._model not in self._wanted:
            self.end()

    def step(self, now: float, tries_again: bool = True) -> bool:
        """Hear the fetching process, start the next one; says whether jobs that wait should be looked at again. Unless
        it `tries_again`, what could not be had is left."""
        if not self._has_stock:
            here = [asdict(known) for known in inventory.take_stock(self._models) if known.path]
            stock.put_models(self._catalog, here)
            self._has_stock = True
        before, was_busy = dict(self.sentences), self.is_busy
        for message in self._process.hear() if self._process else ():
            self._take(message, now if tries_again else math.inf)
            if not self._process:
                break
        has_ended = was_busy and not self.is_busy
        if self.due_at <= now:
            self._start(min(self._wanted, key=lambda name: self._not_before.get(name, 0.0)))
        return has_ended or before != self.sentences

    def end(self) -> None:
        """Stop fetching; what has come is kept."""
        if self._process:
            self._process.kill()
        self._process, self._model, self.saying = None, "", {}

    def _may_be_fetched(self, name: str) -> bool:
        entry = entries.entries()[name]
        return bool(self._limit_bytes and entry.repo and (entry.bytes or 0) <= self._limit_bytes)

    def _start(self, name: str) -> None:
        self._model = name
        self._process = ChildProcess("hotfolder.models.fetching", [name, str(self._limit_bytes)], self._log, self._ring)
        self.sentences.setdefault(name, _begun(name))
        if name not in self._tries:
            self._tell({"name": name, "says": _begun(name)}, "fetching")

    def _take(self, message: dict[str, Any], now: float) -> None:
        """Act on what the fetching process said. Where having fetched did not help, that too is tried again later, as
        reckoned from `now`."""
        name = self._model
        if message["event"] == "progress":
            self.sentences[name] = _begun(name)
            here = download.gigabytes(message["done"], message["of"])
            self.saying = {"model": name, "says": f"fetching {name}, {here} of {download.gigabytes(message['of'])}"}
            return
        self._tries[name] = self._tries.get(name, 0) + 1
        self._not_before[name] = now + min(LONGEST_S, AGAIN_S * 2 ** (self._tries[name] - 1))
        if message["event"] == "fetched":
            self.sentences.pop(name, None)
            self._has_stock = False
        elif message["event"] == "failed":
            self.sentences[name] = f"{message['error']}; it is tried again by itself"
        else:
            self.sentences[name] = (
                f"the process that fetches {name} ended before it was done ({message['how']}); .hotfolder/logs/"
                "fetching.log has more; it is tried again by itself"
            )
        self.end()


def _begun(name: str) -> str:
    size = entries.entries()[name].bytes
    return f"fetching {name}" + (f" ({download.gigabytes(size)})" if size else "")
