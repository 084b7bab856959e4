"""Which workspace a running Datasette shows: told by `hotfolder browse`, or found by `datasette catalog.db`.

The plugin is installed for every Datasette of this Python; where no catalog of ours is served it does nothing at all.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from hotfolder.errors import ConfigError
from hotfolder.workspace import open_workspace


@dataclass(frozen=True)
class Site:
    """One served catalog: its workspace, the folder that `outbox/` in its paths means, and Datasette's name for it."""

    workspace: Path
    outbox: Path
    database: str


_SITES: "WeakKeyDictionary[Any, Site]" = WeakKeyDictionary()


def attach(datasette: Any, workspace: Path, outbox: Path, database: str) -> None:
    """Say what `datasette` shows, where the caller knows."""
    _SITES[datasette] = Site(workspace, outbox, database)


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
            attach(datasette, root, _outbox(root), name)
            return _SITES[datasette]
    return None


def _outbox(root: Path) -> Path:
    """The outbox that the settings name; the usual one where they cannot be read: the catalog can still be shown."""
    try:
        return open_workspace(root).outbox
    except ConfigError:
        return root / "outbox"
