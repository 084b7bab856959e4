"""Whether files and catalog agree: every promise that can be checked from outside, as sentences about what differs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hotfolder import atomic, images
from hotfolder.catalog import pictures, queue, store
from hotfolder.errors import HotfolderError
from hotfolder.metadata import read
from hotfolder.workspace import Workspace


def verify(workspace: Workspace, settled: bool = True) -> list[str]:
    """Return what is wrong, empty when all agrees.

    Args:
        settled: also check what holds only when nothing runs: no work left over, every ended drop filed away.
    """
    with store.reading(workspace.catalog) as catalog:
        found = list(_sqlite(catalog))
        found += _outputs(catalog)
        here = _files(workspace)
        found += _images(catalog, here)
        found += _strays(catalog, here)
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


def _files(workspace: Workspace) -> dict[str, Path]:
    """Return the files of outbox by the paths that the catalog has for them."""
    found: dict[str, Path] = {}
    for folder, folders, files in os.walk(workspace.outbox):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(folder, name) for name in files if not name.startswith("."))
        found |= {store.storable(workspace.relative(path)) or "": path for path in paths}
    return found


def _outputs(catalog: store.Reader) -> Iterator[str]:
    """Each finished job has published what it made, and each of its pictures that nobody deleted has its row."""
    rows = catalog.rows(
        "select outputs.*, jobs.state, images.id image from outputs join jobs on jobs.id=outputs.job_id "
        "left join images on images.path=outputs.path"
    )
    for row in rows:
        if row["state"] == "done" and not row["published"]:
            yield f"{row['path']} belongs to a finished job but is not published"
        if row["role"] in pictures.ROLES and row["published"] == 1 and row["image"] is None:
            yield f"{row['path']} has no row in images"


def _images(catalog: store.Reader, here: dict[str, Path]) -> Iterator[str]:
    """Each picture is there, whole, and is what its row says."""
    for row in catalog.rows("select path, job_id, sha256, pixel_sha256 from images"):
        job = f" (job {row['job_id']})" if row["job_id"] else ""
        path = here.get(row["path"])
        if path is None:
            yield f"{row['path']} is in the catalog but not there{job}"
        elif not (sha256 := _sha256(path)):
            yield f"{row['path']} cannot be read{job}"
        elif sha256 != row["sha256"] and _pixels(path) != row["pixel_sha256"]:
            yield f"{row['path']} differs from what was recorded{job}"


def _sha256(path: Path) -> str:
    try:
        return atomic.sha256_of(path)
    except OSError:  # it may not be read, or is a link that leads nowhere
        return ""


def _pixels(path: Path) -> str:
    try:
        return images.pixel_sha256(images.open_picture(path, 2**31).image)
    except (HotfolderError, OSError):
        return ""


def _strays(catalog: store.Reader, here: dict[str, Path]) -> Iterator[str]:
    """Each picture of ours in outbox has its row; what else lies there is its user's."""
    # what is on its way has a row of `outputs` alone
    known = {row["path"] for row in catalog.rows("select path from images union select path from outputs")}
    for path, file in here.items():
        if path in known or file.suffix.lower() not in images.SUFFIXES:
            continue
        try:
            found = read.read(file)
        except (HotfolderError, OSError):
            continue
        number = found.image_id if found.record.get("kind") else None  # without one it is nobody's result
        if number and not catalog.rows("select 1 from images where id=?", number):
            yield f"{path} lies in outbox and is not in the catalog"


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
            elif there and not (sha256 := _sha256(there[0])):
                yield f"{store.storable(file['origin'])} of drop {row['id']} cannot be read"
            elif there and sha256 != file["sha256"]:
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
