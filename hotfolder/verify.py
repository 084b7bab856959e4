"""Whether files and catalog agree: every promise that can be checked from outside, as sentences about what differs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hotfolder import atomic, images
from hotfolder.catalog import queue, store
from hotfolder.errors import HotfolderError
from hotfolder.workspace import Workspace

BESIDE = (".job.yaml", ".txt", ".json", ".yaml", ".mask.png", ".overlay.png")
"""Endings of what is written beside a picture, under its name."""


def verify(workspace: Workspace, settled: bool = True) -> list[str]:
    """Return what is wrong, empty when all agrees.

    Args:
        settled: also check what holds only when nothing runs: no work left over, every ended drop filed away.
    """
    with store.reading(workspace.catalog) as catalog:
        found = list(_sqlite(catalog))
        found += _outputs(workspace, catalog)
        found += _strays(workspace, catalog)
        found += _inputs(workspace, catalog)
        if settled:
            found += _leftovers(workspace, catalog)
    return found


def _sqlite(catalog: store.Reader) -> Iterator[str]:
    for row in catalog.rows("pragma integrity_check"):
        if row["integrity_check"] != "ok":
            yield f"the catalog is damaged: {row['integrity_check']}; `hotfolder rebuild` remakes it"
    if catalog.rows("pragma foreign_key_check"):
        yield "the catalog has rows that point to nothing; `hotfolder rebuild` remakes it"


def _outputs(workspace: Workspace, catalog: store.Reader) -> Iterator[str]:
    """Each published file is there, whole, and is what was recorded."""
    for row in catalog.rows("select outputs.*, jobs.state from outputs join jobs on jobs.id=job_id"):
        path = workspace.absolute(row["path"])
        if row["state"] == "done" and not row["published"]:
            yield f"{row['path']} belongs to a finished job but is not published"
        if not path.is_file():
            if row["published"]:
                yield f"{row['path']} is in the catalog but not there (job {row['job_id']})"
        elif atomic.sha256_of(path) != row["sha256"] and row["published"]:
            if row["role"] != "picture" or _pixels(path) != json.loads(row["facts"])["pixel_sha256"]:
                yield f"{row['path']} differs from what was recorded (job {row['job_id']})"
        if row["role"] == "picture" and row["published"]:
            if len(catalog.rows("select 1 from images where path=?", row["path"])) != 1:
                yield f"{row['path']} has no row in images"


def _pixels(path: Path) -> str:
    try:
        return images.pixel_sha256(images.open_picture(path, 2**31).image)
    except HotfolderError:
        return ""


def _strays(workspace: Workspace, catalog: store.Reader) -> Iterator[str]:
    """Each file in outbox has its row."""
    known = {row["path"] for row in catalog.rows("select path from outputs union select path from images")}
    known |= {f"{path}.xmp" for path in known}  # photo managers write a picture's
    stems = {path.rpartition(".")[0] for path in known}
    for folder, folders, files in os.walk(workspace.outbox):
        folders[:] = [name for name in folders if not name.startswith(".")]
        jobs = {name.removesuffix(".job.yaml") for name in files if name.endswith(".job.yaml")}
        for name in files:
            relative = workspace.relative(Path(folder, name))
            # a catalog that `rebuild` made knows the pictures alone, not what lies beside them or was made without one
            beside = [ending for ending in BESIDE if name.endswith(ending)]
            is_beside = any(relative.removesuffix(end) in stems or name.removesuffix(end) in jobs for end in beside)
            if relative not in known and not is_beside and not name.startswith("."):
                yield f"{store.storable(relative)} lies in outbox and is not in the catalog"


def _inputs(workspace: Workspace, catalog: store.Reader) -> Iterator[str]:
    """Each file that was taken in lies where its drop says, as it was."""
    for row in catalog.rows(
        "select * from drops where state!='waiting' and finished_at is null or state in ('done','failed')"
    ):
        for file in queue.files_of(row):
            places = [workspace.work / row["id"] / "in" / file["name"]]
            if "path" in file:
                places.append(workspace.root / file["path"])
            there = [place for place in places if place.is_file()]
            if not there and row["state"] == "failed" and _was_tried_again(workspace, catalog, row["id"], file):
                continue
            if len(there) != 1 and not row["superseded_by"]:
                yield f"{store.storable(file['origin'])} of drop {row['id']} is in {len(there)} places instead of one"
            elif there and atomic.sha256_of(there[0]) != file["sha256"]:
                yield f"{store.storable(file['origin'])} of drop {row['id']} is not the file that was taken in"


def _was_tried_again(workspace: Workspace, catalog: store.Reader, drop: str, file: dict[str, Any]) -> bool:
    """Say whether a file that left failed/ lies in the inbox again, or came in with a later drop."""
    if (workspace.inbox / file["origin"]).is_file():
        return True
    same_bytes, same_name = f"%{file['sha256']}%", f"%{json.dumps(file['origin'])}%"
    later = "select 1 from drops where id>? and (files like ? or files like ?) limit 1"
    return bool(catalog.rows(later, drop, same_bytes, same_name))


def _leftovers(workspace: Workspace, catalog: store.Reader) -> Iterator[str]:
    for row in catalog.rows("select id, state from jobs where state in ('running','publishing')"):
        yield f"job {row['id']} is still {row['state']}, though nothing runs"
    for path in workspace.work.iterdir():
        if not catalog.rows("select 1 from drops where id=? and state='claimed'", path.name):
            yield f".hotfolder/work/{path.name} is left over from a drop that has ended or was never recorded"
