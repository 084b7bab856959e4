"""What commands ask of the service: files in .hotfolder/control, so that the service stays the only writer."""

import contextlib
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hotfolder import atomic, names, publish
from hotfolder.catalog import queue
from hotfolder.catalog.store import Catalog, Reader, storable
from hotfolder.errors import ConfigError
from hotfolder.names import display
from hotfolder.workspace import Workspace

POSSIBLE = {"cancel": ("waiting", "queued", "running"), "retry": ("failed", "cancelled")}
"""The states of a job in which it can be asked for."""
_HAS_FILE = """exists(select 1 from json_each(drops.files) file
  where ? in (json_extract(file.value, '$.name'), json_extract(file.value, '$.origin')))"""


@dataclass(frozen=True)
class Command:
    """`verb` is `stop`, `cancel` or `retry`; the last two name a job."""

    verb: str
    job: int | None = None


def ask(workspace: Workspace, command: Command) -> None:
    """Leave a command for the service, now or when it next starts."""
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    atomic.write(workspace.control / name, json.dumps(asdict(command)).encode())


def take(workspace: Workspace) -> list[Command]:
    """Return the commands asked for since the last call, oldest first."""
    taken = []
    for path in sorted(workspace.control.glob("*.json")):
        with contextlib.suppress(ValueError, TypeError):  # no command of ours
            taken.append(Command(**json.loads(path.read_bytes())))
        path.unlink()
    return taken


def jobs_called(workspace: Workspace, catalog: Reader, verb: str, words: Iterable[str]) -> list[int]:
    """Return the jobs that `cancel` or `retry` was asked for, each once, lowest first.

    Args:
        words: job numbers, and names of dropped files, which stand for all of their jobs that `verb` is possible for.

    Raises:
        ConfigError: one of them cannot be; then none is done.
    """
    found: set[int] = set()
    for word in words:
        is_number = word.isdecimal() and len(word) < 19
        which = "jobs.id=?" if is_number else _HAS_FILE
        rows = catalog.rows(
            f"select drops.*, jobs.id job, jobs.state job_state from jobs join drops on drop_id=drops.id where {which}",
            int(word) if is_number else storable(word.removeprefix("inbox/").removeprefix("failed/")),
        )
        refused = [_why_not(workspace, verb, row) for row in rows]
        possible = {row["job"] for row, why in zip(rows, refused, strict=True) if not why}
        if not possible:
            what = f"job {word}" if is_number else f"the jobs of `{display(word)}`"
            why = refused[-1] if rows else "there is no such job" if is_number else "no such file was dropped"
            raise ConfigError(f"cannot {verb} {what}: {why}; `hotfolder status` lists the jobs")
        found |= possible
    return sorted(found)


def _why_not(workspace: Workspace, verb: str, row: dict[str, Any]) -> str | None:
    if row["job_state"] not in POSSIBLE[verb]:
        return f"it is {row['job_state']}"
    if verb == "retry" and row["state"] == "claimed":
        return "other jobs of its file have not ended yet"
    if verb == "retry" and not still_in_failed(workspace, row):
        return "its files are not in failed/ any more, so it was tried again or taken away"
    return None


def put_back_in_inbox(workspace: Workspace, catalog: Catalog, job: int) -> None:
    """Move the files of a failed or cancelled drop from failed/ back into the inbox: the next look tries them again."""
    row = catalog.row("select drops.* from drops join jobs on drop_id=drops.id where jobs.id=?", job)
    if row is None or row["state"] not in ("failed", "cancelled"):
        return
    files = still_in_failed(workspace, row)
    for file in files:
        target = workspace.inbox / file["origin"]
        atomic.make_folders(target.parent)
        _move(workspace.root / file["path"], target)
    if files:
        publish.remove_reason(workspace, queue.files_of(row))


def still_in_failed(workspace: Workspace, drop: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files of a drop that lie in failed/, mended there or not; none once they were tried again."""
    if drop["superseded_by"]:
        return []
    return [file for file in queue.files_of(drop) if "path" in file and (workspace.root / file["path"]).is_file()]


def _move(source: Path, target: Path) -> None:
    number = 1
    while True:
        try:
            atomic.link_new(source, target.with_name(names.numbered(target.name, number)))
        except FileExistsError:
            number += 1
            continue
        source.unlink()
        atomic.fsync_folder(target.parent)
        return
