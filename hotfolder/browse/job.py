"""The page of one job: what becomes of it, live while it has not ended, and what it made."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasette.utils.asgi import Response

from hotfolder import control, names, status, statuswords
from hotfolder.browse import kin, pages, recipes, sources, words
from hotfolder.browse.sites import Site
from hotfolder.catalog import queue
from hotfolder.catalog.store import Reader
from hotfolder.intake import language
from hotfolder.status import Status
from hotfolder.workspace import Workspace

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_TEXTS = (".txt", ".yaml")
_MAX_TEXTS = 20
_MAX_TEXT_BYTES = 1 << 16


@dataclass(frozen=True)
class Seen:
    """What the catalog knows of one job. `ahead` counts the queued jobs that go before it; `again` is the job that its
    files became when they were tried again."""

    job: dict[str, Any]
    drop: dict[str, Any]
    pictures: list[dict[str, Any]]
    sheets: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    outputs: list[str]
    detections: list[dict[str, Any]]
    ahead: int
    mend: str
    again: int | None


async def page(datasette: Any, request: Any) -> Response:
    """Answer with the page; 404 where there is no such job."""
    site = pages.of(datasette)
    seen = await _look(datasette, site, request.url_vars["id"])
    if seen is None:
        return await pages.missing(datasette, request, "There is no job of this number in the catalog.")
    workspace = site.workspace
    now = await asyncio.to_thread(status.gather, workspace)
    files, reason, texts = await asyncio.to_thread(_read, workspace, seen)
    spec = recipes.of_job(seen.job)
    return await pages.render(
        datasette,
        request,
        "job",
        job=seen.job,
        told=_told(seen, now),
        seen=seen,
        files=files,
        reason=reason,
        texts=texts,
        recipe=language.dump(spec) if spec and language.written(spec).keys() != {"kind"} else "",
        timings=_timings(seen.job),
        detections_at=datasette.urls.table(site.database, "detections") + f"?job_id={seen.job['id']}",
    )


async def told(datasette: Any, request: Any) -> Response:
    """Answer with what the page shows of the present, as JSON."""
    site = pages.of(datasette)
    seen = await _look(datasette, site, request.url_vars["id"])
    if seen is None:
        return Response.json({"error": "There is no job of this number in the catalog."}, status=404)
    now = await asyncio.to_thread(status.gather, site.workspace)
    return Response.json(_told(seen, now), headers={"cache-control": "no-store"})


async def _look(datasette: Any, site: Site, number: str) -> Seen | None:
    def look(connection: Any) -> Seen | None:
        catalog = Reader(connection)
        job = catalog.row(
            f"select jobs.*, {queue.HOW_TO_MEND} mend from jobs join drops on drops.id = drop_id where jobs.id = ?",
            int(number),
        )
        if job is None:
            return None
        drop = catalog.row("select * from drops where id = ?", job["drop_id"])
        assert drop
        waits = "select count(*) n from jobs where state = 'queued' and "
        ahead = (
            catalog.rows(f"{waits} priority > ?", job["priority"])[0]["n"]
            + catalog.rows(f"{waits} priority = ? and position < ?", job["priority"], job["position"])[0]["n"]
            if job["state"] == "queued"
            else 0
        )
        again = catalog.row(
            "select id from jobs where drop_id = ? order by name = ? desc, id limit 1",
            drop["superseded_by"], job["name"],
        )  # fmt: skip
        paths = catalog.rows("select path from outputs where job_id = ? and published = 1 order by idx", job["id"])
        return Seen(
            job=job,
            drop=drop,
            pictures=kin.pictures_of(catalog, job),
            sheets=kin.sheets(catalog, job),
            steps=kin.steps(catalog, job),
            outputs=[row["path"] for row in paths],
            detections=catalog.rows("select * from detections where job_id = ? order by score desc", job["id"]),
            ahead=ahead,
            mend=job["mend"],
            again=again["id"] if again else None,
        )

    if not _NUMBER.fullmatch(number):
        return None
    seen: Seen | None = await datasette.get_database(site.database).execute_fn(look)
    return seen


def _told(seen: Seen, now: Status) -> dict[str, Any]:
    """Return what can change while somebody looks. `step`, `share` (0 to 1) and `eta` are how far it is; `made` are the
    pictures of a running job that are finished and not in outbox yet."""
    job = seen.job
    runs = bool(now.job and now.job["id"] == job["id"])
    waiting = next((row["wait_reason"] for row in now.waiting if row["id"] == job["id"]), job["wait_reason"])
    return {
        "id": job["id"],
        "name": job["name"],
        "kind": job["kind"],
        "state": job["state"],
        "says": _says(seen, now),
        "reason": waiting if job["state"] == "waiting" else None,
        "error": job["error"],
        "ended": job["state"] in queue.ENDED and seen.drop["state"] != "claimed",
        "attempts": job["attempts"],
        "strikes": job["strikes"],
        "run_s": job["run_s"],
        "load_s": job["load_s"],
        "pictures": [{"id": one["id"], "path": one["path"]} for one in seen.pictures],
        "made": now.made if runs else [],
        "steps": [step["state"] for step in seen.steps],
        "again": seen.again,
        "step": statuswords.doing(now) if runs else "",
        "share": statuswords.share(now) if runs else None,
        "eta": f"{statuswords.about(now.eta_s)} to go" if runs and now.eta_s is not None else "",
    }


def _says(seen: Seen, now: Status) -> str:
    """Return in a sentence or two what becomes of a job."""
    state = seen.job["state"]
    halted = (
        f" {statuswords.headline(now)}: start it with `hotfolder run`."
        if not now.running
        else f" Nothing new starts now: {now.paused}."
        if now.paused
        else ""
    )
    if state == "queued":
        ahead = f"{statuswords.several(seen.ahead, 'job')} before it" if seen.ahead else "it is the next"
        return f"It is queued, {ahead}.{halted}"
    if state == "done":
        made = len(seen.pictures)
        return f"It is done, with {statuswords.several(made, 'picture')}." if made else "It is done."
    if state in ("running", "publishing") and not now.running:
        return "It was interrupted, and goes on when `hotfolder run` is started again."
    return {
        "waiting": f"It waits.{halted}",
        "running": "It runs.",
        "publishing": "It has run; its results are being put into outbox.",
        "failed": "It failed.",
        "cancelled": "It was cancelled.",
    }.get(state, state)


def _read(workspace: Workspace, seen: Seen) -> tuple[list[dict[str, Any]], str, list[tuple[str, str]]]:
    """Return what the files say: the drop's files with their places, where the .error.txt is, and texts it wrote."""
    inbox = seen.drop["state"] == "waiting"
    files = [
        {
            "name": file.get("origin") or file["name"],
            "role": file.get("role", ""),
            "place": file.get("path")
            or (f"inbox/{file.get('origin')}" if inbox else "taken in, until its jobs have ended"),
        }
        for file in queue.files_of(seen.drop)
    ]
    left = control.still_in_failed(workspace, seen.drop) if seen.drop["state"] in ("failed", "cancelled") else []
    reason = ""
    if left:
        first = Path(left[0]["path"])
        beside = str(first.with_name(names.reason_name(first.name)))
        reason = beside if sources.locate(workspace, beside) else ""
    texts = []
    for path in [path for path in seen.outputs if path.endswith(_TEXTS) and not path.endswith(".job.yaml")][
        :_MAX_TEXTS
    ]:
        file = sources.locate(workspace, path)
        texts.append((path, _text(file) if file else "It is not where it was written."))
    return files, reason, texts


def _text(file: Path) -> str:
    try:
        with open(file, "rb") as opened:
            return opened.read(_MAX_TEXT_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return f"It cannot be read: {error.strerror}."


def _timings(job: dict[str, Any]) -> list[tuple[str, str]]:
    """Return when a job came, ran and ended, and what of it was work."""
    found = [(label, words.when(job[key])) for label, key in
             (("Dropped", "created_at"), ("Started", "started_at"), ("Ended", "finished_at")) if job[key]]  # fmt: skip
    lasted = [(label, words.duration(job[key])) for label, key in
              (("Work", "run_s"), ("Loading models", "load_s")) if job[key]]  # fmt: skip
    return found + lasted
