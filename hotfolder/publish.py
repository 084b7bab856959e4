"""From staged files to outbox, catalog and done/: intend, link, record, file away.

The order is the promise. Names and hashes are reserved in one transaction (the commit point), then linked, then
recorded; publishing before recording and recording before publishing both break "exactly once" under kill -9. Every
function here can be repeated after a crash at any of its steps.
"""

import errno
import json
import os
import secrets
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from hotfolder import atomic, names
from hotfolder.atomic import crash_point
from hotfolder.catalog import chains, pictures, queue
from hotfolder.catalog.store import Catalog, storable, utc_now
from hotfolder.workspace import Workspace


@dataclass(frozen=True)
class Staged:
    """One finished file in work/<drop>/<job>; `file` is relative to that folder.

    `stem_index` counts the job's pictures; files of one picture share it and so the stem of their final names. `role`
    is `picture`, what it is beside one (`job`), or `sheet` for the one that shows all pictures of the job.
    """

    file: str
    stem_index: int
    role: str
    suffix: str
    sha256: str
    bytes: int
    facts: dict[str, Any]


def job_folder(workspace: Workspace, job: dict[str, Any]) -> Path:
    return workspace.work / job["drop_id"] / str(job["id"])


def fresh_stage(workspace: Workspace, job: dict[str, Any]) -> Path:
    """Empty a job's folder and return a new one in it to stage files in.

    Its name is new each time: a worker that outlived its service cannot write among its successor's files.
    """
    shutil.rmtree(job_folder(workspace, job), ignore_errors=True)
    stage = job_folder(workspace, job) / secrets.token_hex(4)
    stage.mkdir(parents=True)
    return stage


def intend(
    workspace: Workspace, catalog: Catalog, job: dict[str, Any], staged: list[Staged], took: dict[str, Any]
) -> None:
    """Reserve the final names of a job's files: from here on they will appear, whatever dies.

    `took` has what the job took: `run_s` and `load_s`, and `energy_wh`, of which each picture is given its share.
    """
    staged = _with_energy(staged, took.get("energy_wh"))
    drop = catalog.row("select hot_folder, name from drops where id=?", job["drop_id"])
    assert drop
    day = datetime.now(UTC).astimezone().date().isoformat()
    mirrored = [names.clean(part) for part in PurePosixPath(drop["name"]).parts[:-1]]
    folder = PurePosixPath("outbox", *map(names.clean, PurePosixPath(drop["hot_folder"]).parts), day, *mirrored)
    count = len({file.stem_index for file in staged if file.role != "sheet"})
    out = job_folder(workspace, job)
    atomic.fsync_folders({out.parent, out, *((out / file.file).parent for file in staged)})
    with catalog.transaction():
        for index in sorted({file.stem_index for file in staged}):
            group = [file for file in staged if file.stem_index == index]
            is_alone = count == 1 or group[0].role == "sheet"
            stem = job["name"] if is_alone else job["name"] + names.ending(index, count)
            _reserve(workspace, catalog, job["id"], folder, stem, group)
        catalog.rows(
            "update jobs set state='publishing', run_s=?, load_s=? where id=?",
            took.get("run_s"), took.get("load_s"), job["id"],
        )  # fmt: skip
    crash_point("intended")


def _with_energy(staged: list[Staged], energy_wh: float | None) -> list[Staged]:
    pictures = sum(file.role == "picture" for file in staged)
    if energy_wh is None or not pictures:
        return staged
    share = {"energy_wh": energy_wh / pictures}
    return [replace(file, facts=file.facts | share) if file.role == "picture" else file for file in staged]


def _reserve(
    workspace: Workspace, catalog: Catalog, job: int, folder: PurePosixPath, stem: str, group: list[Staged]
) -> None:
    """Find the first number with which every file of one picture gets a name that nothing has."""
    number = 1
    while True:
        paths = [folder / names.numbered(f"{stem}{file.suffix}", number) for file in group]
        if not any(_is_taken(workspace, catalog, path) for path in paths):
            break
        number += 1
    for file, path in zip(group, paths, strict=True):
        catalog.rows(
            "insert into outputs(job_id, idx, role, path, name_key, sha256, bytes, facts) "
            "values(?, ?, ?, ?, ?, ?, ?, ?)",
            job, int(PurePosixPath(file.file).name.partition(".")[0]), file.role, str(path), names.name_key(str(path)),
            file.sha256, file.bytes, json.dumps({**file.facts, "file": file.file}),
        )  # fmt: skip


def _is_taken(workspace: Workspace, catalog: Catalog, path: PurePosixPath) -> bool:
    if catalog.row(
        "select 1 from outputs where name_key=? union select 1 from images where path=?",
        names.name_key(str(path)), str(path),
    ):  # fmt: skip
        return True
    return os.path.lexists(workspace.absolute(str(path)))


