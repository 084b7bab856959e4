"""What a cell shows: a thumbnail for a picture's path, links to its file and to what it was made from.

Every value passes through `Markup.format`, which escapes it.
"""

from collections.abc import Awaitable
from typing import Any

from markupsafe import Markup

from hotfolder.browse.files import is_id
from hotfolder.browse.sites import Site

_PATHS = ("path", "image_path", "parent_path")
_IDS = ("id", "image_id")
_THUMB = Markup(
    '<a class="hotfolder-thumb" href="/-/hotfolder/file/{id}">'
    '<img src="/-/hotfolder/thumb/{id}" alt="{path}" loading="lazy"></a><span class="hotfolder-path">{path}</span>'
)
_TO_ROW = Markup('<a href="{row}">{path}</a>')
_TO_FILE = Markup('<a href="/-/hotfolder/file/{id}" title="The picture in full size">{id}</a>')


def render(
    datasette: Any, site: Site, row: Any, value: object, column: str, table: str | None
) -> Markup | Awaitable[Markup | None] | None:
    """Return the HTML of one cell, None where Datasette's own rendering (which escapes) is right.

    `table` is None for the results of queries: there a column's name and value say what it is, and a lookup makes sure.
    """
    if not isinstance(value, str):
        return None
    if column in _PATHS and value.startswith("outbox/"):
        if table == "images" and column == "path" and is_id(row["id"]):
            return _THUMB.format(id=row["id"], path=value)
        return _by_path(datasette, site, value, column)
    if column in _IDS and is_id(value):
        if table == "images":
            return _TO_FILE.format(id=value)
        if table is None and not any(name in row.keys() for name in _PATHS):  # noqa: SIM118 (a Row has values in it)
            return _by_id(datasette, site, value)
    return None


async def _by_path(datasette: Any, site: Site, path: str, column: str) -> Markup | None:
    """A thumbnail; for a parent, which another row shows in full, a link to that row."""
    image_id = await _look_up(datasette, site, "select id from images where path = :value", path)
    if not is_id(image_id):
        return None
    if column == "parent_path":
        return _TO_ROW.format(row=datasette.urls.row(site.database, "images", image_id), path=path)
    return _THUMB.format(id=image_id, path=path)


async def _by_id(datasette: Any, site: Site, image_id: str) -> Markup | None:
    path = await _look_up(datasette, site, "select path from images where id = :value", image_id)
    return None if path is None else _THUMB.format(id=image_id, path=path)


async def _look_up(datasette: Any, site: Site, sql: str, value: str) -> Any:
    first = (await datasette.get_database(site.database).execute(sql, {"value": value})).first()
    return None if first is None else first[0]
