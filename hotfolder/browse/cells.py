"""What a cell shows: a thumbnail for a picture, and links to the pages of pictures and jobs.

Every value passes through `Markup.format`, which escapes it.
"""

from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from hotfolder.browse import pages
from hotfolder.browse.files import is_id
from hotfolder.browse.sites import Site

_PATHS = ("path", "image_path", "parent_path", "source_path")
_SHOWN = ("path", "image_path")
"""Those of _PATHS that show their picture; the others lead to it."""
_IDS = ("id", "image_id")
_WORDS = ("tag", "lora")
"""What the gallery can be asked for, of a row that says `what` its word is."""
_JOBS = ("job", "job_id")
_THUMB = Markup(
    '<a class="hotfolder-thumb" href="{page}"><img src="{thumb}" alt="{path}" loading="lazy"></a>'
    '<span class="hotfolder-path">{path}</span>'
)
_LINK = Markup('<a href="{page}">{text}</a>')


def render(
    datasette: Any, site: Site, row: Any, value: object, column: str, table: str | None
) -> Markup | Awaitable[Markup | None] | None:
    """Return the HTML of one cell, None where Datasette's own rendering (which escapes) is right.

    `table` is None for the results of queries: there a column's name and value say what it is, and a lookup makes sure.
    """
    if table == "jobs" and column in ("id", "name"):
        return _LINK.format(page=pages.address(datasette, f"job/{int(row['id'])}"), text=value)
    if column in _JOBS and isinstance(value, int):  # with its name, as in tables, Datasette links it to its row
        return _LINK.format(page=pages.address(datasette, f"job/{value}"), text=value)
    if not isinstance(value, str):
        return None
    if column == "word" and not {"what"}.isdisjoint(row.keys()) and row["what"] in _WORDS:
        return _LINK.format(page=f"{pages.address(datasette, 'gallery')}?{urlencode({row['what']: value})}", text=value)
    if column in _PATHS and value.startswith("outbox/"):
        if table == "images" and column == "path" and is_id(row["id"]):
            return _thumb(datasette, row["id"], value)
        return _by_path(datasette, site, value, column)
    if column in _IDS and is_id(value):
        if table == "images":
            return _LINK.format(page=pages.address(datasette, f"picture/{value}"), text=value)
        if table == "image_words":
            return _by_id(datasette, site, value)
        if table is None and set(_PATHS).isdisjoint(row.keys()):
            return _by_id(datasette, site, value)
    return None


def _thumb(datasette: Any, image_id: str, path: str) -> Markup:
    thumb, page = (pages.address(datasette, f"{what}/{image_id}") for what in ("thumb", "picture"))
    return _THUMB.format(page=page, thumb=thumb, path=path)


async def _by_path(datasette: Any, site: Site, path: str, column: str) -> Markup | None:
    """A thumbnail; for what a picture was made from, which another row shows, a link."""
    image_id = await _look_up(datasette, site, "select id from images where path = :value", path)
    if not is_id(image_id):
        return None
    if column in _SHOWN:
        return _thumb(datasette, image_id, path)
    return _LINK.format(page=pages.address(datasette, f"picture/{image_id}"), text=path)


async def _by_id(datasette: Any, site: Site, image_id: str) -> Markup | None:
    path = await _look_up(datasette, site, "select path from images where id = :value", image_id)
    return None if path is None else _thumb(datasette, image_id, path)


async def _look_up(datasette: Any, site: Site, sql: str, value: str) -> Any:
    first = (await datasette.get_database(site.database).execute(sql, {"value": value})).first()
    return None if first is None else first[0]