def publish(workspace: Workspace, catalog: Catalog, job: int) -> None:
    """Link what `intend` reserved into outbox, then record it and end the job.

    Raises:
        OSError: outbox is not there, or another folder than it was.
    """
    if not workspace.outbox_mark.exists():
        raise FileNotFoundError(errno.ENOENT, "outbox is not the folder that it was", str(workspace.outbox))
    row = catalog.row("select id, drop_id, hot_folder, source_path from jobs where id=?", job)
    assert row
    out = job_folder(workspace, row)
    # what lies beside a picture comes first: who watches for pictures finds it complete; what shows all of them, last
    order = "(role='picture') + 2 * (role='sheet'), idx"
    outputs = catalog.rows(f"select * from outputs where job_id=? order by {order}", job)
    folders = set()
    for output in outputs:
        target = workspace.absolute(output["path"])
        folders.add(target.parent)
        atomic.make_folders(target.parent)
        source = out / json.loads(output["facts"])["file"]
        if not source.exists() and not _is_ours(target, output["sha256"]):
            _give_up(catalog, job)
            return
        while not _link(source, target, output["sha256"]):
            target = _rename_reservation(workspace, catalog, output)
        crash_point("linked")
    for folder in folders:
        atomic.fsync_folder(folder)
    crash_point("published")
    now = utc_now()
    outputs = catalog.rows("select * from outputs where job_id=?", job)
    signatures = {output["path"]: pictures.signature_at(workspace.absolute(output["path"])) for output in outputs}
    with catalog.transaction():
        for output in outputs:
            if output["role"] in pictures.ROLES:
                # an input that came with the drop gets its place when that is filed away
                named = None if (row["source_path"] or "").startswith(".hotfolder/") else row["source_path"]
                facts = {**json.loads(output["facts"]), "parent_path": named}
                where = {"hot_folder": row["hot_folder"], "signature": signatures[output["path"]]}
                pictures.put_image(catalog, facts, {**output, **where}, now)
        catalog.rows("update outputs set published=1 where job_id=?", job)
        catalog.rows("update jobs set state='done', error=null, finished_at=? where id=?", now, job)
    crash_point("recorded")


def _link(source: Path, target: Path, sha256: str) -> bool:
    """Make `target` the finished file; False when somebody else's file has the name."""
    if _is_ours(target, sha256):
        return True
    try:
        atomic.link_new(source, target)
    except FileExistsError:
        return _is_ours(target, sha256)
    return True


def _is_ours(target: Path, sha256: str) -> bool:
    return target.is_file() and not target.is_symlink() and atomic.sha256_of(target) == sha256


def _give_up(catalog: Catalog, job: int) -> None:
    """End a job whose staged files were taken out of .hotfolder/work by somebody; what is linked already stays."""
    error = "its finished files were removed from .hotfolder/work before they could be published; drop it again"
    with catalog.transaction():
        queue.put_end(catalog, job, "failed", error)
        catalog.rows("delete from outputs where job_id=?", job)


def _rename_reservation(workspace: Workspace, catalog: Catalog, output: dict[str, Any]) -> Path:
    """Give one output the next free name; somebody put a file of its old one there since it was reserved."""
    path, number = PurePosixPath(output["path"]), 2
    while _is_taken(workspace, catalog, new := path.with_name(names.numbered(path.name, number))):
        number += 1
    with catalog.transaction():
        catalog.rows(
            "update outputs set path=?, name_key=? where job_id=? and idx=?",
            str(new), names.name_key(str(new)), output["job_id"], output["idx"],
        )  # fmt: skip
    return workspace.absolute(str(new))


def file_away(workspace: Workspace, catalog: Catalog, drop: str) -> None:
    """Move the files of an ended drop to done/, or to failed/ with the reason beside them, and clear its work."""
    row = catalog.row("select * from drops where id=?", drop)
    assert row
    jobs = catalog.rows("select * from jobs where drop_id=? order by id", drop)
    state = state_of(jobs)
    files = json.loads(row["files"])
    if not all("path" in file for file in files):
        files = _reserve_places(workspace, "done" if state == "done" else "failed", files)
        with catalog.transaction():
            catalog.rows("update drops set files=? where id=?", json.dumps(files), drop)
        crash_point("places_reserved")
    for file in files:
        source, target = workspace.work / drop / "in" / file["name"], workspace.root / file["path"]
        if not source.exists():
            continue
        atomic.make_folders(target.parent)
        try:
            atomic.rename_new(source, target)
        except FileExistsError:
            if target.samefile(source):  # linked and not yet unlinked, where renames cannot refuse to overwrite
                source.unlink()
                continue
            file["path"] = _free_place(workspace, PurePosixPath(file["path"]))
            target = workspace.root / file["path"]
            atomic.rename_new(source, target)
        crash_point("file_moved")
    for folder in {(workspace.root / file["path"]).parent for file in files}:
        if folder.exists():
            atomic.fsync_folder(folder)
    if state != "done":
        _write_reason(workspace, catalog, row, jobs, files)
    for earlier in catalog.rows("select files from drops where superseded_by=?", drop):
        # what was wrong is mended, or said anew beside the files of this drop
        remove_reason(workspace, json.loads(earlier["files"]), unless=files)
    crash_point("reason_written")
    with catalog.transaction():
        inside = f".hotfolder/work/{drop}/in/"
        for job in jobs:
            if (job["source_path"] or "").startswith(inside):
                name = job["source_path"].removeprefix(inside)
                place = next(file["path"] for file in files if file["name"] == name)
                catalog.rows("update jobs set source_path=? where id=?", storable(place), job["id"])
                catalog.rows("update images set parent_path=? where job_id=?", storable(place), job["id"])
            for file in files:
                catalog.rows(
                    "update jobs set inputs=replace(inputs, ?, ?) where id=? and inputs is not null",
                    json.dumps(f"{inside}{file['name']}"), json.dumps(storable(file["path"])), job["id"],
                )  # fmt: skip
        catalog.rows(
            "update drops set state=?, files=?, finished_at=? where id=?", state, json.dumps(files), utc_now(), drop
        )
    crash_point("filed")
    shutil.rmtree(workspace.work / drop, ignore_errors=True)


