"""Which job is next, and what the worker is told of it: plain data, so that it could as well run on another machine."""

import json
from pathlib import Path
from typing import Any

from hotfolder import atomic, names, planner, publish, yamlfile
from hotfolder.capabilities import CAPABILITIES, variant_of
from hotfolder.catalog import queue
from hotfolder.catalog.store import Catalog
from hotfolder.models import entries, profile
from hotfolder.models.placement import Machine, Placement
from hotfolder.planner import Candidate
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace


def pick(workspace: Workspace, catalog: Catalog, loaded: list[str]) -> Candidate | None:
    """Return the queued job that is next, with these models in memory."""
    bound = workspace.settings.overtake_bound
    rows, overtaken = queue.contenders(catalog, loaded, bound)
    candidates = [Candidate(row["id"], row["position"], row["model"]) for row in rows]
    return planner.next_job(candidates, loaded, overtaken, bound)


def order(workspace: Workspace, catalog: Catalog, job: dict[str, Any], machine: Machine) -> dict[str, Any]:
    """Return the order for a claimed job row, with a fresh folder to stage its results in (worker.Order).

    Raises:
        NotYet, ConfigError, BadSpec: its model is not to be had on this machine, or by this profile.
    """
    spec = JobSpec.model_validate_json(job["spec"])
    capability = CAPABILITIES[spec.kind]
    kinds = capability.helpers(spec, capability.Options(**spec.options))
    choice, placement = _serve(workspace, spec, job["name"], machine) if job["model"] else (None, None)
    helpers = {kind: _serve(workspace, spec.helper(kind), job["name"], machine) for kind in kinds}
    source = workspace.absolute(job["source_path"]) if job["source_path"] else None
    name, sha256 = _called(catalog, job, job["source_path"], source) if source else (None, None)
    return {
        "job": job["id"],
        "spec": json.loads(job["spec"]),
        "planned": json.loads(job["planned"]),
        "model": job["model"],
        "placement": placement.model_dump() if placement else None,
        "max_edge_px": choice.serving.max_edge_px if choice else None,
        "helpers": {kind: (served.entry.name, placed.model_dump()) for kind, (served, placed) in helpers.items()},
        "out": str(publish.fresh_stage(workspace, job)),
        "thumbs": str(workspace.thumbs),
        "max_pixels": int(workspace.settings.max_megapixels * 1_000_000),
        "image": str(source) if source else None,
        "image_name": name,
        "image_sha256": sha256,
        "pictures": {
            key: (str(path := workspace.absolute(place)), _called(catalog, job, place, path)[0])
            for key, place in json.loads(job["inputs"] or "{}").items()
        },
        "upcoming": queue.upcoming(catalog),
    }


def _serve(workspace: Workspace, spec: JobSpec, name: str, machine: Machine) -> tuple[profile.Choice, Placement]:
    """Return what serves a job and how that is put on the machine."""
    has_card = machine.device != "cpu"
    settings = workspace.settings.profile, workspace.profiles, workspace.models
    choice = profile.choose(spec, *settings, name, has_card, variant_of(spec))
    assert choice
    weights = entries.weights_folder(choice.entry, workspace.models)
    return choice, choice.placement(spec, machine, entries.weights_bytes(weights))


def _called(catalog: Catalog, job: dict[str, Any], place: str, path: Path) -> tuple[str, str | None]:
    """Return how an input of a job is called, as the .job.yaml names it, and the hash of its bytes.

    A dropped file is called by the place in done/ where it will lie.
    """
    drop = catalog.row("select * from drops where id=?", job["drop_id"])
    assert drop
    for file in queue.files_of(drop):
        if place == f".hotfolder/work/{drop['id']}/in/{file['name']}":
            return _writable(f"done/{file['origin']}"), file["sha256"]
    return _writable(place), atomic.sha256_of(path) if path.is_file() else None


def _writable(name: str) -> str:
    """Return a name as a job file may hold it: what its reader refuses in a text stands there as a visible escape."""
    return yamlfile.CONTROL.sub(lambda found: names.display(found.group()), name)
