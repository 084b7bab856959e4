"""What commands ask of the service: files in .hotfolder/control, so that the service stays the only writer."""

import contextlib
import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hotfolder import atomic, names
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
    files = [file for file in queue.files_of(row) if "path" in file]
    for file in files:
        source, target = workspace.root / file["path"], workspace.inbox / file["origin"]
        if source.is_file():
            atomic.make_folders(target.parent)
            _move(source, target)
    if files:
        first = workspace.root / files[0]["path"]
        first.with_name(names.reason_name(first.name)).unlink(missing_ok=True)


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