def state_of(jobs: list[dict[str, Any]]) -> str:
    """Return what a drop is when its jobs have ended: failed if one failed, else cancelled if one was, else done."""
    states = {job["state"] for job in jobs}
    return next((state for state in ("failed", "cancelled") if state in states), "done")


def _ended(job: dict[str, Any]) -> str:
    """Return what became of a step that did not end well."""
    return "was cancelled" if job["state"] == "cancelled" else f"failed: {job['error']}"


def _reserve_places(workspace: Workspace, base: str, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the files of a drop places in done/ or failed/ under one number, so that a picture keeps its job file."""
    number = 1
    while True:
        places = [
            str(
                PurePosixPath(
                    base, (origin := PurePosixPath(file["origin"])).parent, names.numbered(origin.name, number)
                )
            )
            for file in files
        ]
        if not any(os.path.lexists(workspace.root / place) for place in places):
            return [{**file, "path": place} for file, place in zip(files, places, strict=True)]
        number += 1


def _free_place(workspace: Workspace, place: PurePosixPath) -> str:
    number = 2
    while os.path.lexists(workspace.root / place.with_name(names.numbered(place.name, number))):
        number += 1
    return str(place.with_name(names.numbered(place.name, number)))


def remove_reason(
    workspace: Workspace, files: list[dict[str, Any]], unless: list[dict[str, Any]] | None = None
) -> None:
    """Remove the .error.txt of a drop whose files have left failed/; not one that files of `unless` have now."""
    if not files or "path" not in files[0] or any(file["path"] == files[0]["path"] for file in unless or ()):
        return
    first = workspace.root / files[0]["path"]
    first.with_name(names.reason_name(first.name)).unlink(missing_ok=True)


def _write_reason(
    workspace: Workspace,
    catalog: Catalog,
    drop: dict[str, Any],
    jobs: list[dict[str, Any]],
    files: list[dict[str, Any]],
) -> None:
    """Write `<name>.error.txt` beside the failed files: what was wrong, where, and what to do."""
    first = workspace.root / files[0]["path"]
    lines = []
    broken = {job["id"] for job in jobs if job["state"] in ("failed", "cancelled")}
    in_chains = {number for job in jobs if len(before := chains.after(job)) == 1 for number in (job["id"], *before)}
    for job in jobs:
        if job["id"] not in broken or (job["id"] in in_chains and broken & set(chains.after(job))):
            continue  # the later steps of a chain could not run: the first that did not says why
        label = "" if len(jobs) == 1 else f"{job['name']}: "
        if job["id"] in in_chains:
            chain = chains.steps_of(catalog, job)
            lines.append(f"{chain[-1]['name']}: {chains.label(chain, job)}, {_ended(job)}")
            if made := [path for step in chain for path in chains.made(catalog, step)]:
                lines.append(f"What the steps before it made is kept: {', '.join(made)}")
        else:
            lines.append(label + (job["error"] or "cancelled"))
    done = any(job["state"] == "done" for job in jobs)
    alone = [job["state"] for job in jobs if job["id"] not in in_chains]
    if "done" in alone:
        lines.append(
            f"{alone.count('done')} of {len(alone)} jobs of this file were done; their pictures are in outbox."
        )
    again = "" if not done else " Only what is not done runs then."
    mend = "" if state_of(jobs) == "cancelled" else "mend this and "
    what = "the file" if len(files) == 1 else f"all {len(files)} files of this job"
    place = names.display(str(PurePosixPath("inbox", files[0]["origin"]).parent))
    lines.append(f"To try again, {mend}move {what} back into {place}/.{again}")
    atomic.make_folders(first.parent)  # not there when its files were taken out of .hotfolder/work
    atomic.write(first.with_name(names.reason_name(first.name)), "\n".join(lines).encode() + b"\n")
