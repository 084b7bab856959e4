"""Change a picture as words say ("make the car red"); what they do not name stays."""

from collections.abc import Iterator
from typing import Any

from PIL import Image

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import RejectedInput
from hotfolder.models import filling, samplers
from hotfolder.spec import JobSpec, Planned

MAX_ASPECT = 4.0
"""Editors know no longer pictures; what they make of them falls apart."""

MIN_EDGE_PX = 16

SOFT = 1.5
"""From so many times larger on it is told that Lanczos makes a result soft."""


class Edit(Capability):
    kind = "edit"
    aliases = ("kontext", "instruct", "img_edit", "image_edit")
    uses = frozenset("prompt negative_prompt seed variants steps guidance sampler loras image upscaler".split())
    needs = frozenset({"prompt", "image"})
    source_type = "compositeWithTrainedAlgorithmicMedia"

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        """Refuse a sampler that does not fit, and a picture that is too long or too small."""
        samplers.check(spec.sampler)
        if image_size is None:
            return
        width, height = image_size
        if max(width, height) > MAX_ASPECT * min(width, height):
            raise RejectedInput(
                f"a picture of {width}x{height} cannot be edited: it is over {MAX_ASPECT:g} times as long as it is "
                "wide; crop it, or edit its parts"
            )
        if min(width, height) < MIN_EDGE_PX:
            raise RejectedInput(f"a picture of {width}x{height} is too small to be edited; enlarge it first")

    @classmethod
    def helpers(cls, spec: JobSpec, options: Any) -> tuple[str, ...]:
        return filling.upscaling(spec)

    def run(self, context: Context) -> Iterator[Result]:
        """Run the model once for each planned picture, at the size it likes, and bring the result to the input's.

        Transparency stays as it was.
        """
        assert context.image
        given = context.image
        for planned in context.planned:

            def make(family: Any, planned: Planned = planned) -> tuple[Image.Image, dict[str, Any]]:
                limit = context.max_edge_px
                return family.edit(given, planned, context.spec, context.progress, context.loras, limit)

            made, facts = context.pool.attempt(context.model, make)
            facts["notes"] = (*facts.get("notes", ()), *_notes(context, made.size))
            result = _at(context, made)
            if given.mode == "RGBA":
                result.putalpha(given.getchannel("A"))
            yield Result(result, planned, facts)


def _notes(context: Context, worked: tuple[int, int]) -> Iterator[str]:
    assert context.image
    size = context.image.size
    if max(size) > SOFT * max(worked) and not context.helpers:
        yield (
            f"the picture was worked on at {worked[0]}x{worked[1]} and brought back to {size[0]}x{size[1]} by Lanczos; "
            "`upscaler:` with a model's name makes it sharper"
        )


def _at(context: Context, made: Image.Image) -> Image.Image:
    """Return what was made at the input's size: enlarged by the network that the job names, then by Lanczos."""
    assert context.image
    size = context.image.size
    if context.helpers and (size[0] > made.width or size[1] > made.height):
        from hotfolder.images import networks

        made = context.ask("upscale", lambda network: networks.enlarge(made, network.enlarge, context.progress))
    return made if made.size == size else made.resize(size, Image.Resampling.LANCZOS)
