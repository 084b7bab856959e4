"""What commands ask of the service: files in .hotfolder/control, so that the service stays the only writer."""

import contextlib
import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hotfolder import atomic, names, publish
from hotfolder.catalog import queue
from hotfolder.catalog.store import Catalog
from hotfolder.workspace import Workspace


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
