"""Has a filler paint what a mask says, in a picture of any size. Imports no torch."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from hotfolder.images import patches
from hotfolder.images.masks import Box
from hotfolder.models.loras import Lora
from hotfolder.spec import JobSpec, Planned


@dataclass(frozen=True)
class Filler:
    """A model that fills holes, as one job uses it.

    `ask` returns what a piece of work makes with the model's family wrapper; it may do it again where memory runs out.
    `enlarge` brings what was made to about a size, None: Lanczos. `max_edge_px` is the longest edge worked on.
    """

    ask: Callable[[Callable[[Any], Any]], Any]
    spec: JobSpec
    loras: Sequence[Lora]
    enlarge: patches.Resize | None = None
    max_edge_px: int | None = None

    @classmethod
    def of(cls, context: Any) -> "Filler":
        """Return the filler of a job, by its context (capabilities.Context)."""

        def enlarge(made: Image.Image, size: tuple[int, int]) -> Image.Image:
            from hotfolder.images import networks

            if size[0] <= made.width and size[1] <= made.height:
                return made
            return context.ask("upscale", lambda network: networks.enlarge(made, network.enlarge, context.progress))

        ask = functools.partial(context.pool.attempt, context.model)
        larger = enlarge if "upscale" in context.helpers else None
        return cls(ask, context.spec, context.loras, larger, context.max_edge_px)

    def paint(
        self,
        canvas: Image.Image,
        change: Image.Image,
        reached: Box,
        padding: int | str | None,
        planned: Planned,
        progress: Callable[[int, int], None],
        bare: Image.Image | None = None,
    ) -> dict[str, Any]:
        """Paint a part of a picture in place and return what was really used, as the family says it.

        Args:
            canvas, change, bare: as `patches.repaint` takes them.
            reached: the part of the canvas that is looked at; not all black in `change`.
            padding: a Length, the surroundings of what is to change that the model is shown; None for all of `reached`.
            planned: prompt and seed.
            progress: told each step, and of how many.
        """
        edge = int(self.ask(lambda family: family.entry.defaults.edge_px))
        left, top, right, bottom = part = reached
        hole = change.crop(reached).getbbox()
        assert hole
        if padding is not None:
            near = patches.around(hole, padding, (right - left, bottom - top), edge)
            part = (near[0] + left, near[1] + top, near[2] + left, near[3] + top)
        size = patches.work_size((part[2] - part[0], part[3] - part[1]), edge, self.max_edge_px)
        facts: dict[str, Any] = {}

        def make(given: Image.Image, hole: Image.Image) -> Image.Image:
            made, told = self.ask(lambda family: family.fill(given, hole, planned, self.spec, progress, self.loras))
            facts.update(told)
            return made

        patches.repaint(canvas, change, part, size, make, self.enlarge, bare)
        return facts


def upscaling(spec: JobSpec) -> tuple[str, ...]:
    """Return the kind whose model is asked too where the job names a network as its `upscaler`."""
    return ("upscale",) if spec.upscaler and spec.upscaler.lower() != "lanczos" else ()
