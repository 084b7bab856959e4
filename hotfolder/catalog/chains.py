"""The chains in the queue: rows that come after one another, what became of them, and what they made.

A job that comes after one other is the next step of its chain. Steps that were done in an earlier try of the same drop
have no outputs of their own: theirs are those of that try.
"""

import json
from typing import Any

from hotfolder.catalog.store import Reader


def steps_of(catalog: Reader, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the chain that a job is a step of, first step first; the job alone where it is in none."""
    rows = catalog.rows("select * from jobs where drop_id=? order by id", job["drop_id"])
    by_id = {row["id"]: row for row in rows}
    before = {row["id"]: links[0] for row in rows if len(links := after(row)) == 1}
    following = {earlier: later for later, earlier in before.items()}
    first = job["id"]
    while first in before:
        first = before[first]
    chain = [by_id[first]]
    while (number := chain[-1]["id"]) in following:
        chain.append(by_id[following[number]])
    return chain


def after(job: dict[str, Any]) -> list[int]:
    """Return the ids of the jobs that a job comes after."""
    ids: list[int] = json.loads(job["after"] or "[]")
    return ids


def label(chain: list[dict[str, Any]], job: dict[str, Any]) -> str:
    """Return how sentences call a step: `step 2 of 3, mask`."""
    number = 1 + next(place for place, row in enumerate(chain) if row["id"] == job["id"])
    return f"step {number} of {len(chain)}, {job['kind']}"


def outputs(catalog: Reader, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a finished job published, its own or that of the earlier try in which it was done."""
    while True:
        found = catalog.rows("select * from outputs where job_id=? and published order by idx", job["id"])
        if found:
            return found
        earlier = catalog.rows(
            "select jobs.* from drops join jobs on jobs.drop_id=drops.id where drops.superseded_by=? "
            "and jobs.state='done' and jobs.spec=? and jobs.name=? limit 1",
            job["drop_id"], job["spec"], job["name"],
        )  # fmt: skip
        if not earlier:
            return []
        job = earlier[0]


def made(catalog: Reader, job: dict[str, Any]) -> list[str]:
    """Return the paths of the pictures that a job published, of its texts where it makes none."""
    found = outputs(catalog, job)
    pictures = [row["path"] for row in found if row["role"] == "picture"]
    return pictures or [row["path"] for row in found if row["role"] == "beside"]
