"""`on_keep`: the job that is put into an inbox when a picture is first kept. Exactly once for each picture: its file is
called after the picture's id, and one that was ever there is not written again."""

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from hotfolder import atomic, yamlfile
from hotfolder.catalog.store import Reader
from hotfolder.errors import JobError
from hotfolder.intake import language
from hotfolder.names import display
from hotfolder.workspace import Workspace


def job_of(catalog: Reader, job: int | None, said: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the job to run when a picture is kept: what its own job says, else what its file says of that.

    Args:
        said: what was read in its file, None where it was not.
    """
    row = catalog.row("select spec from jobs where id=?", job) if job else None
    found = json.loads(row["spec"]).get("on_keep") if row else (said or {}).get("on_keep")
    return found if isinstance(found, dict) else None


def put_jobs(workspace: Workspace, catalog: Reader, kept: Sequence[tuple[str, str, dict[str, Any]]]) -> bool:
    """Write the jobs of pictures that are being kept, before the catalog calls them kept: a kill between the two
    repeats this, and this changes nothing then. Says whether there is a new job.

    Args:
        kept: id, path in the catalog and `on_keep` of each picture.
    """
    names = {number: f"keep-{number}.yaml" for number, *_ in kept}
    marks = ", ".join("?" * len(names))
    had = {row["name"] for row in catalog.rows(f"select name from drops where name in ({marks})", *names.values())}
    is_new = False
    for number, path, on_keep in kept:
        try:
            (document,) = yamlfile.parse(json.dumps(on_keep, ensure_ascii=False).encode(), "on_keep")
            spec = language.resolve([document], None)
        except (JobError, ValueError, RecursionError) as error:  # what a stranger's picture says may be anything
            logging.getLogger("hotfolder").warning("%s was kept; its on_keep is no job: %s", display(path), error)
            continue
        target = workspace.inbox / spec.kind / names[number]
        if names[number] in had or target.exists():
            continue
        given = {"image": path, "name": spec.name or PurePosixPath(path).stem[:200]}
        atomic.make_folders(target.parent)
        atomic.write(target, language.dump(spec.model_copy(update=given)).encode())
        is_new = True
    return is_new


def name_anew(workspace: Workspace, moved: Iterable[tuple[str, str, str]]) -> None:
    """Let the jobs of kept pictures that were moved name them by their new places, as long as they lie in the inbox:
    from there on the catalog follows.

    Args:
        moved: id, path before and path now of each picture.
    """
    for number, before, now in moved:
        for file in workspace.inbox.glob(f"*/keep-{number}.yaml"):
            try:
                (document,) = yamlfile.parse(file.read_bytes(), file.name)
            except (JobError, ValueError, OSError):  # its user's by now
                continue
            if document.values.get("image") == before:
                atomic.write(file, language.as_yaml(document.values | {"image": now}).encode())
