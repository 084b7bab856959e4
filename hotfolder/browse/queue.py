"""The queue page: what runs, waits, failed and was done, kept up to date while somebody looks.

The page and what it fetches each second are one template, so both always say the same.
"""

import asyncio
import contextlib
import shlex
from dataclasses import asdict
from typing import Any

from datasette.utils.asgi import Response

from hotfolder import status, statuswords
from hotfolder.browse import files, pages, sparkline, words
from hotfolder.browse.sites import Site
from hotfolder.images import thumbs
from hotfolder.status import Status


async def page(datasette: Any, request: Any) -> Response:
    site = pages.of(datasette)
    found = await asyncio.to_thread(status.gather, site.workspace)
    return await pages.render(datasette, request, "queue", **_context(datasette, site, found))


async def told(datasette: Any, request: Any) -> Response:
    """Answer with all of the status as JSON, and with the part of the page that tells it, as HTML of the same
    moment."""
    site = pages.of(datasette)
    found = await asyncio.to_thread(status.gather, site.workspace)
    context = _context(datasette, site, found)
    part = await pages.render(datasette, request, "going", **context)
    answer = {"title": context["title"], "html": part.body, "status": asdict(found)}
    return Response.json(answer, headers={"cache-control": "no-store"})


async def preview(datasette: Any, request: Any) -> Response:
    """Answer with the thumbnail of a picture that the running job has made, which is in no catalog yet."""
    site, image_id = pages.of(datasette), request.url_vars["id"]
    if files.is_id(image_id):
        with contextlib.suppress(OSError):
            data = await asyncio.to_thread(thumbs.place(site.workspace.thumbs, image_id).read_bytes)
            return Response(data, content_type="image/webp", headers={"cache-control": "private, max-age=3600"})
    return Response.text("There is no such picture.\n", status=404)


def _context(datasette: Any, site: Site, found: Status) -> dict[str, Any]:
    counts = {word: number for _, number, word in statuswords.counted(found)}
    ahead = ", ".join(f"{counts[word]} {word}" for word in ("running", "queued", "waiting") if word in counts)
    return {
        "found": found,
        "words": statuswords,
        "shown": statuswords.safe,
        "duration": words.duration,
        "when": words.when,
        "title": f"Queue: {ahead}" if ahead else "Queue",
        "start": f"hotfolder --workspace {shlex.quote(str(site.workspace.root))} run",
        "query": lambda name: datasette.urls.path(f"{datasette.urls.database(site.database)}/{name}"),
        "more": {
            state: max(0, found.counts.get(state, 0) - len(getattr(found, state))) for state in ("queued", "failed")
        },
        "more_waiting": found.counts.get("waiting", 0) - sum(group["jobs"] for group in found.waiting_for),
        "spark": sparkline.draw(found.gpu["samples"]) if found.gpu and found.gpu["samples"] else None,
    }
