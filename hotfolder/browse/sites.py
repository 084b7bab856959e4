"""Which workspace a running Datasette shows: told by `hotfolder browse`, or found by `datasette catalog.db`.

The plugin is installed for every Datasette of this Python; where no catalog of ours is served it does nothing at all.
"""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from hotfolder.catalog import schema
from hotfolder.errors import ConfigError
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace, open_workspace


@dataclass(frozen=True)
class Site:
    """One served catalog: its workspace, and Datasette's name for it. With `review` its pages have buttons that write
    files into the workspace. `mismatch` says why a catalog of another version cannot be shown."""

    workspace: Workspace
    database: str
    review: bool = False
    mismatch: str | None = None


_SITES: "WeakKeyDictionary[Any, Site]" = WeakKeyDictionary()


def attach(datasette: Any, site: Site) -> None:
    """Say what `datasette` shows, where the caller knows."""
    _SITES[datasette] = site


def of(datasette: Any) -> Site | None:
    """Return what `datasette` shows; None where it serves no catalog of ours.

    A database file in a folder that holds `.hotfolder/` is the catalog of the workspace in that folder.
    """
    known = _SITES.get(datasette)
    if known is not None:
        return known
    for name, database in datasette.databases.items():
        if database.path is None:
            continue
        root = Path(os.path.abspath(database.path)).parent
        if (root / ".hotfolder").is_dir():
            attach(datasette, Site(_workspace(root), name, mismatch=mismatch(Path(database.path))))
            return _SITES[datasette]
    return None


def connect(catalog: Path) -> sqlite3.Connection:
    """Open a catalog for reading, however its folder is called, for whichever thread asks."""
    return sqlite3.connect(f"{catalog.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def mismatch(catalog: Path) -> str | None:
    """Return why a file is no catalog of this version, and what to do, without its name; None where it is one."""
    try:
        with contextlib.closing(connect(catalog)) as connection:
            connection.execute("select id, path from images limit 1")
            return schema.mismatch(connection)
    except sqlite3.DatabaseError as error:
        return f"cannot be read as a hotfolder catalog: {error}"


def _workspace(root: Path) -> Workspace:
    """The workspace as its settings say; with the usual ones where they cannot be read: the catalog can still be
    shown."""
    try:
        return open_workspace(root)
    except ConfigError:
        return Workspace(root, Settings())
