"""What our own pages share: their addresses, their template, their style sheets and scripts."""

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from datasette.utils.asgi import NotFound, Response
from datasette.views.base import DatasetteError
from jinja2 import ChoiceLoader, Environment, PackageLoader

from hotfolder.browse import sites
from hotfolder.browse.sites import Site

ROOT = "-/hotfolder/"
_STATIC = re.compile(r"[a-z]+\.(css|js|svg)")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def address(datasette: Any, path: str) -> str:
    """Return the address of one of our pages, wherever Datasette's own root is: `gallery`, `picture/<id>`."""
    return str(datasette.urls.path(f"/{ROOT}{path}"))


def add_templates(environment: Environment) -> None:
    """Let Datasette find our templates behind its own; their names begin with `hotfolder_`."""
    assert environment.loader
    environment.loader = ChoiceLoader([environment.loader, PackageLoader("hotfolder.browse")])


async def render(datasette: Any, request: Any, name: str, **context: Any) -> Response:
    """Answer with `templates/hotfolder_<name>.html`. Each value in it is escaped by the template engine."""
    site = of(datasette)
    given = {
        "site": site,
        "page": name,
        "address": lambda path: address(datasette, path),
        "static": lambda file: address(datasette, f"static/{file}"),
    }
    html = await datasette.render_template(f"hotfolder_{name}.html", {**given, **context}, request=request)
    return Response.html(html)


async def missing(datasette: Any, request: Any, says: str) -> Response:
    """Answer 404 with a sentence and the way back to the gallery."""
    answer = await render(datasette, request, "missing", says=says)
    answer.status = 404
    return answer


def of(datasette: Any) -> Site:
    """Return what this Datasette shows; NotFound where it is no catalog of ours, 503 where it is of another version."""
    site = sites.of(datasette)
    if site is None:
        raise NotFound("This Datasette shows no catalog of hotfolder")
    if site.mismatch:
        raise DatasetteError(f"{site.workspace.catalog} {site.mismatch}", status=503)
    return site


def reader(datasette: Any) -> Callable[..., Any]:
    """Return an async function that runs one SELECT on the catalog and returns its rows as dictionaries."""
    database = datasette.get_database(of(datasette).database)

    async def rows(sql: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        return [dict(row) for row in (await database.execute(sql, values or {})).rows]

    return rows


def static(datasette: Any, request: Any) -> Response:
    """Answer with a file of `static/`."""
    name = request.url_vars["name"]
    file = files("hotfolder.browse") / "static" / name
    if sites.of(datasette) is None or not _STATIC.fullmatch(name) or not file.is_file():
        return Response.text("There is no such file.\n", status=404)
    kind = f"{_TYPES[PurePosixPath(name).suffix]}; charset=utf-8"
    return Response(file.read_text("utf-8"), content_type=kind, headers={"cache-control": "max-age=60"})
