"""What goes on in a workspace, read from the catalog and from what the service last said.

The one source of `hotfolder status`, `outbox/STATUS.html` and the queue page. Everything that the catalog knows is read
in one snapshot of it; what the service said adds how far the running job is, and what is no row: pauses, downloads, the
graphics card.
"""

import contextlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from hotfolder import workspace as places
from hotfolder.catalog import queue, store
from hotfolder.catalog.store import Reader
from hotfolder.workspace import Workspace

SHOWN = 20
ENDED_SHOWN = 10
"""Jobs that were done lately."""
PICTURES_SHOWN = 4
"""Of each of those."""
_WAITING_READ = 1000
"""Waiting jobs whose reasons are put together; reading all of 100,000 would take long, and nobody reads on."""
_FIRST_OF_A_REASON = 5
_LATEST, _FEWEST = 20, 3
"""Jobs of a kind and model whose mean says how long a picture takes, and how many there have to be."""
_QUEUED_READ = 1000
_PICTURES = "max(1, json_array_length(planned))"
_COUNTED = "(kind!='sheet' or exists(select 1 from jobs where jobs.id=job_id and jobs.kind='sheet'))"
"""A picture that counts: the sheet of a job's pictures is none of them."""
_PRESENT = "drops.superseded_by is null"
"""Jobs of files that were put back and tried again are history: the new try speaks for them."""


@dataclass(frozen=True)
class Status:
    """`counts` is jobs by state; `queued`, `waiting` and `failed` hold at most 20 jobs each, `done` the last 10.

    `at` is when it was read. `eta_s` is what the running job still needs, `queue_eta_s` that and all that is queued, in
    seconds, None when unknown. `made` are the ids of pictures of the running job that are finished but not in outbox
    yet. `waiting_for` puts waiting jobs together by reason, counted among the first 1,000. `fetching` says which
    weights are on their way and how far. `gpu` is what `hotfolder.gpu` told last, None where it told nothing. `today`
    counts pictures, watt-hours and what those cost since midnight.
    """

    at: str
    running: bool
    paused: str | None
    profile: str
    watcher: str
    counts: dict[str, int]
    job: dict[str, Any] | None
    progress: dict[str, Any]
    made: list[str]
    eta_s: float | None
    queue_eta_s: float | None
    model: str
    fetching: str | None
    settling: int
    queued: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    waiting_for: list[dict[str, Any]]
    failed: list[dict[str, Any]]
    done: list[dict[str, Any]]
    not_taken: list[str]
    today: dict[str, Any]
    gpu: dict[str, Any] | None

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


@dataclass(frozen=True)
class _Read:
    """What one snapshot of the catalog says."""

    counts: dict[str, int] = field(default_factory=dict)
    running: dict[str, Any] | None = None
    queued: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    done: list[dict[str, Any]] = field(default_factory=list)
    queue_s: float | None = None
    today: dict[str, Any] = field(default_factory=lambda: {"pictures": 0, "energy_wh": None})


def gather(workspace: Workspace, running: bool | None = None) -> Status:
    """Read the present state; a workspace that never ran is simply empty. `running`: for the service itself, which
    knows."""
    running = places.is_running(workspace) if running is None else running
    now = _now(workspace)
    read, at = _Read(), datetime.now(UTC)
    with contextlib.suppress(store.NothingYet), store.reading(workspace.catalog) as catalog:
        catalog.connection.execute("begin")  # all that follows is of one moment
        read, at = _read(catalog), datetime.now(UTC)
    job, said, eta_s, rest_s, queue_eta_s = None, {}, None, None, None
    if running and read.running:
        since = _seconds(read.running["started_at"], at)
        job = {name: read.running[name] for name in ("id", "kind", "hot_folder", "name", "model", "started_at")}
        job["running_s"] = round(since, 1)
        if _is_of(now, job):
            said, eta_s = now["progress"], _eta_s(now)
        mean_s = read.running["mean_s"]
        rest_s = eta_s if eta_s is not None or mean_s is None else max(0.0, mean_s - since)
    paused = now.get("paused") if running else None
    if running and not paused and read.queue_s is not None and (rest_s is not None or not job):
        queue_eta_s = round(read.queue_s + (rest_s or 0.0), 1)
    fetching = now.get("fetching", {}) if running else {}
    for row in read.waiting:
        if fetching and row["model"] == fetching["model"]:
            row["wait_reason"] = fetching["says"]
    return Status(
        at=store.utc(at),
        running=running,
        paused=paused,
        profile=now.get("profile", workspace.settings.profile) if running else workspace.settings.profile,
        watcher=now.get("watcher", "stopped") if running else "stopped",
        counts=read.counts,
        job=job,
        progress={name: said[name] for name in ("picture", "pictures", "step", "of") if name in said},
        made=said.get("made", []),
        eta_s=eta_s,
        queue_eta_s=queue_eta_s,
        model=now.get("model", "") if running else "",
        fetching=fetching.get("says"),
        settling=now.get("settling", 0) if running else 0,
        queued=read.queued,
        waiting=read.waiting[:SHOWN],
        waiting_for=_by_reason(read.waiting),
        failed=read.failed,
        done=read.done,
        not_taken=now.get("not_taken", []),
        today=read.today | {"cost": workspace.settings.money(read.today["energy_wh"])},
        gpu=now.get("gpu") if running else None,
    )


