"""What a job of the queue gets of those it comes after: a picture, a mask, words."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotfolder.catalog import chains as rows
from hotfolder.catalog import queue
from hotfolder.catalog.store import Reader
from hotfolder.errors import JobError, NotYet
from hotfolder.intake import chains, texts
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace

MAX_REASON = 200
"""Characters of the reason for a picture that is not there."""


class Broken(JobError):
    """A step before this one did not end well; `ends_as` is what this one ends as, too."""

    def __init__(self, sentence: str, ends_as: str) -> None:
        super().__init__(sentence)
        self.ends_as = ends_as


@dataclass(frozen=True)
class Given:
    """`image` and the `pictures` by key are files; `prompt` is text as it was found, without any choices in it.
    `failed` is why a picture by key is not there."""

    image: Path | None = None
    pictures: dict[str, Path] = field(default_factory=dict)
    prompt: str | None = None
    failed: dict[str, str] = field(default_factory=dict)


def given(workspace: Workspace, catalog: Reader, job: dict[str, Any]) -> Given:
    """Return what a job that comes after others works on.

    After one job it is that one's picture, or what the kind of that one hands on. After several it is the first picture
    of each that made one, by the number in its place of `after`: `0`, `1` ...

    Raises:
        NotYet: they have not all ended, or what they made is not there.
        Broken: the step before was cancelled or has failed.
    """
    before = [row for number in rows.after(job) if (row := catalog.row("select * from jobs where id=?", number))]
    if len(before) == 1:
        return _of_step(workspace, catalog, job, before[0])
    if any(row["state"] not in queue.ENDED for row in before):
        raise NotYet("waits for the pictures it is made of")
    made = {str(place): _made(workspace, catalog, row) for place, row in enumerate(before) if row["state"] == "done"}
    failed = {
        str(place): (row["error"] or "").partition("\n")[0][:MAX_REASON] or row["state"]
        for place, row in enumerate(before)
        if row["state"] != "done"
    }
    return Given(pictures={place: path for place, path in made.items() if path}, failed=failed)


def _of_step(workspace: Workspace, catalog: Reader, job: dict[str, Any], before: dict[str, Any]) -> Given:
    if before["state"] == "done":
        return _handed(workspace, catalog, job, before)
    chain = rows.steps_of(catalog, job)
    if before["state"] not in queue.ENDED:
        raise NotYet(f"waits for {rows.label(chain, before)}")
    broken = next((step for step in chain if step["state"] in ("failed", "cancelled")), before)
    name, state = rows.label(chain, broken), broken["state"]
    if state == "cancelled":
        raise Broken(f"{name}, was cancelled", state)
    raise Broken(f"{name}, failed: {broken['error']}", state)


def _handed(workspace: Workspace, catalog: Reader, job: dict[str, Any], before: dict[str, Any]) -> Given:
    """Return what one step gets of the step before it."""
    spec, earlier = JobSpec.model_validate_json(job["spec"]), JobSpec.model_validate_json(before["spec"])
    made = _made(workspace, catalog, before)
    if chains.hands_mask(earlier, spec):
        return Given(_worked_on(workspace, catalog, before), {"mask": made} if made else {})
    picture = made or _worked_on(workspace, catalog, before)
    words = _words(workspace, catalog, before) if chains.hands_words(earlier, spec) else None
    return Given(picture if chains.takes_picture(earlier, spec) else None, prompt=words)


def _worked_on(workspace: Workspace, catalog: Reader, job: dict[str, Any]) -> Path | None:
    """Return the picture that a finished step worked on."""
    if job["source_path"]:
        return workspace.absolute(job["source_path"])
    before = [row for number in rows.after(job) if (row := catalog.row("select * from jobs where id=?", number))]
    return _handed(workspace, catalog, job, before[0]).image if len(before) == 1 else None


def _made(workspace: Workspace, catalog: Reader, job: dict[str, Any]) -> Path | None:
    """Return the first picture that a finished job published, None where it makes none; of a mask's, the mask."""
    found = rows.outputs(catalog, job)
    masks = [row["path"] for row in found if row["path"].endswith(".mask.png") and job["kind"] == "mask"]
    paths = [*masks, *(row["path"] for row in found if row["role"] == "picture")]
    return workspace.absolute(paths[0]) if paths else None


def _words(workspace: Workspace, catalog: Reader, job: dict[str, Any]) -> str:
    """Return the text that a finished job published, as it stands in its file now.

    Raises:
        NotYet: it is not there.
        BadSpec: it was made into something that is no text.
    """
    paths = [row["path"] for row in rows.outputs(catalog, job) if row["path"].endswith(".txt")]
    for path in paths:
        try:
            return texts.decode(workspace.absolute(path).read_bytes(), path).strip()
        except OSError:
            raise NotYet(f"waits for the text `{path}`, which is not there") from None
    return ""
