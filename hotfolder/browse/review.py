"""What the buttons of the review do: each writes files into the workspace, none the catalog; the service follows.

Only `hotfolder browse --review` answers here. `guard` lets through what one of our own pages sends. That it knows this
server's token is asked here again: other plugins of this Python can turn Datasette's own protection off.
"""

import asyncio
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasette.utils.asgi import Response

from hotfolder import names
from hotfolder.browse import dropping, files, moves, pages
from hotfolder.browse.sites import Site
from hotfolder.catalog import pictures
from hotfolder.errors import JobError
from hotfolder.metadata import rating

Act = Callable[[Site, Path, dict[str, str]], dict[str, Any]]

_LOCK = threading.Lock()
_GONE = "This picture is not in the outbox any more."
_STALE = "This page is older than the server it talks to: load it again, then press once more."


async def token(datasette: Any, request: Any) -> Response:
    """Answer with the token for deeds, for a page whose own is out of date."""
    if not pages.of(datasette).review:
        return _refusal("Nothing here can be changed: start `hotfolder browse --review` for that.", 405)
    return Response.json({"csrf": request.scope["csrftoken"]()})


async def deed(datasette: Any, request: Any) -> Response:
    """Do what the address names to the picture that the form names; answer with a sentence and the new state."""
    site = pages.of(datasette)
    act = DEEDS.get(request.url_vars["deed"])
    if act is None or not site.review or request.method != "POST":
        return _refusal("Nothing here can be changed this way.", 405)
    form = await request.post_vars()
    given = form.get("csrftoken", "").encode()
    if not secrets.compare_digest(given, request.scope["csrftoken"]().encode()):
        return _refusal(_STALE, 403)
    row = None
    if files.is_id(form.get("id")):
        rows = await pages.reader(datasette)("select path from images where id = :id", {"id": form["id"]})
        row = next(iter(rows), None)
    if row is None:
        return _refusal(_GONE, 404)
    try:
        return await asyncio.to_thread(_do, act, site, row["path"], form)
    except (JobError, ValueError) as error:
        return _refusal(str(error), 409)
    except OSError as error:
        return _refusal(f"{names.display(Path(row['path']).name)}: {error.strerror or error}", 409)


def _do(act: Act, site: Site, path: str, form: dict[str, str]) -> Response:
    """Do one deed at a time: stars are not written to where a picture has just been moved away from."""
    with _LOCK:
        picture = files.find(site.workspace.outbox, path, form["id"])
        return Response.json(act(site, picture, form)) if picture else _refusal(_GONE, 404)


def _rate(site: Site, picture: Path, form: dict[str, str]) -> dict[str, Any]:
    if form.get("rating") not in list("012345"):
        raise ValueError("a rating is 0 to 5 stars")
    stars = int(form["rating"])
    rating.rate(picture, stars)
    said = {0: "no stars", 1: "1 star"}.get(stars, f"{stars} stars")
    return {"says": f"{names.display(picture.name)} has {said}.", "rating": stars}


def _move(to: str | None) -> Act:
    def move(site: Site, picture: Path, form: dict[str, str]) -> dict[str, Any]:
        outbox = site.workspace.outbox
        before = pictures.review_of(files.named(outbox, picture))
        moved = moves.move(outbox, picture, to)
        name = names.display(moved.name)
        if moved == picture:
            says = f"{name} lies in {to}/ already." if to else f"{name} lies neither in keep/ nor in reject/."
        else:
            says = f"{name} lies in {to}/ now." if to else f"{name} is out of {before}/ again."
        return {"says": says, "review": to}

    return move


def _drop(button: str) -> Act:
    return lambda site, picture, form: {"says": dropping.drop(site.workspace, picture, button)}


DEEDS: dict[str, Act] = {
    "rate": _rate,
    "keep": _move("keep"),
    "reject": _move("reject"),
    "undo": _move(None),
    **{button: _drop(button) for button in dropping.KINDS},
}


def _refusal(sentence: str, status: int) -> Response:
    return Response.text(f"{sentence}\n", status=status)
