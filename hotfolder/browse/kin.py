"""What a picture is related to: what it was made from, what was made from it, what was made along with it."""

import json
from dataclasses import dataclass, field
from typing import Any

from hotfolder.catalog import chains
from hotfolder.catalog.store import Reader

_SHOWN = 60
"""At most so many pictures stand in one row of small ones."""
_SMALL = "id, path, kind, rating, review, width, height"


@dataclass(frozen=True)
class Kin:
    """Rows of `images`. A parent that is none has only `path`; the parents of a contact sheet are the pictures on it.

    `siblings` are those around the picture, itself among them, of the `count` that its job made. `steps` are those of
    the chain in their order, each with `label`, `state`, `job` and, where there is one, its first `picture`.
    """

    parents: list[dict[str, Any]] = field(default_factory=list)
    children: list[dict[str, Any]] = field(default_factory=list)
    siblings: list[dict[str, Any]] = field(default_factory=list)
    sheets: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    count: int = 1


def of_picture(catalog: Reader, image: dict[str, Any], job: dict[str, Any] | None) -> Kin:
    """Return the relatives of one picture; `job` is the row that made it, None after a rebuild."""
    sources = [image["parent_path"], *(inputs(job).values() if job else ())]
    parents = [
        catalog.row(f"select {_SMALL} from images where path = ?", path) or {"path": path}
        for path in dict.fromkeys(filter(None, sources))
    ]
    children = catalog.rows(
        f"select {_SMALL} from images where parent_path = ? order by created_at limit ?", image["path"], _SHOWN
    )
    if job is None:
        return Kin(parents, children)
    made = pictures_of(catalog, job)
    on_sheets = [one for one in sheets(catalog, job) if one["id"] != image["id"]]
    place = next((number for number, one in enumerate(made) if one["id"] == image["id"]), None)
    if place is None:  # the sheet that lies beside what its job made
        return Kin(parents + made[:_SHOWN], children, [], on_sheets, [], len(made))
    first = max(0, place - _SHOWN // 2)
    around = made[first : first + _SHOWN] if len(made) > 1 else []
    return Kin(parents, children, around, on_sheets, steps(catalog, job), len(made))


def pictures_of(catalog: Reader, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pictures that a job made, in their order, without the contact sheet of them."""
    return catalog.rows(
        f"select {_SMALL} from images where job_id = ? and (kind != 'sheet' or ? = 'sheet') order by created_at, path",
        job["id"], job["kind"],
    )  # fmt: skip


def sheets(catalog: Reader, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the contact sheets that show a job's pictures: its own, and those of the same drop."""
    columns = ", ".join(f"images.{name.strip()}" for name in _SMALL.split(","))
    return catalog.rows(
        f"select {columns} from images where job_id = ? and kind = 'sheet' and ? != 'sheet' "
        f"union all select {columns} from jobs join images on images.job_id = jobs.id "
        "where jobs.drop_id = ? and jobs.kind = 'sheet' and jobs.id != ? limit ?",
        job["id"], job["kind"], job["drop_id"], job["id"], _SHOWN,
    )  # fmt: skip


def steps(catalog: Reader, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of the chain that a job is one of, itself among them; none where it is in no chain."""
    follows = len(chains.after(job)) == 1
    if not follows and not catalog.row(
        "select 1 from jobs where drop_id = ? and after = ?", job["drop_id"], json.dumps([job["id"]])
    ):
        return []
    chain = chains.steps_of(catalog, job)
    return [
        {
            "label": chains.label(chain, row),
            "state": row["state"],
            "job": row["id"],
            "is_this": row["id"] == job["id"],
            "picture": next(iter(pictures_of(catalog, row)), None),
        }
        for row in chain
    ]


def inputs(job: dict[str, Any]) -> dict[str, str]:
    """Return the further pictures that a job worked on, paths by their keys."""
    try:
        found = json.loads(job["inputs"] or "{}")
    except ValueError:
        return {}
    return {key: path for key, path in found.items() if isinstance(path, str)} if isinstance(found, dict) else {}
