"""`hotfolder browse`: Datasette in this process, on this machine only, read-only."""

import asyncio
import contextlib
import logging
import os
import socket
import sqlite3
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import uvicorn
from datasette.app import Datasette
from datasette.database import Database
from datasette.plugins import pm

from hotfolder.browse import pages, plugin, ports, sites
from hotfolder.errors import ConfigError
from hotfolder.workspace import Workspace

DEFAULT_PORT = 8001
GRACE_S = 1
"""What an answer that is under way may still take after Ctrl-C."""
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
    sites.attach(application, sites.Site(workspace, database.name, review))
    return application


class _ReadOnly(Database):
    """The catalog, opened for reading however its folder is called.

    Datasette 0.65 puts the bare path into a URI: with a `#` or `?` in it another file is opened, and for writing. And
    its threads keep for good what they have opened: after `hotfolder rebuild` that would be the old catalog.
    """

    def __init__(self, datasette: Any, path: str) -> None:
        super().__init__(datasette, path)
        self._own = threading.local()

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, lambda: fn(self._connection()))

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection, to the file that has the catalog's name now; as long as there is none, or
        its tables are still being made, to the last one."""
        known: tuple[sqlite3.Connection, tuple[int, int]] | None = getattr(self._own, "known", None)
        try:
            status = os.stat(self.path)
        except OSError:
            if known:
                return known[0]
            raise
        file = status.st_dev, status.st_ino
        if known and known[1] == file:
            return known[0]
        new = self.connect()
        if known and not new.execute("pragma user_version").fetchone()[0]:
            self._let_go(new)
            return known[0]
        self.ds._prepare_connection(new, self.name)
        self._own.known = new, file
        if known:
            self._let_go(known[0])
        return new

    def _let_go(self, connection: sqlite3.Connection) -> None:
        self._all_file_connections.remove(connection)
        connection.close()

    def connect(self, write: bool = False) -> sqlite3.Connection:
        if write:
            raise sqlite3.OperationalError("the catalog is opened for reading only")
        connection = sites.connect(Path(self.path))
        self._all_file_connections.append(connection)
        return connection


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
