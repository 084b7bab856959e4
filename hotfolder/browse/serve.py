"""`hotfolder browse`: Datasette in this process, on this machine only, read-only."""

import asyncio
import contextlib
import logging
import queue
import socket
import sqlite3
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import uvicorn
from datasette.app import Datasette
from datasette.database import Database
from datasette.plugins import pm

from hotfolder.browse import pages, plugin, ports, sites
from hotfolder.catalog import store
from hotfolder.errors import ConfigError
from hotfolder.workspace import Workspace

DEFAULT_PORT = 8001
GRACE_S = 1
"""What an answer that is under way may still take after Ctrl-C."""
_SETTINGS = {"sql_time_limit_ms": 5000, "default_allow_sql": True, "allow_download": False, "suggest_facets": False}


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
    wanted = port or DEFAULT_PORT
    listener = ports.listen(host, wanted)
    chosen = listener.getsockname()[1]
    if chosen != wanted:
        user = ports.holder(wanted)
        click.echo(f"Port {wanted} is {f'used by {user}' if user else 'not free'}; taking {chosen}.")
    address = f"http://{'[::1]' if host == '::1' else host}:{chosen}{pages.address(application, 'gallery')}"
    config = uvicorn.Config(application.app(), log_level="warning", lifespan="on", timeout_graceful_shutdown=GRACE_S)
    server = _Server(config, address if open_browser else None)
    click.echo(f"The catalog is at {address} (Ctrl-C stops it).")
    if review:
        click.echo("Its buttons write: stars into pictures, moves into keep/ and reject/, jobs into the inbox.")
    with listener, contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def make(workspace: Workspace, review: bool = False) -> Any:
    """Return a Datasette with our plugin that shows the catalog of a workspace.

    The file is opened read-only, never as immutable: Datasette would then miss what the service writes meanwhile.

    Raises:
        ConfigError: there is no catalog yet, or the file is something else, or of another version.
    """
    catalog = workspace.catalog
    if not catalog.is_file():
        raise ConfigError(
            f"nothing here yet: {catalog} does not exist. `hotfolder run` makes it; drop a picture into inbox/ first."
        )
    if wrong := sites.mismatch(catalog):
        raise ConfigError(f"{catalog} {wrong}")
    if not pm.is_registered(plugin):
        pm.register(plugin, "hotfolder")
    application = Datasette(memory=True, settings=_SETTINGS, cors=False)
    application.remove_database("_memory")
    database = application.add_database(_ReadOnly(application, str(catalog)))
    database.open()
    sites.attach(application, sites.Site(workspace, database.name, review))
    return application


class _ReadOnly(Database):
    """The catalog, opened for reading however its folder is called.

    Datasette 0.65 puts the bare path into a URI: with a `#` or `?` in it another file is opened, and for writing. And
    its threads keep for good what they have opened: after `hotfolder rebuild` that would be the old catalog. Here the
    open connections are lent: all of them, one for each thread, stand ready from the start, so that each can go on with
    the old catalog while the new one is still being made.
    """

    def __init__(self, datasette: Any, path: str) -> None:
        super().__init__(datasette, path)
        self._ready: queue.SimpleQueue[_Opened] = queue.SimpleQueue()

    def open(self) -> None:
        """Open one connection for each of Datasette's threads; the database has its name by now."""
        for _ in range(self.ds.setting("num_sql_threads")):
            self._ready.put(self._opened())

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, self._lend, fn)

    def _lend(self, fn: Callable[[sqlite3.Connection], Any]) -> Any:
        lent = self._ready.get()
        try:
            lent = self._newest(lent)
            return fn(lent.connection)
        finally:
            self._ready.put(lent)

    def _newest(self, opened: "_Opened") -> "_Opened":
        """Return a connection to the catalog that has the file's name now; as long as there is none, or its tables are
        still being made, the one that is open."""
        if store.file_called(self.path) in (None, opened.file) or sites.mismatch(Path(self.path)):
            return opened
        new = self._opened()
        self._all_file_connections.remove(opened.connection)
        opened.connection.close()
        return new

    def _opened(self) -> "_Opened":
        file = store.file_called(self.path)
        connection = self.connect()
        self.ds._prepare_connection(connection, self.name)
        connection.execute("select 1 from sqlite_master").fetchone()  # opens its write-ahead log while it has its name
        return _Opened(connection, file)

    def connect(self, write: bool = False) -> sqlite3.Connection:
        if write:
            raise sqlite3.OperationalError("the catalog is opened for reading only")
        connection = sites.connect(Path(self.path))
        self._all_file_connections.append(connection)
        return connection


class _Opened(NamedTuple):
    """A connection, and which file it was opened on."""

    connection: sqlite3.Connection
    file: tuple[int, int] | None


class _Server(uvicorn.Server):
    """Opens the browser once the server answers, and ends without a word."""

    def __init__(self, config: uvicorn.Config, page: str | None) -> None:
        super().__init__(config)
        self._page = page

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._page is not None and self.started:
            webbrowser.open(self._page)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what open pages asked for last is no error
        await super().shutdown(sockets)
