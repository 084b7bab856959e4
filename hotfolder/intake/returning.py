"""Pictures of outbox that were dropped into an inbox: a copy stays where the picture lay, so that none is lost to its
row in the catalog."""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from hotfolder import atomic
from hotfolder.catalog import pictures
from hotfolder.catalog.store import Reader
from hotfolder.workspace import Workspace


def put_back_moved(workspace: Workspace, catalog: Reader, taken: Iterable[tuple[Path, str]]) -> None:
    """Put back what was moved, not copied, out of outbox; before the files become a drop, so that no kill can come
    between.

    Args:
        taken: files in .hotfolder/work with their hashes.
    """
    for path, sha256 in taken:
        paths = [row["path"] for row in catalog.rows("select path from images where sha256=?", sha256)]
        places = [workspace.absolute(path) for path in paths if pictures.OVERWRITTEN not in path]
        if places and not any(map(os.path.isfile, places)):
            with contextlib.suppress(OSError):  # outbox is away: then it is not lost to its row either
                put_back(path, places[0])


def put_back(source: Path, target: Path) -> os.stat_result | None:
    """Copy a file to where it lay; not a second name of it, for who stars one must not change the other. Returns what
    the copy is by its status; None where something has the name by now, which is left alone."""
    if target.exists():
        return None
    atomic.make_folders(target.parent)
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        atomic.copy(source, part)
        status = part.lstat()
        atomic.rename_new(part, target)
    except FileExistsError:
        return None
    finally:
        part.unlink(missing_ok=True)
    atomic.fsync_folder(target.parent)
    return status
