"""Taking drops out of the inbox so that none is taken twice, halfway, or lost.

An intent file names what is about to move; then the files are renamed into .hotfolder/work/<drop>/in; then drop and
jobs become rows. Killed before the rows exist, `give_back` returns the files to the inbox, where the next scan finds
them as if nothing had happened.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hotfolder import atomic, names
from hotfolder.atomic import crash_point
from hotfolder.catalog import chains, queue
from hotfolder.catalog.queue import NewJob
from hotfolder.catalog.store import Catalog, storable
from hotfolder.intake import returning, stability
from hotfolder.intake.admit import Admission
from hotfolder.intake.parts import Draft
from hotfolder.intake.scan import Signature, signature_of
from hotfolder.workspace import Workspace

BATCH = 64
MAX_JOB_BYTES = 65_536


@dataclass(frozen=True)
class Claim:
    """One drop about to be taken: `drop` is its id, kept from its waiting rows if it has any."""

    drop: str
    admission: Admission
    files: tuple[dict[str, Any], ...]
    """Each: role, name (as it will lie in in/), origin (path in the inbox), signature."""


def new_drop_id() -> str:
    """Return an id that sorts by time: 12 hex digits of milliseconds, 12 of chance."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def prepare(drop: str, admission: Admission) -> Claim:
    """List the files of an admission under clean names (the catalog holds no undecodable bytes) that do not collide."""
    files: list[dict[str, Any]] = []
    used: set[str] = set()
    for role, entry in admission.group.members.items():
        stem, dot, suffix = entry.name.rpartition(".")
        safe = f"{names.clean(stem)}{dot}{names.clean(suffix)}"
        number = 1
        while names.name_key(names.numbered(safe, number)) in used:
            number += 1
        name = names.numbered(safe, number)
        used.add(names.name_key(name))
        files.append({"role": role, "name": name, "origin": entry.path, "signature": list(entry.signature)})
    return Claim(drop, admission, tuple(files))


def claim(workspace: Workspace, catalog: Catalog, claims: Sequence[Claim]) -> list[Claim]:
    """Take a batch of drops; returns those taken. What its user withdrew or changed meanwhile stays in the inbox."""
    intent = workspace.work / f"{new_drop_id()}.intent"
    atomic.write(intent, json.dumps([{"drop": one.drop, "files": one.files} for one in claims]).encode())
    crash_point("claim_intent")
    for one in claims:
        (workspace.work / one.drop / "in").mkdir(parents=True, exist_ok=True)
        # for `rebuild`, should the catalog be lost while this drop is being worked on
        (workspace.work / one.drop / "claim.json").write_text(json.dumps(one.files), encoding="utf-8")
    atomic.fsync_folder(workspace.work)
    crash_point("claim_folders")
    taken = [one for one in claims if _take(workspace, one)]
    atomic.fsync_folders(workspace.work / one.drop / sub for one in taken for sub in ("in", ""))
    origins = {(workspace.inbox / file["origin"]).parent for one in taken for file in one.files}
    atomic.fsync_folders(folder for folder in origins if folder.is_dir())
    crash_point("claim_flushed")
    hashed = [(one, hashes) for one in taken if (hashes := _hashes(workspace, one)) is not None]
    for one, hashes in hashed:
        inside = workspace.work / one.drop / "in"
        places = (inside / file["name"] for file in one.files)
        returning.put_back_moved(workspace, catalog, zip(places, hashes, strict=True))
    with catalog.transaction():
        for one, hashes in hashed:
            _put(workspace, catalog, one, hashes)
    crash_point("claim_committed")
    kept = {one.drop for one, _ in hashed}
    for one in claims:
        if one.drop not in kept:
            give_back(workspace, one.drop, one.files)
    intent.unlink()
    return [one for one, _ in hashed]


def _take(workspace: Workspace, one: Claim) -> bool:
    inside = workspace.work / one.drop / "in"
    for file in one.files:
        source, target = workspace.inbox / file["origin"], inside / file["name"]
        try:
            if tuple(file["signature"]) != signature_of(os.lstat(source)):
                return False
            if Signature(*file["signature"]).device == os.stat(inside).st_dev:
                os.rename(source, target)
            else:
                _bring(source, target)
        except OSError:
            return False
        crash_point("claim_file")
    return True


def _bring(source: Path, target: Path) -> None:
    """Move a file from another device: copy, verify, then remove."""
    part = target.with_name(f".{target.name[:200]}.part")
    atomic.copy(source, part)
    os.rename(part, target)
    atomic.fsync_folder(target.parent)
    crash_point("claim_copied")
    os.unlink(source)


def _hashes(workspace: Workspace, one: Claim) -> list[str] | None:
    """Hash the files where they now lie; None when somebody still writes one through a descriptor opened before."""
    found = []
    for file in one.files:
        path = workspace.work / one.drop / "in" / file["name"]
        found.append(atomic.sha256_of(path))
        status, signature = os.stat(path), Signature(*file["signature"])
        if (status.st_size, status.st_mtime_ns) != (signature.size, signature.mtime_ns):
            return None
        if stability.is_being_written(path):
            return None
    return found


