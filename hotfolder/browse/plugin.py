"""The Datasette plugin: every hook in one place, each a line or two into the module that does it."""

from typing import Any

from datasette import handle_exception, hookimpl

from hotfolder.browse import (
    cells,
    compare,
    describe,
    files,
    gallery,
    guard,
    job,
    pages,
    picture,
    queue,
    review,
    sites,
    sources,
)

ROUTES = [
    (f"^/{pages.ROOT}{path}$", view)
    for path, view in [
        ("gallery", gallery.page),
        (r"gallery\.json", gallery.more),
        ("picture/(?P<id>.*)", picture.page),
        ("compare", compare.page),
        ("source/(?P<id>.*)", sources.source),
        ("large/(?P<id>.*)", sources.large),
        (r"job/(?P<id>[^/]*)\.json", job.told),
        ("job/(?P<id>.*)", job.page),
        ("queue", queue.page),
        (r"queue\.json", queue.told),
        ("preview/(?P<id>.*)", queue.preview),
        ("file/(?P<id>.*)", files.file),
        ("thumb/(?P<id>.*)", files.thumb),
        ("static/(?P<name>.*)", pages.static),
        ("review/token", review.token),
        ("review/(?P<deed>.*)", review.deed),
    ]
]
"""Our own addresses and what answers there."""


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
    return [("^/(?P<format>)$", gallery.front), *ROUTES]


@hookimpl
def prepare_jinja2_environment(env: Any) -> None:
    pages.add_templates(env)


@hookimpl
def render_cell(row: Any, value: object, column: str, table: str | None, database: str, datasette: Any) -> Any:
    site = sites.of(datasette)
    if site is None or database != site.database:
        return None
    return cells.render(datasette, site, row, value, column, table)


@hookimpl
def get_metadata(datasette: Any) -> dict[str, Any]:
    site = sites.of(datasette)
    return {} if site is None else describe.metadata(datasette, site)


@hookimpl
def extra_css_urls(datasette: Any) -> list[str]:
    return _ours(datasette, "colours.css", "datasette.css", "tables.css")


@hookimpl
def extra_js_urls(datasette: Any) -> list[str]:
    return _ours(datasette, "datasette.js")


def _ours(datasette: Any, *files: str) -> list[str]:
    """The addresses of what Datasette's own pages load beside Datasette's, where they show a catalog of ours."""
    return [] if sites.of(datasette) is None else [pages.address(datasette, f"static/{name}") for name in files]


@hookimpl
def menu_links(datasette: Any) -> list[dict[str, str]]:
    site = sites.of(datasette)
    return [] if site is None else describe.menu(datasette, site)
