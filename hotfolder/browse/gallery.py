"""The gallery: every picture, newest first, a page at a time."""

import asyncio
from pathlib import PurePosixPath
from typing import Any

from datasette.utils.asgi import Response
from datasette.views.index import IndexView

from hotfolder.browse import finding, pages, sites

LABELS = {"kind": "kind", "model": "model", "lora": "LoRA", "folder": "hot folder"}
"""What is chosen from a list of the values that the catalog has. A tag is typed: there may be a thousand."""


async def page(datasette: Any, request: Any) -> Response:
    """The first page, or that after `after`, so that it works before its script, and without."""
    rows = pages.reader(datasette)
    found, tags, *words = await asyncio.gather(
        _found(datasette, request), *(rows(finding.choices(name)) for name in ("tag", *LABELS))
    )
    asked = finding.wanted(request.args)
    offered = {}
    for name, known in zip(LABELS, words, strict=True):
        values = dict.fromkeys([*(row["word"] for row in known), *([asked[name]] if name in asked else [])])
        offered[name] = [(value, value) for value in values]
    return await pages.render(
        datasette,
        request,
        "gallery",
        asked=asked,
        labels=LABELS,
        offered=offered,
        tags=[row["word"] for row in tags],
        is_later=bool(request.args.get("after")),
        is_empty=not found["pictures"] and not any(words),
        **found,
    )


async def more(datasette: Any, request: Any) -> Response:
    """The same as JSON: `pictures`, and where the next page begins (`after`), null where there is none."""
    return Response.json(await _found(datasette, request))


async def front(datasette: Any, request: Any) -> Response:
    """What is at `/`: the gallery, or Datasette's own list where it serves more than our catalog, or none."""
    site = sites.of(datasette)
    if site is not None and set(datasette.databases) <= {site.database, "_internal"}:
        return Response.redirect(pages.address(datasette, "gallery"))
    return await IndexView(datasette).dispatch_request(request)


async def _found(datasette: Any, request: Any) -> dict[str, Any]:
    sql, values = finding.page(finding.wanted(request.args), request.args.get("after") or "")
    rows = await pages.reader(datasette)(sql, values)
    shown, rest = rows[: finding.PAGE], rows[finding.PAGE :]
    return {"pictures": [_told(row) for row in shown], "after": finding.place(shown[-1]) if rest else None}


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the page shows it: words on one line, the file's name where there are none."""
    words = " ".join(row.pop("words").split())
    return {**row, "label": words or PurePosixPath(row["path"]).name}
