"""What the worker is told of a job: plain data, so that it could as well run on another machine."""

import json
from pathlib import Path
from typing import Any

from hotfolder import atomic, names, publish, yamlfile
from hotfolder.catalog import queue
from hotfolder.catalog.store import Catalog
from hotfolder.models import entries, profile
from hotfolder.models.placement import Machine, Placement
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace


def order(workspace: Workspace, catalog: Catalog, job: dict[str, Any], machine: Machine) -> dict[str, Any]:
    """Return the order for a claimed job row, with a fresh folder to stage its results in (worker.Order).

    Raises:
        NotYet, ConfigError, BadSpec: its model is not to be had on this machine, or by this profile.
    """
    placement = _placement(workspace, job, machine)
    source = workspace.absolute(job["source_path"]) if job["source_path"] else None
    name, sha256 = _input(catalog, job, source) if source else (None, None)
    return {
        "job": job["id"],
        "spec": json.loads(job["spec"]),
        "planned": json.loads(job["planned"]),
        "model": job["model"],
        "placement": placement.model_dump() if placement else None,
        "out": str(publish.fresh_stage(workspace, job)),
        "max_pixels": int(workspace.settings.max_megapixels * 1_000_000),
        "image": str(source) if source else None,
        "image_name": name,
        "image_sha256": sha256,
        "upcoming": queue.upcoming(catalog),
    }


def _placement(workspace: Workspace, job: dict[str, Any], machine: Machine) -> Placement | None:
    """Return how the job's model is put on the machine, None where it has none."""
    if not job["model"]:
        return None
    spec = JobSpec.model_validate_json(job["spec"])
    has_card = machine.device != "cpu"
    choice = profile.choose(
        spec, workspace.settings.profile, workspace.profiles, workspace.models, job["name"], has_card
    )
    assert choice
    weights = entries.weights_folder(choice.entry, workspace.models)
    return choice.placement(spec, machine, entries.weights_bytes(weights))


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
