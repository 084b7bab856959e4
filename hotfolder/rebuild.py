"""The catalog made anew from the files, which are the truth: pictures in outbox, inputs in done/ and failed/.

What only the catalog knew is gone: job ids, seconds, and jobs that made nothing.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hotfolder import atomic, images, names
from hotfolder.catalog import pictures, queue
from hotfolder.catalog.queue import NewJob
from hotfolder.catalog.store import Catalog, utc_now
from hotfolder.errors import HotfolderError
from hotfolder.images import SUFFIXES
from hotfolder.intake import claim
from hotfolder.metadata import read, record
from hotfolder.outbox import reading, standing
from hotfolder.workspace import Workspace


def rebuild(workspace: Workspace) -> tuple[int, int]:
    """Remake catalog.db; returns how many pictures and how many inputs it now has. The caller holds the workspace.

    The old catalog, if there is one, is kept beside it as catalog.db.old.
    """
    for suffix in ("", "-wal", "-shm"):  # the newest commits may be in the -wal alone
        old = workspace.catalog.with_name(f"catalog.db.old{suffix}")
        old.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.replace(workspace.catalog.with_name(f"{workspace.catalog.name}{suffix}"), old)
    catalog = Catalog(workspace.catalog)
    inputs = sum(
        _put_input(workspace, catalog, path, state)
        for state in ("done", "failed")
        for path in _files(workspace.root / state)
    )
    made = 0
    worked_on: dict[str, str] = {}
    # where a picture was copied, the one that still lies beside its job file is the one that was made
    for path in sorted(_files(workspace.outbox), key=lambda path: not os.path.isfile(path.with_suffix(".job.yaml"))):
        if path.suffix.lower() in SUFFIXES:
            made += _put_picture(workspace, catalog, path, worked_on)
    _find_moved_parents(workspace, catalog, worked_on)
    _give_back_unfinished(workspace)
    standing.set_mark(workspace)
    catalog.close()
    return made, inputs


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where, name) for name in sorted(files) if not name.startswith("."))


def _put_input(workspace: Workspace, catalog: Catalog, path: Path, state: str) -> bool:
    if path.name.endswith(".error.txt"):
        return False
    relative = path.relative_to(workspace.root / state)
    try:
        sha256 = atomic.sha256_of(path)
    except OSError:  # it may not be read, or is a link that leads nowhere
        return False
    file = {
        "role": "picture" if path.suffix.lower() in SUFFIXES else "job",
        "name": path.name,
        "origin": relative.as_posix(),
        "sha256": sha256,
        "path": path.relative_to(workspace.root).as_posix(),
    }
    reason = path.with_name(names.reason_name(path.name))
    error = reason.read_text(encoding="utf-8", errors="replace") if reason.is_file() else None
    kind = relative.parts[0] if len(relative.parts) > 1 else "unknown"
    job = NewJob(path.stem, kind, 0, "{}", "[]", "", None, state, error=error)
    with catalog.transaction():
        queue.put_drop(catalog, claim.new_drop_id(), relative.parent.as_posix(), relative.name, state, [file], [job])
    return True


def _put_picture(workspace: Workspace, catalog: Catalog, path: Path, worked_on: dict[str, str]) -> bool:
    """Write the row of one picture from what is embedded in it, its pixels and its bytes; `worked_on` takes the hash of
    the file it was made from, by its path."""
    try:
        found = read.read(path)
        image = images.open_picture(path, 2**31).image
    except (HotfolderError, OSError, sqlite3.Error):
        return False
    if found.image_id is None or not found.record:
        return False
    relative = workspace.relative(path)
    facts = reading.facts_of(found, image, path)
    facts["parent_path"] = _input_of(catalog, found.job or {})
    output = {"path": relative, "sha256": atomic.sha256_of(path), "signature": pictures.signature_at(path)}
    output["hot_folder"] = pictures.hot_folder_of(relative)
    try:
        with catalog.transaction():
            pictures.put_image(catalog, facts, output, utc_now())
    except sqlite3.IntegrityError:  # a copy of a picture that has its row
        return False
    if record.is_text(sha256 := (found.job or {}).get("image_sha256")):
        worked_on[relative] = sha256
    return True


def _find_moved_parents(workspace: Workspace, catalog: Catalog, worked_on: dict[str, str]) -> None:
    """Point pictures that were made from one of outbox, the steps of a chain, to where that lies now."""
    for path, sha256 in worked_on.items():
        row = catalog.row("select parent_path from images where path=?", path)
        if row and row["parent_path"] and os.path.isfile(workspace.absolute(row["parent_path"])):
            continue
        for parent in catalog.rows("select path from images where sha256=? order by path limit 1", sha256):
            with catalog.transaction():
                catalog.rows("update images set parent_path=? where path=?", parent["path"], path)


def _input_of(catalog: Catalog, job: dict[str, Any]) -> str | None:
    """Return where the picture that a job worked on lies; by its hash, since another may have its name by now. Of
    several copies it is the one of that name."""
    sha256, name = (given if record.is_text(given := job.get(key)) else None for key in ("image_sha256", "image"))
    rows = catalog.rows("select files from drops where files like ?", f"%{sha256}%") if sha256 else ()
    copies = [str(file["path"]) for row in rows for file in queue.files_of(row) if file["sha256"] == sha256]
    named = [path for path in copies if name and Path(path).name == Path(name).name]
    return next(iter([*named, *copies]), name)


def _give_back_unfinished(workspace: Workspace) -> None:
    """Return the inputs of drops that were not finished to the inbox: the next start takes them again."""
    for noted in sorted(workspace.work.glob("*/claim.json")):
        claim.give_back(workspace, noted.parent.name, json.loads(noted.read_bytes()))
