"""Drops and jobs as rows: taken in, waiting, queued, claimed, ended.

Functions that only read or that make one change of their own open their transaction themselves; those whose name
begins with `put_` write inside the caller's.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from hotfolder.catalog.store import Catalog, Reader, storable, utc_now
from hotfolder.errors import JobError

MAX_STRIKES = 2
MAX_REQUEUES = 5
ENDED = ("done", "failed", "cancelled")

HOW_TO_MEND = (
    "'Mend what the error names, then move ' || drops.name || ' from failed/' || jobs.hot_folder || "
    "' back into inbox/' || jobs.hot_folder || ', or run: hotfolder retry ' || jobs.id"
)
"""SQL for the sentence that a failed job's page, the saved query and `status` say; wants `jobs` joined to `drops`."""


@dataclass(frozen=True)
class NewJob:
    """One row to be: what `put_drop` writes. `spec`, `planned` and `inputs` are JSON; `inputs` maps keys to paths.

    `after` are places in the drop's list of jobs, all before this one: it waits until those have ended.
    """

    name: str
    kind: str
    priority: int
    spec: str
    planned: str
    model: str
    source_path: str | None
    state: str
    wait_reason: str | None = None
    error: str | None = None
    inputs: str | None = None
    after: tuple[int, ...] = ()


def put_drop(
    catalog: Catalog, drop: str, hot_folder: str, name: str, state: str, files: list[dict[str, Any]], jobs: list[NewJob]
) -> None:
    """Write a drop and its jobs, or, where the drop waited before, bring its rows up to date.

    Job ids and places in the queue stay when the number of jobs is the same.
    """
    now = utc_now()
    catalog.rows(
        "insert into drops(id, hot_folder, name, state, files, created_at) values(?, ?, ?, ?, ?, ?) "
        "on conflict(id) do update set state=excluded.state, files=excluded.files, hot_folder=excluded.hot_folder, "
        "name=excluded.name",
        drop, storable(hot_folder), storable(name), state, json.dumps(files), now,
    )  # fmt: skip
    old = [row["id"] for row in catalog.rows("select id from jobs where drop_id=? order by id", drop)]
    if len(old) != len(jobs):
        catalog.rows("delete from jobs where drop_id=?", drop)
        old = []
    ids = list(old)
    for number, job in enumerate(jobs):
        ended = now if job.state in ENDED else None
        values = (
            job.state, job.kind, storable(hot_folder), job.name, job.priority, job.spec, job.planned, job.source_path,
            job.model, job.wait_reason, job.error, ended, job.inputs,
            json.dumps([ids[place] for place in job.after]) if job.after else None,
        )  # fmt: skip
        if old:
            catalog.rows(
                "update jobs set state=?, kind=?, hot_folder=?, name=?, priority=?, spec=?, planned=?, source_path=?, "
                "model=?, wait_reason=?, error=?, finished_at=?, inputs=?, after=? where id=?",
                *values, old[number],
            )  # fmt: skip
        else:
            (row,) = catalog.rows(
                "insert into jobs(state, kind, hot_folder, name, priority, spec, planned, source_path, model, "
                "wait_reason, error, finished_at, inputs, after, drop_id, created_at, position) values"
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (select coalesce(max(position), 0) + 1 from jobs)) "
                "returning id",
                *values, drop, now,
            )  # fmt: skip
            ids.append(row["id"])


def contenders(catalog: Catalog, loaded: Collection[str], bound: int) -> tuple[list[dict[str, Any]], int]:
    """Return the queued jobs the planner chooses from and how often the oldest was overtaken, counted up to `bound`.

    Of the highest priority there is: the oldest job, and the oldest for each of the models that are `loaded`.
    """
    head = catalog.row(
        "select id, priority, position, model from jobs where state='queued' order by priority desc, position limit 1"
    )
    if head is None:
        return [], 0
    fitting = [
        row
        for model in loaded
        for row in catalog.rows(
            "select id, position, model from jobs where state='queued' and priority=? and model=? "
            "order by position limit 1",
            head["priority"], model,
        )
    ]  # fmt: skip
    overtaken = catalog.rows(
        "select 1 from jobs where priority=? and position>? "
        "and state not in ('waiting','queued') and started_at is not null limit ?",
        head["priority"], head["position"], bound,
    )  # fmt: skip
    return [head, *fitting], len(overtaken)


def upcoming(catalog: Catalog) -> list[str]:
    """Return the models of the next queued jobs in the order of their arrival; the pool keeps what they need."""
    rows = catalog.rows(
        "select model from jobs where state='queued' and model!='' order by priority desc, position limit 100"
    )
    return list(dict.fromkeys(row["model"] for row in rows))


def lacking(catalog: Catalog) -> list[str]:
    """Return the models whose weights waiting jobs lack, the most urgent first."""
    rows = catalog.rows(
        "select model from jobs where state='waiting' and model!='' group by model "
        "order by max(priority) desc, min(position)"
    )
    return [row["model"] for row in rows]


