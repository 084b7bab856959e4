"""One job as the worker gets it from the service, in a line of JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hotfolder.models.placement import Placement
from hotfolder.spec import JobSpec, Planned


class Input(NamedTuple):
    """A further picture of a job. `name` is how its .job.yaml calls it."""

    path: Path
    name: str


class Served(NamedTuple):
    """The model that serves another kind, and how it is put on the machine."""

    model: str
    placement: Placement


@dataclass(frozen=True)
class Order:
    """One job as the service sends it.

    Paths are absolute; `image` is None where the job works on no picture, `placement` where it needs no model.
    `pictures` are its further inputs by key, `helpers` the other kinds whose models it asks. `max_edge_px` is the
    longest edge that its profile lets a model work on. `upcoming`: the models of the next jobs, as far as they are
    known. `thumbs` is the folder for small copies of what is made, None where nobody wants them.
    """

    job: int
    spec: JobSpec
    planned: tuple[Planned, ...]
    model: str
    placement: Placement | None
    out: Path
    max_pixels: int
    image: Path | None = None
    image_name: str | None = None
    image_sha256: str | None = None
    max_edge_px: int | None = None
    pictures: Mapping[str, Input] = field(default_factory=dict)
    helpers: Mapping[str, Served] = field(default_factory=dict)
    upcoming: tuple[str, ...] = ()
    thumbs: Path | None = None

    @classmethod
    def read(cls, line: str) -> "Order":
        """Undo the service's `json.dumps`."""
        given = json.loads(line)
        given["spec"] = JobSpec.model_validate(given["spec"])
        given["planned"] = tuple(Planned.model_validate(one) for one in given["planned"])
        given["placement"] = Placement.model_validate(given["placement"]) if given["placement"] else None
        given["out"] = Path(given["out"])
        given["thumbs"] = Path(given["thumbs"])
        given["upcoming"] = tuple(given["upcoming"])
        given["image"] = Path(given["image"]) if given["image"] else None
        given["pictures"] = {key: Input(Path(path), name) for key, (path, name) in given["pictures"].items()}
        given["helpers"] = {
            kind: Served(model, Placement.model_validate(placement))
            for kind, (model, placement) in given["helpers"].items()
        }
        return cls(**given)
