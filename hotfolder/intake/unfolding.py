"""What a written job stands for: itself, or several jobs that are put into the queue in its place.

Every way of being several is a module of its own (`chains` ...): written job in, parts out. None reads the queue, nor
opens a file but the picture it is given.
"""

from collections.abc import Sequence
from pathlib import Path

from hotfolder.capabilities import CAPABILITIES
from hotfolder.errors import BadSpec, NotYet
from hotfolder.intake import again, chains, keeping, matrix
from hotfolder.intake.completing import Completer
from hotfolder.intake.parts import Part
from hotfolder.spec import JobSpec
from hotfolder.yamlfile import Document


def needs_picture(spec: JobSpec) -> bool:
    """Say whether a written job cannot begin without a picture, and names none."""
    if spec.kind == "pipeline":
        return chains.needs_picture(spec)
    return "image" in CAPABILITIES[spec.kind].needs and not (spec.image or matrix.names_pictures(spec))


def unfold(spec: JobSpec, layers: Sequence[Document], picture: Path | None, completer: Completer) -> tuple[Part, ...]:
    """Return the jobs that a written job stands for, in the order in which they are queued; at least one.

    Args:
        spec: the job as it was resolved from `layers`.
        layers: presets, companions and the job's own document, weakest first.
        picture: the one it was dropped with, or names; None for none.
        completer: knows which models and LoRAs are here.

    Raises:
        NotYet: something it needs is missing now and may come.
        JobError: it can never run; a BadSpec names the line and the key.
    """
    keeping.refuse_what_is_no_job(spec, layers)
    if spec.matrix is not None:
        return matrix.parts(spec, layers)
    if spec.kind == "pipeline":
        steps = chains.parts(spec, layers, picture)
        if nested := [step for step in steps if step.spec.matrix is not None]:
            message = f"{nested[0].label}, cannot have a `matrix`"
            raise BadSpec([nested[0].layers[-1].problem(("matrix",), message)])
        for step in steps:
            keeping.refuse_what_is_no_job(step.spec, step.layers)
        return steps
    if spec.kind in again.RECIPES:
        if picture is None:
            raise NotYet("needs a picture: name one with `image:`")
        return again.RECIPES[spec.kind](spec, layers, picture, completer)
    return (Part(spec, tuple(layers)),)
