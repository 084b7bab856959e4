"""`hotfolder browse`: Datasette in this process, on this machine only, read-only."""

import contextlib
import errno
import socket
import sqlite3
import sys
import webbrowser
from pathlib import Path
from typing import Any

import click
import uvicorn
from datasette.app import Datasette
from datasette.database import Database
from datasette.plugins import pm

from hotfolder.browse import plugin, sites
from hotfolder.errors import ConfigError
from hotfolder.workspace import Workspace

DEFAULT_PORT = 8001
_PORTS_TRIED = 100
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SETTINGS = {"sql_time_limit_ms": 1000, "default_allow_sql": True, "allow_download": False, "suggest_facets": False}


def serve(
    workspace: Workspace,
    host: str = "127.0.0.1",
    port: int | None = None,
    review: bool = False,
    open_browser: bool = False,
) -> None:
    """Show the catalog until Ctrl-C. With `review` its pages can keep, reject and rate pictures, and drop jobs.

    Raises:
        ConfigError: there is no catalog yet, `host` is not this machine, or no port is free.
    """
    application = make(workspace, review)
    listener = listen(host, port or DEFAULT_PORT)
    chosen = listener.getsockname()[1]
    if chosen != (port or DEFAULT_PORT):
        click.echo(f"Port {port or DEFAULT_PORT} is in use; taking {chosen}.")
    address = f"http://{'[::1]' if host == '::1' else host}:{chosen}/"
    page = f"{address}{sites.of(application).database}/images"  # type: ignore[union-attr]
    config = uvicorn.Config(application.app(), log_level="warning", lifespan="on", timeout_graceful_shutdown=2)
    server = _Server(config, page if open_browser else None)
    click.echo(f"The catalog is at {address} (Ctrl-C stops it).")
    with listener, contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def make(workspace: Workspace, review: bool = False) -> Any:
    """Return a Datasette with our plugin that shows the catalog of a workspace.

    The file is opened read-only, never as immutable: Datasette would then miss what the service writes meanwhile.

    Raises:
        ConfigError: there is no catalog yet, or the file is something else.
    """
    catalog = workspace.catalog
    if not catalog.is_file():
        raise ConfigError(
            f"nothing here yet: {catalog} does not exist. `hotfolder run` makes it; drop a picture into inbox/ first."
        )
    _check(catalog)
    if not pm.is_registered(plugin):
        pm.register(plugin, "hotfolder")
    application = Datasette(memory=True, settings=_SETTINGS, cors=False)
    application.remove_database("_memory")
    database = application.add_database(_ReadOnly(application, str(catalog)))
    sites.attach(application, sites.Site(workspace, database.name, review))
    return application


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `port` or the next free one after it.

    Raises:
        ConfigError: `host` is not this machine, or a hundred ports in a row are taken.
    """
    if host not in _LOOPBACK:
        raise ConfigError(
            f"the catalog is shown on this machine only, not on {host}; from another machine use "
            f"ssh -L {port}:127.0.0.1:{port} and open http://127.0.0.1:{port}/"
        )
    for candidate in range(port, min(port + _PORTS_TRIED, 65536)):
        listener = socket.socket(socket.AF_INET6 if host == "::1" else socket.AF_INET)
        if sys.platform == "win32":  # there SO_REUSEADDR would share a port that another program listens on
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise ConfigError(f"cannot listen on {host}: {error.strerror}") from error
        return listener
    raise ConfigError(f"no free port from {port} on; name another with --port")


def _open(catalog: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{catalog.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def _check(catalog: Path) -> None:
    """Raise ConfigError unless the file is a catalog of ours."""
    try:
        with contextlib.closing(_open(catalog)) as connection:
            connection.execute("select id, path from images limit 1")
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{catalog} cannot be read as a hotfolder catalog: {error}") from error


class _ReadOnly(Database):
    """The catalog, opened for reading however its folder is called.

    Datasette 0.65 puts the bare path into a URI: with a `#` or `?` in it another file is opened, and for writing.
    """

    def connect(self, write: bool = False) -> sqlite3.Connection:
        if write:
            raise sqlite3.OperationalError("the catalog is opened for reading only")
        connection = _open(Path(self.path))
        self._all_file_connections.append(connection)
        return connection


class _Server(uvicorn.Server):
    """Opens the browser once the server answers."""

    def __init__(self, config: uvicorn.Config, page: str | None) -> None:
        super().__init__(config)
        self._page = page

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._page is not None and self.started:
            webbrowser.open(self._page)
