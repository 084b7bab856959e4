"""Which workspace a running Datasette shows: told by `hotfolder browse`, or found by `datasette catalog.db`.

The plugin is installed for every Datasette of this Python; where no catalog of ours is served it does nothing at all.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from hotfolder.errors import ConfigError
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace, open_workspace


@dataclass(frozen=True)
class Site:
    """One served catalog: its workspace, and Datasette's name for it. With `review` its pages have buttons that write
    files into the workspace."""

    workspace: Workspace
    database: str
    review: bool = False


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
            attach(datasette, Site(_workspace(root), name))
            return _SITES[datasette]
    return None


def _workspace(root: Path) -> Workspace:
    """The workspace as its settings say; with the usual ones where they cannot be read: the catalog can still be
    shown."""
    try:
        return open_workspace(root)
    except ConfigError:
        return Workspace(root, Settings())
