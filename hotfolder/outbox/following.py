"""The catalog follows outbox: looks at it, has read what is new or changed, finds which picture each file is, and
brings the rows up to date.

A picture is known again by its file's signature, else by the id in it, else by its pixels.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from hotfolder.atomic import crash_point
from hotfolder.catalog import pictures
from hotfolder.catalog.store import Catalog, utc_now
from hotfolder.errors import ConfigError
from hotfolder.images import thumbs
from hotfolder.intake.watch import Watch
from hotfolder.outbox import dragging, keeping, looking, matching, standing
from hotfolder.outbox.looking import Look
from hotfolder.outbox.matching import Stranger
from hotfolder.outbox.readingprocess import ReadingProcess
from hotfolder.workspace import Workspace

log = logging.getLogger("hotfolder")

GONE_S = 2.0
"""A picture is taken for deleted when two looks this far apart did not find it: programs save by deleting first."""
LOOK_COST = 5
"""A look is followed by a rest this many times as long."""
BATCH = 200
"""Pictures whose rows are changed in one transaction, or that are read before any row is changed."""
TRIES = 3
AGAIN_S = 0.7
"""Until a file that could not be read is tried again; it may have been half-written. After some tries it is let be
until it changes."""


class Following:
    """Follows one outbox. `away` is why it cannot be followed, and nothing may be published there; None if it can."""

    def __init__(self, workspace: Workspace, catalog: Catalog, ring: Callable[[], None]) -> None:
        self.away: str | None = None
        self._workspace, self._catalog, self._ring = workspace, catalog, ring
        self._watch: Watch | None = None
        self._reader = ReadingProcess(workspace, ring)
        self._looks: queue.SimpleQueue[Look | Exception] = queue.SimpleQueue()
        self._is_looking = self._has_looked = False
        self._look_at = self._not_before = 0.0
        self._has_rung = False
        self._matching: matching.Matching | None = None
        self._deeds: list[matching.Deed] = []
        self._strangers: dict[str, Stranger] = {}
        self._tries: dict[str, tuple[str, int]] = {}
        self._missing: dict[str, float] = {}

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be found out, as far as that does not depend on others."""
        return self.away is None and (not self._has_looked or self._is_working or bool(self._missing))

    @property
    def _is_working(self) -> bool:
        return self._is_looking or self._matching is not None or bool(self._deeds)

    @property
    def due_at(self) -> float:
        """When the next step is due, unless it rings before; monotonic seconds."""
        if self._deeds:
            return 0.0
        if self._reader.is_busy:
            return self._reader.due_at
        return math.inf if self._is_looking else self._next_look_at

    @property
    def _next_look_at(self) -> float:
        return max(self._not_before, 0.0 if self._has_rung else self._look_at)

    def start(self) -> None:
        """Make sure of outbox, before anything is published there, and watch it."""
        self.away = standing.away(self._workspace, self._catalog, least=0)
        own = (self._workspace.status_page, self._workspace.status_page_part)
        self._watch = Watch([self._workspace.outbox], self._look_soon, deletions=True, unheard=own)

    def end(self) -> None:
        if self._watch:
            self._watch.stop()
        self._reader.end()

    def step(self) -> bool:
        """Go on for a moment; says whether a job was put into an inbox."""
        if not self._is_working and time.monotonic() >= self._next_look_at:
            self._start_looking()
        while not self._looks.empty():
            self._take(self._looks.get())
        if self._matching:
            for answer in self._reader.hear():
                self._note(answer)
            if not self._reader.is_busy:
                self._match()
        return self._do_some() if self._deeds else False

    def _look_soon(self) -> None:
        """Something happened in outbox; safe from any thread."""
        self._has_rung = True
        self._ring()

    def _start_looking(self) -> None:
        assert self._watch
        self._watch.mend()
        self._has_rung = False  # before looking: an event that comes meanwhile must not be forgotten
        self._look_at = time.monotonic() + self._workspace.settings.rescan_s
        self._is_looking = True
        known = {path: stranger.signature for path, stranger in self._strangers.items()}
        known |= {path: signature for path, (signature, tries) in self._tries.items() if tries >= TRIES}
        threading.Thread(target=self._look, args=(known,), daemon=True, name="look-at-outbox").start()

    def _look(self, known: dict[str, str]) -> None:
        began = time.monotonic()
        try:
            found = looking.look(self._workspace, known)
            dragging.put_back(self._workspace, found)
            self._looks.put(found)
        except Exception as error:
            self._looks.put(error)
        ended = time.monotonic()
        self._not_before = ended + LOOK_COST * (ended - began)
        self._ring()

    def _take(self, look: Look | Exception) -> None:
        self._is_looking, self._has_looked = False, True
        if isinstance(look, OSError | ConfigError):
            log.warning("outbox could not be looked at (%s); trying again", look)
            return
        if isinstance(look, Exception):
            raise look
        if look.away != self.away and look.away:
            log.warning("%s.", look.away)
        self.away = look.away
        if self.away:
            return
        if look.back:  # at once: one that is moved on before it is read must not be put back once more
            with self._catalog.transaction():
                for number, signature in look.back.items():
                    pictures.put_signature(self._catalog, number, signature)
        here = look.scan.pictures
        self._strangers = {path: one for path, one in self._strangers.items() if path in here}
        self._tries = {path: one for path, one in self._tries.items() if path in here}
        if not (look.files or look.gone or look.changed):
            self._missing.clear()
            return
        max_pixels = int(self._workspace.settings.max_megapixels * 1_000_000)
        self._matching = matching.Matching(self._catalog, look, self._strangers, BATCH, max_pixels)

    def _note(self, answer: dict[str, Any]) -> None:
        """Take an answer; what cannot be read, or has half an .xmp beside it, is tried again before that counts."""
        assert self._matching
        path = answer["path"]
        signature = self._matching.look.files[path]
        is_whole = answer["event"] == "said" and not answer["beside_is_broken"]
        if is_whole:
            self._tries.pop(path, None)
        else:
            before, tries = self._tries.get(path, ("", 0))
            self._tries[path] = (signature, tries + 1 if before == signature else 1)
            if self._tries[path][1] >= TRIES and answer["event"] == "said":
                is_whole = True  # broken for good: what is inside the picture counts
            elif self._tries[path][1] < TRIES:
                self._look_at = min(self._look_at, time.monotonic() + AGAIN_S)
        self._matching.take(path, answer if is_whole else None)

    def _match(self) -> None:
        """Find out which picture each file is; ask for pixels where only they can tell."""
        assert self._matching
        if wanted := self._matching.wanted():
            places = self._matching.look.scan.real
            files = ((path, self._workspace.absolute(places.get(path, path)), limit) for path, limit in wanted.items())
            self._reader.ask(list(files))
            return
        found, self._matching = self._matching, None
        self._deeds = found.deeds()
        self._strangers |= found.strangers
        self._forget(found.unfound, is_complete=found.is_complete)
        if not found.is_complete:
            self._look_at = min(self._look_at, time.monotonic() + AGAIN_S)

    def _forget(self, unfound: set[str], is_complete: bool) -> None:
        """Take pictures for deleted that were not found for a while; `is_complete` where all files are known."""
        now = time.monotonic()
        self._missing = {number: since for number, since in self._missing.items() if number in unfound}
        if not is_complete:
            return
        for number in unfound:
            since = self._missing.setdefault(number, now)
            if now - since >= GONE_S:
                self._deeds.append(matching.Deed("taken away", number))
                del self._missing[number]
        if self._missing:
            self._look_at = min(self._look_at, min(self._missing.values()) + GONE_S)

    def _do_some(self) -> bool:
        """Bring some rows up to date, in one transaction; says whether a job was put into an inbox."""
        some, self._deeds = self._deeds[:BATCH], self._deeds[BATCH:]
        try:
            has_job = self._put_jobs(some)
            crash_point("follow_jobs_put")
            with self._catalog.transaction():
                lost = pictures.taken_away(self._catalog) if any(deed.what == "back" for deed in some) else {}
                for deed in some:
                    self._put(deed, lost)
        except BaseException:
            self._deeds = []  # the next look finds what is left to be done
            raise
        crash_point("follow_recorded")
        thumbs.forget(self._workspace.thumbs, [deed.id for deed in some if deed.what == "taken away"])
        return has_job

    def _put(self, deed: matching.Deed, lost: dict[str, dict[str, Any]]) -> None:
        if deed.what == "back":
            assert deed.said
            if not self._catalog.row("select 1 from images where id=? or path=?", deed.id, deed.path):
                pictures.put_back(self._catalog, deed.path, deed.said, lost.get(deed.id), utc_now())
            return
        image = self._catalog.row("select * from images where id=?", deed.id)
        if image is None:
            return
        if deed.what == "overwritten":
            pictures.put_overwritten(self._catalog, image)
        elif deed.what == "taken away":
            pictures.put_taken_away(self._catalog, image)
        if deed.what != "here":
            return
        self._strangers.pop(deed.path, None)  # a row's from now on: what changes there has to be read
        if deed.path != image["path"]:
            holder = self._catalog.row("select * from images where path=?", deed.path)
            if holder:
                pictures.put_overwritten(self._catalog, holder)
            pictures.put_moved(self._catalog, image, deed.path, deed.signature)
            image |= {"path": deed.path, "signature": deed.signature}
            self._has_rung |= deed.signature is None
        if deed.said:
            pictures.put_described(self._catalog, image, deed.said)

    def _put_jobs(self, deeds: list[matching.Deed]) -> bool:
        """Put the `on_keep` of pictures that come to be kept into the inbox; those that lie there still name the
        pictures where they are now."""
        kept, moved = [], []
        for deed in deeds:
            if deed.what not in ("here", "back"):
                continue
            row = self._catalog.row("select path, review, job_id, kind from images where id=?", deed.id)
            if row and row["review"] == "keep" and row["path"] != deed.path:
                moved.append((deed.id, row["path"], deed.path))
            if pictures.review_of(deed.path) != "keep":
                continue
            if row and (row["review"] == "keep" or row["kind"] == "sheet"):  # a sheet only shows what one may pick
                continue
            if on_keep := keeping.job_of(self._catalog, row["job_id"] if row else None, deed.said):
                kept.append((deed.id, deed.path, on_keep))
        keeping.name_anew(self._workspace, moved)
        return bool(kept) and keeping.put_jobs(self._workspace, self._catalog, kept)
