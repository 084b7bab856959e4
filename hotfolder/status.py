"""What goes on in a workspace, read from the catalog and from what the service last said."""

import contextlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from hotfolder import workspace as places
from hotfolder.catalog import store
from hotfolder.workspace import Workspace

SHOWN = 20
_PRESENT = "drop_id not in (select id from drops where superseded_by is not null)"
"""Jobs of files that were put back and tried again are history: the new try speaks for them."""


@dataclass(frozen=True)
class Status:
    """`counts` is jobs by state; the lists hold at most 20 jobs each. `eta_s` is seconds, None when unknown.
    `fetching` says which weights are on their way and how far."""

    running: bool
    paused: str | None
    profile: str
    watcher: str
    counts: dict[str, int]
    job: dict[str, Any] | None
    progress: dict[str, Any]
    eta_s: float | None
    model: str
    fetching: str | None
    settling: int
    queued: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    failed: list[dict[str, Any]]
    not_taken: list[str]

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


def gather(workspace: Workspace) -> Status:
    """Read the present state; a workspace that never ran is simply empty."""
    running = places.is_running(workspace)
    now = _now(workspace)
    lists: dict[str, list[dict[str, Any]]] = {"queued": [], "waiting": [], "failed": []}
    counts: dict[str, int] = {}
    with contextlib.suppress(store.NothingYet), store.reading(workspace.catalog) as catalog:
        counts = {
            row["state"]: row["n"]
            for row in catalog.rows(f"select state, count(*) n from jobs where {_PRESENT} group by state")
        }
        for state in lists:
            order = "id desc" if state == "failed" else "priority desc, position"
            lists[state] = catalog.rows(
                f"select id, kind, hot_folder, name, priority, model, wait_reason, error from jobs "
                f"where state=? and {_PRESENT} order by {order} limit ?",
                state, SHOWN,
            )  # fmt: skip
    fetching = now.get("fetching", {}) if running else {}
    for row in lists["waiting"]:
        if fetching and row["model"] == fetching["model"]:
            row["wait_reason"] = fetching["says"]
    steps = now.get("progress", {}) if running else {}
    progress = {name: steps[name] for name in ("picture", "pictures", "step", "of") if name in steps}
    return Status(
        running=running,
        paused=now.get("paused") if running else None,
        profile=now.get("profile", workspace.settings.profile) if running else workspace.settings.profile,
        watcher=now.get("watcher", "stopped") if running else "stopped",
        counts=counts,
        job=now.get("job") if running else None,
        progress=progress,
        eta_s=_eta_s(now) if running else None,
        model=now.get("model", "") if running else "",
        fetching=fetching.get("says"),
        settling=now.get("settling", 0) if running else 0,
        not_taken=now.get("not_taken", []),
        **lists,
    )


def _now(workspace: Workspace) -> dict[str, Any]:
    """Return what the service last said; nothing where it never ran, or a power cut left no JSON."""
    try:
        now = json.loads(workspace.now.read_bytes())
    except (OSError, ValueError):
        return {}
    return now if isinstance(now, dict) else {}


def _eta_s(now: dict[str, Any]) -> float | None:
    """Return the seconds a job still needs at the pace it has had since its first step: loading is not counted."""
    if not now.get("progress") or not now.get("first_step"):
        return None
    done, first = _done(now["progress"]), _done(now["first_step"])
    if done <= first:
        return None
    return round(float(now["stepping_s"] / (done - first) * (now["progress"]["pictures"] - done)), 1)


def _done(progress: dict[str, Any]) -> float:
    """Return how many pictures are made, the present one in parts."""
    return float(progress["picture"] - 1 + progress["step"] / progress["of"])
