"""What a written job stands for: itself, or several jobs that are put into the queue in its place.

Every way of being several is a function here or in a module of its own: written job in, parts out. It reads no queue
and opens no file but the picture it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hotfolder.spec import JobSpec
from hotfolder.yamlfile import Document


@dataclass(frozen=True)
class Part:
    """One job of those that a written job stands for.

    `layers` are the documents its keys stand in, for the lines of messages. `ending` comes behind the written job's
    name. `after` are places in the list of parts, all before this one: it waits until those have ended, and works on
    what they made (`following`). `takes_picture`: without an `after` it works on the picture that was dropped or named.
    """

    spec: JobSpec
    layers: tuple[Document, ...]
    ending: str = ""
    after: tuple[int, ...] = ()
    takes_picture: bool = True


def unfold(spec: JobSpec, layers: Sequence[Document], picture: Path | None) -> tuple[Part, ...]:
    """Return the jobs that a written job stands for, in the order in which they are queued; at least one.

    Args:
        spec: the job as it was resolved from `layers`.
        layers: presets, companions and the job's own document, weakest first.
        picture: the one it was dropped with, or names; None for none.

    Raises:
        NotYet: something it needs is missing now and may come.
        JobError: it can never run; a BadSpec names the line and the key.
    """
    return (Part(spec, tuple(layers)),)
