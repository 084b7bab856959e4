"""One look at outbox: which pictures lie there, and what differs from the catalog. No file is opened."""

import contextlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hotfolder.catalog import pictures, store
from hotfolder.catalog.store import Reader, storable
from hotfolder.images import SUFFIXES
from hotfolder.intake.scan import is_ignored
from hotfolder.names import name_key
from hotfolder.outbox import standing
from hotfolder.workspace import Workspace

MAX_DEPTH = 40


class Row(NamedTuple):
    """What a look needs of a row of `images`."""

    path: str
    id: str
    signature: str | None
    width: int
    height: int
    job_id: int | None


@dataclass
class Scan:
    """`pictures` are signatures by the catalog's paths, `real` those paths on the disk that are written otherwise
    there; of what lies below `closed` nothing is known: links, and folders that cannot be read."""

    pictures: dict[str, str] = field(default_factory=dict)
    real: dict[str, str] = field(default_factory=dict)
    closed: tuple[str, ...] = ()


@dataclass
class Look:
    """`files` are new or changed since they were read, by path with their signatures; `gone` and `changed` are the rows
    whose file is not there, or is another; `back` are signatures, by id, of pictures that were put back. With an `away`
    there is nothing else."""

    away: str | None = None
    scan: Scan = field(default_factory=Scan)
    files: dict[str, str] = field(default_factory=dict)
    gone: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)
    back: dict[str, str] = field(default_factory=dict)


def look(workspace: Workspace, known: Mapping[str, str]) -> Look:
    """Compare outbox with the catalog; runs beside the service, and only reads.

    Args:
        known: signatures of files that were read and are no row's, by path.

    Raises:
        OSError: outbox cannot be read.
    """
    with store.reading(workspace.catalog) as catalog:
        if reason := standing.away(workspace, catalog, least=0.5):
            return Look(reason)
        found = Look(scan=scan(workspace.outbox))
        _compare(catalog, found, known)
        # unmounted while it was scanned: what was not seen may well be there
        found.away = standing.away(workspace, catalog, least=0.5)
    return found


def _compare(catalog: Reader, found: Look, known: Mapping[str, str]) -> None:
    here = found.scan.pictures
    rows = catalog.connection.execute("select path, id, signature, width, height, job_id from images")
    unknown = dict(here)
    for row in map(Row._make, rows):
        unknown.pop(row.path, None)
        signature = here.get(row.path)
        if signature is None:
            if not row.path.startswith(found.scan.closed):
                found.gone.append(row)
        elif signature != row.signature and known.get(row.path) != signature:
            found.changed.append(row)
            found.files[row.path] = signature
    for path, signature in unknown.items():
        if known.get(path) != signature and not _is_on_its_way(catalog, path):
            found.files[path] = signature


def _is_on_its_way(catalog: Reader, path: str) -> bool:
    """Say whether a file is just being published, or lies beside a picture and is none itself."""
    row = catalog.row("select role, published from outputs where name_key=? and path=?", name_key(path), path)
    return row is not None and (not row["published"] or row["role"] not in pictures.ROLES)


def scan(outbox: Path) -> Scan:
    """Return the pictures of outbox. Links are not followed, nor hidden folders looked into.

    Raises:
        OSError: outbox itself cannot be read.
    """
    found = Scan()
    closed = []
    pending = [(str(outbox), "outbox/", 0)]
    while pending:
        folder, prefix, depth = pending.pop()
        statuses: dict[str, os.stat_result] = {}
        try:
            with os.scandir(folder) as listing:
                for item in listing:
                    is_folder = item.is_dir(follow_symlinks=False)
                    if is_ignored(item.name, is_folder):
                        continue
                    if is_folder and depth < MAX_DEPTH:
                        pending.append((item.path, f"{prefix}{item.name}/", depth + 1))
                    elif is_folder or item.is_symlink():
                        closed.append(f"{prefix}{item.name}{'/' if item.is_dir() else ''}")
                    elif os.path.splitext(item.name)[1].lower() in SUFFIXES or item.name.endswith(".xmp"):
                        with contextlib.suppress(FileNotFoundError):  # moved meanwhile; the others lie there still
                            statuses[item.name] = item.stat(follow_symlinks=False)
        except FileNotFoundError:
            if depth == 0:
                raise
            continue  # removed or moved meanwhile; what was in it is sought as any picture is
        except OSError:
            if depth == 0:
                raise
            closed.append(prefix)
            continue
        for name, status in statuses.items():
            if not name.endswith(".xmp") and stat.S_ISREG(status.st_mode):
                path = storable(prefix + name) or ""
                found.pictures[path] = pictures.signature(status, statuses.get(f"{name}.xmp"))
                if path != prefix + name:
                    found.real[path] = prefix + name
    found.closed = tuple(storable(prefix) or "" for prefix in closed)
    return found
