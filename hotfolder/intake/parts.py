"""One job on its way from what was written to the queue: a part of a written job, then a draft of a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hotfolder.spec import JobSpec, Planned
from hotfolder.yamlfile import Document


@dataclass(frozen=True)
class Part:
    """One job of those that a written job stands for.

    `layers` are the documents its keys stand in, for the lines of messages. `ending` comes behind the written job's
    name. `after` are places in the list of parts, all before this one: it waits until those have ended. After one other
    it is the next step of a chain and works on what that one made; after several it works on what all of them made.
    `label` is how sentences call it where it does not stand alone, `waits` what it waits for. `takes_picture`: without
    an `after` it works on the picture that was dropped or named.
    """

    spec: JobSpec
    layers: tuple[Document, ...]
    ending: str = ""
    after: tuple[int, ...] = ()
    label: str = ""
    waits: str | None = None
    takes_picture: bool = True


@dataclass(frozen=True)
class Handed:
    """What the job before hands on besides its picture: words, and the name of a mask. Before it has ended, any words
    and any name stand for what it will make, and `has_picture` for its picture."""

    prompt: str | None = None
    mask: str | None = None
    has_picture: bool = False


ALONE = Handed()
"""What a job gets that comes after no other."""


@dataclass(frozen=True)
class Draft:
    """One job as admitted. `member` is the role of the group's file it works on, `source` a file outside the group.
    `pictures` are its further inputs by key, each again a role or a file. `after` are places in the drop's list of
    jobs: those have to end before.

    `wait` and `error` are sentences; with neither, the job can run now.
    """

    name: str
    spec: JobSpec
    planned: tuple[Planned, ...] = ()
    model: str = ""
    member: str | None = None
    source: Path | None = None
    pictures: Mapping[str, str | Path] = field(default_factory=dict)
    after: tuple[int, ...] = ()
    wait: str | None = None
    error: str | None = None
    ends_as: str = "failed"
    """The state a job with an `error` ends in: `failed`, or `cancelled`."""
