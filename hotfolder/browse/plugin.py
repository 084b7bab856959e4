"""The Datasette plugin: every hook in one place, each a line or two into the module that does it."""

from importlib.resources import files
from typing import Any

from datasette import handle_exception, hookimpl
from datasette.utils.asgi import Response

from hotfolder.browse import cells, describe, guard, pictures, sites

_CSS = "/-/hotfolder/hotfolder.css"


@hookimpl
def startup(datasette: Any) -> None:
    """Where rich is installed, as it is here, Datasette 0.65 prints a traceback for each 404 and fails on some."""
    if sites.of(datasette) is not None:
        handle_exception.rich = None


@hookimpl(trylast=True)  # the last wrapper is the outermost: nothing answers before the guard
def asgi_wrapper(datasette: Any) -> Any:
    return lambda app: guard.guard(app, datasette)


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    return [
        ("^/-/hotfolder/image/(?P<id>.*)$", pictures.image),
        ("^/-/hotfolder/thumb/(?P<id>.*)$", pictures.thumb),
        (f"^{_CSS}$", _style_sheet),
    ]


@hookimpl
def render_cell(row: Any, value: object, column: str, table: str | None, database: str, datasette: Any) -> Any:
    site = sites.of(datasette)
    if site is None or database != site.database:
        return None
    return cells.render(datasette, site, row, value, column, table)


@hookimpl
def get_metadata(datasette: Any) -> dict[str, Any]:
    site = sites.of(datasette)
    return {} if site is None else describe.metadata(site.database)


@hookimpl
def extra_css_urls(datasette: Any) -> list[str]:
    return [] if sites.of(datasette) is None else [_CSS]


@hookimpl
def menu_links(datasette: Any) -> list[dict[str, str]]:
    site = sites.of(datasette)
    return [] if site is None else describe.menu(site.database)


def _style_sheet() -> Response:
    text = (files("hotfolder.browse") / "hotfolder.css").read_text("utf-8")
    return Response(text, content_type="text/css; charset=utf-8", headers={"cache-control": "max-age=60"})
