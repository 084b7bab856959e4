"""`outbox/STATUS.html`: what goes on, as one file that a phone can open on a share.

It asks nothing of anything: no style sheet, no request but for the pictures beside it. Its one script loads the page
again, and its policy lets no other run. A thread of its own writes it, so that a slow share never holds up the service;
what cannot be written is left until the next change.
"""

import base64
import functools
import hashlib
import io
import logging
import os
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hotfolder import status, statuswords
from hotfolder.images import thumbs
from hotfolder.status import Status
from hotfolder.workspace import Workspace

log = logging.getLogger("hotfolder")

EACH_S = 2.0
MARK = "<!-- hotfolder writes this file -->"
"""Its beginning: a file of that name without it is somebody's own and stays."""
PICTURES = 12
THUMB_PX = 160
THUMB_BYTES = 6_000
AGAIN_S = 5
SCRIPT = f"""
const again = document.getElementById("again");
again.parentElement.hidden = false;
again.checked = location.hash !== "#stay";
again.onchange = () => history.replaceState(null, "", again.checked ? "#" : "#stay");
setInterval(() => again.checked && !document.hidden && location.reload(), {AGAIN_S * 1000});
"""
"""A page that loads itself again by its head alone could not be stopped by who still reads it (WCAG 2.2, 2.2.1)."""
END_S = 5.0
"""How long the end of the service waits for the last words, where the disk is slow."""


class StatusPage:
    """Writes the page while a service runs: at most each 2 s, and only when something changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._changed, self._over = threading.Event(), threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._write_on, daemon=True, name="status page")

    def look(self) -> None:
        """Something may have changed; returns at once."""
        self._changed.set()
        if self._thread.ident is None:
            self._thread.start()

    def end(self) -> None:
        """Write the last words: it is not running any more."""
        self._over.set()
        self._changed.set()
        self._thread.join(END_S)

    def _write_on(self) -> None:
        told: Status | None = None
        while not self._over.is_set():
            self._changed.wait()
            self._changed.clear()
            told = self._write(told, running=True)
            self._over.wait(EACH_S)
        self._write(None, running=False)

    def _write(self, told: Status | None, running: bool) -> Status | None:
        """Write what goes on unless that is what the page tells already; returns what it tells now."""
        try:
            found = status.gather(self._workspace, running)
            if told is None or _unchanging(found) != _unchanging(told):
                put(self._workspace, render(self._workspace, found))
            return found
        except Exception as error:  # an old page is no reason to trouble the service; the next change tries again
            if str(error) != self._trouble:
                log.warning("%s cannot be written: %s", self._workspace.status_page, error)
                self._trouble = str(error)
            return None


def _unchanging(found: Status) -> Status:
    """Return a status without what time alone changes."""
    job = found.job and {**found.job, "running_s": 0}
    return replace(found, at="", job=job, eta_s=None, queue_eta_s=None, gpu=None)


def put(workspace: Workspace, page: str) -> None:
    """Replace the page at once, not durably. A file of the same name that is not ours stays, and a folder without
    outbox's mark, where the share is not mounted, stays empty."""
    path = workspace.status_page
    if not workspace.outbox_mark.exists() or (os.path.lexists(path) and not _is_ours(path)):
        return
    workspace.status_page_part.write_text(page, encoding="utf-8")
    os.replace(workspace.status_page_part, path)


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(MARK)) == MARK.encode()


def render(workspace: Workspace, found: Status) -> str:
    """Return the page. Each value in it is escaped by the template engine."""
    page = _template().render(
        found=found,
        words=statuswords,
        pictures=_pictures(workspace, found),
        written=datetime.fromisoformat(found.at).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        again_s=AGAIN_S,
        script=SCRIPT,
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}",
    )
    return f"{MARK}\n{page}\n"


@functools.cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader  # not needed to start

    environment = Environment(loader=PackageLoader("hotfolder"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = statuswords.safe
    return environment.get_template("status.html")


def _pictures(workspace: Workspace, found: Status) -> list[dict[str, str | None]]:
    """Return the last pictures that are still in outbox: name, address relative to the page, small picture as data."""
    shown: list[dict[str, str | None]] = []
    for job in found.done:
        for picture in job["shown"]:
            head, _, rest = picture["path"].partition("/")
            if head == "outbox" and len(shown) < PICTURES and workspace.absolute(picture["path"]).is_file():
                data = _data(thumbs.place(workspace.thumbs, picture["id"]))
                # `./`: a name with a colon in it would be read as the name of a protocol
                shown.append({"name": Path(rest).name, "address": f"./{quote(rest)}", "data": data})
    return shown


def _data(thumb: Path) -> str | None:
    """Return a kept thumbnail as the address of its own bytes; None where there is none, or none that small."""
    try:
        data = _smaller(thumb)
    except (OSError, ValueError):
        return None
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}" if len(data) <= THUMB_BYTES else None


@functools.lru_cache(maxsize=4 * PICTURES)
def _smaller(thumb: Path) -> bytes:
    from PIL import Image

    with Image.open(thumb, formats=("WEBP",)) as image:
        image.thumbnail((THUMB_PX, THUMB_PX))
        target = io.BytesIO()
        image.save(target, "WEBP", quality=60)
    return target.getvalue()