def needed_models(catalog: Reader) -> set[str]:
    """Return the models, and LoRAs, of jobs that have not ended."""
    rows = catalog.rows("select model, spec from jobs where state not in ('done','failed','cancelled')")
    loras = {lora["name"] for row in rows for lora in json.loads(row["spec"]).get("loras", ())}
    named = {json.loads(row["spec"]).get("model", "") for row in rows}
    return loras | named | {row["model"] for row in rows}


def claim_job(catalog: Catalog, job: int) -> dict[str, Any] | None:
    """Take one queued job to run it: its attempt is counted and durable before anyone works on it."""
    with catalog.transaction():
        return catalog.row(
            "update jobs set state='running', attempts=attempts+1, started_at=? "
            "where id=? and state='queued' returning *",
            utc_now(), job,
        )  # fmt: skip


def followers(catalog: Catalog, drop: str) -> list[dict[str, Any]]:
    """Return the jobs of a drop that wait and come after others, in the order in which they can run."""
    return catalog.rows(
        "select * from jobs where drop_id=? and state='waiting' and after is not null order by id", drop
    )


def put_requeue(catalog: Catalog, job: int, *, error: JobError | None = None) -> None:
    """Put a running job back behind the others.

    With an `error` the worker failed under a living service: a strike, and the second one fails the job. Without one
    the service itself went away: five times at most, since nobody can tell whether the job was to blame.
    """
    row = catalog.row("select strikes, requeues from jobs where id=?", job)
    assert row
    strikes, requeues = row["strikes"] + (error is not None), row["requeues"] + (error is None)
    catalog.rows("update jobs set strikes=?, requeues=? where id=?", strikes, requeues, job)
    if strikes >= MAX_STRIKES:
        put_end(catalog, job, "failed", f"{error} It was tried {strikes} times; the queue went on without it.")
    elif requeues > MAX_REQUEUES:
        put_end(
            catalog, job, "failed",
            f"hotfolder itself was ended {requeues} times while this job ran; it is not tried again by itself.",
        )  # fmt: skip
    else:
        catalog.rows(
            "update jobs set state='queued', started_at=null, position=(select max(position) + 1 from jobs) where id=?",
            job,
        )


def put_back(catalog: Catalog, job: int) -> None:
    """Undo a claim that was stopped on purpose: the attempt does not count and the job keeps its place."""
    catalog.rows("update jobs set state='queued', attempts=attempts-1, started_at=null where id=?", job)


def put_end(catalog: Catalog, job: int, state: str, error: str | None = None) -> None:
    """End a job as `failed` or `cancelled`."""
    catalog.rows(
        "update jobs set state=?, error=?, wait_reason=null, finished_at=? where id=?", state, error, utc_now(), job
    )


def put_waiting(catalog: Catalog, job: int, reason: str) -> None:
    """Let a claimed job wait; its files stay in work/."""
    catalog.rows("update jobs set state='waiting', wait_reason=?, started_at=null where id=?", reason, job)


def put_reconsidered(catalog: Catalog, job: int, new: NewJob) -> None:
    """Write what became of a waiting job of a claimed drop: queued, failed, or waiting for something else."""
    catalog.rows(
        "update jobs set state=?, spec=?, planned=?, model=?, source_path=coalesce(?, source_path), "
        "inputs=coalesce(?, inputs), wait_reason=?, error=?, finished_at=? where id=?",
        new.state, new.spec, new.planned, new.model, new.source_path, new.inputs, new.wait_reason, new.error,
        utc_now() if new.state in ENDED else None, job,
    )  # fmt: skip


def put_forgotten(catalog: Catalog, drop: str) -> None:
    """Remove the rows of a drop that never ran: its file became part of another."""
    catalog.rows("delete from jobs where drop_id=?", drop)
    catalog.rows("delete from drops where id=?", drop)


def put_withdrawn(catalog: Catalog, drop: str) -> None:
    """End a drop whose files its user took away from the inbox while it waited."""
    catalog.rows("update drops set state='cancelled', finished_at=? where id=?", utc_now(), drop)
    catalog.rows(
        "update jobs set state='cancelled', error='its file was taken away while it waited', wait_reason=null, "
        "finished_at=? where drop_id=?",
        utc_now(), drop,
    )  # fmt: skip


def files_of(drop: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a drop row's files: role, name (in work/), origin (in the inbox), sha256, and path once filed away."""
    files: list[dict[str, Any]] = json.loads(drop["files"])
    return files


_ENDED = (
    "drops.state='claimed' and not exists(select 1 from jobs where drop_id=drops.id "
    "and state not in ('done','failed','cancelled'))"
)


def ended_drops(catalog: Catalog) -> list[str]:
    """Return the claimed drops whose every job has ended: their files can be filed away."""
    return [row["id"] for row in catalog.rows(f"select id from drops where {_ENDED} order by rowid")]


def is_ended(catalog: Catalog, drop: str) -> bool:
    """Say whether a claimed drop's every job has ended."""
    return bool(catalog.rows(f"select 1 from drops where id=? and {_ENDED}", drop))
