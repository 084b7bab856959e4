"""The job that makes a picture again, as YAML to copy and as keys with their values."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hotfolder.browse import files, sources
from hotfolder.errors import RejectedInput
from hotfolder.intake import language
from hotfolder.metadata import read
from hotfolder.spec import JobSpec, literal
from hotfolder.workspace import Workspace

_MAX_BYTES = 1 << 18


@dataclass(frozen=True)
class Recipe:
    """`text` is the YAML, `origin` says in words where it is from; both empty where nothing is known. `values` are the
    job's keys."""

    text: str = ""
    origin: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def of_picture(workspace: Workspace, image: dict[str, Any], job: dict[str, Any] | None) -> Recipe:
    """Return the recipe of one picture: from the file beside it, else from the picture itself, else from its job."""
    spec = of_job(job) if job else None
    beside = _beside(workspace, image["path"])
    record = None if beside and spec else _record(sources.picture(workspace, image))
    values = language.written(spec) if spec else record or {}
    if beside:
        return Recipe(beside, "the .job.yaml beside the picture", values)
    if record:
        return Recipe(language.as_yaml(record), "what is written in the picture", values)
    if spec:
        texts = {name: literal(image[name]) for name in ("prompt", "negative_prompt") if image[name]}
        seed = {"seed": int(image["seed"])} if str(image["seed"] or "").isdecimal() else {}
        single = spec.model_copy(update={**texts, **seed, "variants": 1})
        return Recipe(language.dump(single), "the job in the catalog", values)
    return Recipe()


def of_job(job: dict[str, Any]) -> JobSpec | None:
    """Return a row's job; None where another version wrote it in words that are not understood."""
    try:
        return JobSpec.model_validate_json(job["spec"])
    except ValidationError:
        return None


def _beside(workspace: Workspace, path: str) -> str:
    head, _, rest = path.partition("/")
    try:
        name = Path(rest).with_suffix(".job.yaml")
    except ValueError:  # a path without a name
        return ""
    file = files.within(workspace.outbox, str(name)) if head == "outbox" else None
    if file is None:
        return ""
    try:
        with open(file, "rb") as opened:
            return opened.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _record(file: Path | None) -> dict[str, Any] | None:
    """Return the job that is written in a picture, None where there is none, or none that can be written down: whoever
    made the file may have put anything there."""
    try:
        job = read.read(file).job if file else None
        json.dumps(job, ensure_ascii=False).encode()
        language.as_yaml(job or {})
    except (RejectedInput, OSError, ValueError, RecursionError):
        return None
    return job
