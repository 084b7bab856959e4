"""What the worker is told of a job: plain data, so that it could as well run on another machine."""

import json
from pathlib import Path
from typing import Any

from hotfolder import atomic, names, publish, yamlfile
from hotfolder.catalog import queue
from hotfolder.catalog.store import Catalog
from hotfolder.workspace import Workspace


def order(workspace: Workspace, catalog: Catalog, job: dict[str, Any]) -> dict[str, Any]:
    """Return the order for a claimed job row, with a fresh folder to stage its results in (worker.Order)."""
    source = workspace.absolute(job["source_path"]) if job["source_path"] else None
    name, sha256 = _input(catalog, job, source) if source else (None, None)
    return {
        "job": job["id"],
        "spec": json.loads(job["spec"]),
        "planned": json.loads(job["planned"]),
        "model": job["model"],
        "out": str(publish.fresh_stage(workspace, job)),
        "max_pixels": int(workspace.settings.max_megapixels * 1_000_000),
        "image": str(source) if source else None,
        "image_name": name,
        "image_sha256": sha256,
    }


def _input(catalog: Catalog, job: dict[str, Any], source: Path) -> tuple[str, str | None]:
    """Return how a job's input is called, as the .job.yaml names it, and the hash of its bytes.

    A dropped file is called by the place in done/ where it will lie.
    """
    drop = catalog.row("select * from drops where id=?", job["drop_id"])
    assert drop
    for file in queue.files_of(drop):
        if job["source_path"] == f".hotfolder/work/{drop['id']}/in/{file['name']}":
            return _writable(f"done/{file['origin']}"), file["sha256"]
    return _writable(job["source_path"]), atomic.sha256_of(source) if source.is_file() else None


def _writable(name: str) -> str:
    """Return a name as a job file may hold it: what its reader refuses in a text stands there as a visible escape."""
    return yamlfile.CONTROL.sub(lambda found: names.display(found.group()), name)