def _put(workspace: Workspace, catalog: Catalog, one: Claim, hashes: list[str]) -> None:
    files = [
        {"role": file["role"], "name": file["name"], "origin": file["origin"], "sha256": digest}
        for file, digest in zip(one.files, hashes, strict=True)
    ]
    inputs = {file["role"]: file["sha256"] for file in files}
    jobs = [new_job(workspace, draft, one) for draft in one.admission.drafts]
    members = [inputs.get(draft.member or "") for draft in one.admission.drafts]
    earlier: list[str | None] = []
    for job, sha256 in zip(jobs, members, strict=True):
        # a step of a chain was done where those before it were: what it works on is what they made then
        known = {earlier[place] for place in job.after}
        can_be = job.state == "queued" or (len(known) == 1 and None not in known)
        earlier.append(_done_before(catalog, job, sha256, next(iter(known), None)) if can_be else None)
    needed: set[int] = set()
    for place, job in reversed(list(enumerate(jobs))):
        if (drop := earlier[place]) and place in needed and not _is_there(workspace, catalog, job, drop):
            earlier[place] = None
        if earlier[place] is None:
            needed |= set(job.after)
        else:
            jobs[place] = replace(job, state="done", wait_reason=None)
    queue.put_drop(catalog, one.drop, one.admission.hot_folder, one.admission.name, "claimed", files, jobs)
    for drop in {*filter(None, earlier), *_moved_back(workspace, catalog, one)}:
        catalog.rows("update drops set superseded_by=? where id=?", one.drop, drop)


def _moved_back(workspace: Workspace, catalog: Catalog, one: Claim) -> set[str]:
    """Return the failed drops of this name whose files have left failed/: this drop is their next try."""
    found = catalog.rows(
        "select id, files from drops where state in ('failed','cancelled') and superseded_by is null "
        "and hot_folder=? and name=? and id!=?",
        storable(one.admission.hot_folder), storable(one.admission.name), one.drop,
    )  # fmt: skip
    return {
        row["id"]
        for row in found
        if not any((workspace.root / file["path"]).exists() for file in queue.files_of(row) if "path" in file)
    }


def _done_before(catalog: Catalog, job: NewJob, input_sha256: str | None, drop: str | None) -> str | None:
    """Return the failed or cancelled drop in which this very job, on this very input, was already done; only that one
    counts, if one is named."""
    found = catalog.rows(
        # cross join: the few failed drops first, not the many done jobs
        "select drops.id, drops.files from drops cross join jobs on jobs.drop_id=drops.id "
        "where drops.state in ('failed','cancelled') and drops.superseded_by is null "
        "and jobs.state='done' and jobs.spec=? and jobs.name=? and coalesce(?, drops.id)=drops.id",
        job.spec, job.name, drop,
    )  # fmt: skip
    for row in found:
        before = {file["sha256"] for file in json.loads(row["files"])}
        if input_sha256 is None or input_sha256 in before:
            return str(row["id"])
    return None


def _is_there(workspace: Workspace, catalog: Catalog, job: NewJob, drop: str) -> bool:
    """Say whether what a job made in an earlier drop still lies in outbox, for the next step to work on."""
    done = catalog.row(
        "select * from jobs where drop_id=? and state='done' and spec=? and name=?", drop, job.spec, job.name
    )
    return done is not None and all(workspace.absolute(path).is_file() for path in chains.made(catalog, done))


def new_job(workspace: Workspace, draft: Draft, one: Claim | None) -> NewJob:
    """Return the row of a draft. Its source lies in work/ once claimed (`one`), else where it is named."""
    source = workspace.relative(draft.source) if draft.source else None
    if draft.member and one:
        name = next(file["name"] for file in one.files if file["role"] == draft.member)
        source = f".hotfolder/work/{one.drop}/in/{name}"
    inputs = {}
    for key, place in draft.pictures.items():
        if isinstance(place, Path):
            inputs[key] = workspace.relative(place)
        elif one:
            name = next(file["name"] for file in one.files if file["role"] == place)
            inputs[key] = f".hotfolder/work/{one.drop}/in/{name}"
    state = draft.ends_as if draft.error else "waiting" if draft.wait else "queued"
    return NewJob(
        name=draft.name,
        kind=draft.spec.kind,
        priority=draft.spec.priority,
        spec=draft.spec.model_dump_json(exclude_defaults=True),
        planned=json.dumps([planned.model_dump() for planned in draft.planned]),
        model=draft.model,
        source_path=storable(source),
        state=state,
        wait_reason=storable(draft.wait),
        error=storable(draft.error),
        inputs=json.dumps(inputs) if inputs else None,
        after=draft.after,
    )


def give_back(workspace: Workspace, drop: str, files: Sequence[dict[str, Any]]) -> None:
    """Return the files of a claim that has no rows to the inbox, never over another file; repeatable."""
    inside = workspace.work / drop / "in"
    for file in files:
        source, origin = inside / file["name"], workspace.inbox / file["origin"]
        if not source.exists():
            continue
        same = origin.exists() and tuple(file["signature"][:2]) == signature_of(os.lstat(origin))[:2]
        if same and Signature(*file["signature"]).device != os.stat(inside).st_dev:
            source.unlink()  # a copy from another device whose original is still there
            continue
        atomic.make_folders(origin.parent)
        number = 1
        while True:
            target = origin.with_name(names.numbered(origin.name, number))
            try:
                _return(source, target)
                break
            except FileExistsError:
                number += 1
        atomic.fsync_folder(target.parent)
    for part in inside.glob(".*.part"):
        part.unlink()
    shutil.rmtree(inside.parent, ignore_errors=True)


def _return(source: Path, target: Path) -> None:
    if os.stat(source).st_dev == os.stat(target.parent).st_dev:
        atomic.rename_new(source, target)
    else:
        atomic.link_new(source, target)
        source.unlink()
