"""Whether outbox is the folder that it was. A share that is not mounted looks like one from which all was deleted."""

import contextlib
import os

from hotfolder import atomic, names
from hotfolder.catalog.store import Reader
from hotfolder.workspace import Workspace

_TEXT = b"hotfolder knows its outbox by this file; please leave it here.\n"
_LOOKED_FOR = 500
"""Newest pictures that are looked for where there is no mark."""


def away(workspace: Workspace, catalog: Reader, least: float) -> str | None:
    """Return why this cannot be the outbox that the catalog tells of, None where it is; then it bears the mark.

    Args:
        least: the part of the newest pictures that has to be where the catalog says, where the mark is missing.
    """
    mark = workspace.outbox_mark
    try:
        if mark.exists():
            return None
        newest = catalog.rows("select path from images order by created_at desc limit ?", _LOOKED_FOR)
        there = sum(os.path.isfile(workspace.absolute(row["path"])) for row in newest)
        if newest and (not there or there < least * len(newest)):
            return (
                f"outbox ({names.display(str(workspace.outbox))}) is not the folder that it was: neither its mark "
                f"{mark.name} nor the pictures of the catalog are in it. If it is a share or another disk, mount it; "
                "if you emptied it, run `hotfolder rebuild`. Nothing is forgotten meanwhile"
            )
    except OSError as error:
        return f"outbox cannot be read ({error}); nothing in the catalog is changed meanwhile"
    set_mark(workspace)
    return None


def set_mark(workspace: Workspace) -> None:
    """Let outbox be known again; one that may not be written into stays without."""
    with contextlib.suppress(OSError):
        atomic.write(workspace.outbox_mark, _TEXT)