def _read(catalog: Reader) -> _Read:
    counts = {row["state"]: row["n"] for row in catalog.rows("select state, count(*) n from jobs group by state")}
    # a cross join is what makes SQLite begin with the few drops
    for row in catalog.rows(
        "select jobs.state, count(*) n from drops cross join jobs on drop_id=drops.id "
        "where superseded_by is not null group by jobs.state"
    ):
        counts[row["state"]] -= row["n"]
    running = catalog.row("select * from jobs where state='running' limit 1")
    if running:
        one_s = _one_s(catalog, running["kind"], running["model"])
        running["mean_s"] = None if one_s is None else one_s * max(1, len(json.loads(running["planned"])))
    done = _jobs(catalog, "done", "jobs.finished_at desc", ENDED_SHOWN)
    for job in done:
        counted = f"select count(*) n from images where job_id=? and {_COUNTED}"
        job["pictures"] = catalog.rows(counted, job["id"])[0]["n"]
        job["shown"] = catalog.rows(
            "select id, path from images where job_id=? order by rowid limit ?", job["id"], PICTURES_SHOWN
        )
    return _Read(
        counts={state: n for state, n in counts.items() if n},
        running=running,
        queued=_jobs(catalog, "queued", "priority desc, position", SHOWN),
        waiting=_jobs(catalog, "waiting", "priority desc, position", _WAITING_READ),
        failed=_jobs(catalog, "failed", "jobs.finished_at desc", SHOWN),
        done=done,
        queue_s=_queue_s(catalog, counts.get("queued", 0)),
        today=_today(catalog),
    )


_OWN = {
    "waiting": "wait_reason",
    "failed": f"error, jobs.finished_at, {queue.HOW_TO_MEND} how_to_mend",
    "done": "jobs.finished_at, run_s",
}
"""What is said of the jobs of a state besides what is said of all."""


def _jobs(catalog: Reader, state: str, order: str, most: int) -> list[dict[str, Any]]:
    own = f", {_OWN[state]}" if state in _OWN else ""
    return catalog.rows(
        f"select jobs.id, kind, jobs.hot_folder, jobs.name, priority, model{own} "
        f"from jobs join drops on drops.id=drop_id where jobs.state=? and {_PRESENT} order by {order} limit ?",
        state, most,
    )  # fmt: skip


def _by_reason(waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put waiting jobs together that wait for the same; the reason with the most jobs first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in waiting:
        groups.setdefault(row["wait_reason"] or "", []).append(row)
    first = ("id", "kind", "name")
    return [
        {
            "reason": reason,
            "jobs": len(rows),
            "first": [{n: row[n] for n in first} for row in rows[:_FIRST_OF_A_REASON]],
        }
        for reason, rows in sorted(groups.items(), key=lambda group: -len(group[1]))[:SHOWN]
    ]


def _queue_s(catalog: Reader, queued: int) -> float | None:
    """Return the seconds that all queued jobs need; None where nothing is queued, or too little is known of one.

    Of very many jobs the first stand for all.
    """
    groups = catalog.rows(
        f"select kind, model, sum({_PICTURES}) pictures, count(*) jobs from (select kind, model, planned from jobs "
        "where state='queued' order by priority desc, position limit ?) group by kind, model",
        _QUEUED_READ,
    )
    known = [_one_s(catalog, group["kind"], group["model"]) for group in groups]
    needed = [one_s * group["pictures"] for one_s, group in zip(known, groups, strict=True) if one_s is not None]
    if not groups or len(needed) < len(groups):
        return None
    return sum(needed) * queued / sum(group["jobs"] for group in groups)


def _one_s(catalog: Reader, kind: str, model: str) -> float | None:
    """Return how long a picture took in the last jobs of this kind and model; None where there are too few to say."""
    row = catalog.row(
        "select sum(seconds) / sum(pictures) one, count(*) n from (select "
        f"(julianday(finished_at) - julianday(started_at)) * 86400 seconds, {_PICTURES} pictures from jobs "
        "where state='done' and kind=? and model=? order by finished_at desc limit ?)",
        kind, model, _LATEST,
    )  # fmt: skip
    return float(row["one"]) if row and row["n"] >= _FEWEST and row["one"] is not None else None


def _today(catalog: Reader) -> dict[str, Any]:
    """Count since this machine's midnight. Two queries: each is answered by an index alone."""
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    since = store.utc(midnight)
    pictures = catalog.row(f"select count(*) n from images where created_at>=? and {_COUNTED}", since)
    energy = catalog.row("select sum(energy_wh) wh from images where created_at>=? and energy_wh is not null", since)
    assert pictures and energy
    return {"pictures": pictures["n"], "energy_wh": energy["wh"]}


def _now(workspace: Workspace) -> dict[str, Any]:
    """Return what the service last said; nothing where it never ran, or a power cut left no JSON."""
    try:
        now = json.loads(workspace.now.read_bytes())
    except (OSError, ValueError):
        return {}
    return now if isinstance(now, dict) else {}


def _is_of(now: dict[str, Any], job: dict[str, Any]) -> bool:
    """Whether what was last said is of this job, in this try: it may be half a second old."""
    said = now.get("job") or {}
    return bool(now.get("progress")) and all(said.get(name) == job[name] for name in ("id", "started_at"))


def _seconds(since: str, until: datetime) -> float:
    return max(0.0, (until - datetime.fromisoformat(since)).total_seconds())


def _eta_s(now: dict[str, Any]) -> float | None:
    """Return the seconds a job still needs at the pace it has had since its first step: loading is not counted."""
    if not now.get("first_step"):
        return None
    done, first = _done(now["progress"]), _done(now["first_step"])
    if done <= first:
        return None
    return round(float(now["stepping_s"] / (done - first) * (now["progress"]["pictures"] - done)), 1)


def _done(progress: dict[str, Any]) -> float:
    """Return how many pictures are made, the present one in parts."""
    return float(progress["picture"] - 1 + progress["step"] / progress["of"])
