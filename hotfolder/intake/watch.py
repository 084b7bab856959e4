"""The operating system's file events: they only wake the scanner. What they miss, the rescan finds."""

import contextlib
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

if sys.platform == "linux":
    from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

    # It holds every event back for half a second after a file has left a folder, to pair the two halves of a rename.
    InotifyMoveEventGrouper.delay = 0.0
    # Folders that come quickly, one in the other, it registers twice: pages of text on the terminal, and no harm.
    warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning, r"watchdog\.")

# Files that are renamed in or hard-linked arrive as "created" alone; opening and reading would only fill the queue.
EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileClosedEvent, FileMovedEvent, DirCreatedEvent, DirMovedEvent,
]  # fmt: skip
DELETIONS: list[type[FileSystemEvent]] = [FileDeletedEvent, DirDeletedEvent]


class _Wake(FileSystemEventHandler):
    """A handler that raises would end the observer for good, so this one does nothing but ring."""

    def __init__(self, ring: Callable[[], None], unheard: Collection[Path]) -> None:
        self._ring, self._unheard = ring, {str(path) for path in unheard}

    def on_any_event(self, event: FileSystemEvent) -> None:
        if not {str(event.src_path), str(event.dest_path or event.src_path)} <= self._unheard:
            self._ring()


class Watch:
    """Watches folders and rings, with `deletions` when something goes as well; says whether it still can. `unheard` are
    files whose changes do not ring."""

    def __init__(
        self,
        folders: list[Path],
        ring: Callable[[], None],
        deletions: bool = False,
        unheard: Collection[Path] = (),
    ) -> None:
        self._folders, self._unheard = folders, unheard
        self._events = EVENTS + DELETIONS if deletions else EVENTS
        self._ring = ring
        self._observer: BaseObserver | None = None
        self._lock = threading.Lock()
        self._start()

    @property
    def state(self) -> str:
        """`events` while the system reports changes, else `polling`: then only the rescan sees them."""
        observer = self._observer
        alive = observer is not None and observer.is_alive() and all(e.is_alive() for e in observer.emitters)
        return "events" if alive else "polling"

    def mend(self) -> None:
        """Start anew when the observer has died or its folders were replaced."""
        if self.state == "polling":
            self.stop()
            self._start()

    def stop(self) -> None:
        with self._lock:
            observer, self._observer = self._observer, None
        if observer is not None:
            with contextlib.suppress(RuntimeError):
                observer.stop()
                observer.join(2)

    def _start(self) -> None:
        observer = Observer()
        try:
            for folder in self._folders:
                observer.schedule(
                    _Wake(self._ring, self._unheard), str(folder), recursive=True, event_filter=self._events
                )
            observer.start()
        except OSError as error:
            # most often the limit on watches; `hotfolder doctor` names the setting that raises it
            logging.getLogger("hotfolder").warning("no file events (%s); looking every few seconds instead", error)
            return
        self._observer = observer


@contextlib.contextmanager
def watching(folders: list[Path], ring: Callable[[], None]) -> Iterator[Watch]:
    """Watch for the length of a `with` block."""
    watch = Watch(folders, ring)
    try:
        yield watch
    finally:
        watch.stop()
