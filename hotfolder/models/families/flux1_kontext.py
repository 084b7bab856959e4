"""FLUX.1 Kontext [dev]: FluxKontextPipeline, at full size or as the shipped miniature.

**Source:** diffusers `FluxKontextPipeline` (Apache-2.0), its list of preferred sizes among it, and the model card of
black-forest-labs/FLUX.1-Kontext-dev: 28 steps, guidance 2.5. Left to itself it makes pictures of 1024x1024 whatever the
input's proportions, and brings any size asked for to a megapixel.
"""

from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from hotfolder import images
from hotfolder.models.families import FAMILIES
from hotfolder.models.flux import GRID_PX, Flux
from hotfolder.models.loras import Lora
from hotfolder.models.painting import on_grid
from hotfolder.spec import JobSpec, Planned

PREFERRED_EDGE_PX = 1024
"""Side of the square among the preferred sizes; the others have about as many pixels."""

PREFERRED = ((672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104))
"""(width, height) of those that are upright; it was trained on these, the same lying down, and the square."""


def work_size(size: tuple[int, int], edge_px: int, max_edge_px: int | None = None) -> tuple[int, int]:
    """Return the size at which a picture of `size`, (width, height), is worked on by a model whose square has sides of
    `edge_px`: of the preferred proportions the nearest, or its own where it is longer than all of those. No edge is
    longer than `max_edge_px`."""
    ratio = size[0] / size[1]
    longest = PREFERRED[0][1] / PREFERRED[0][0]
    if max(ratio, 1 / ratio) > longest:
        best = PREFERRED_EDGE_PX * ratio**0.5, PREFERRED_EDGE_PX / ratio**0.5
    else:
        square = (PREFERRED_EDGE_PX, PREFERRED_EDGE_PX)
        known = [*PREFERRED, square, *((wide, high) for high, wide in PREFERRED)]
        best = min(known, key=lambda one: abs(one[0] / one[1] - ratio))
    wanted = best[0] * edge_px / PREFERRED_EDGE_PX, best[1] * edge_px / PREFERRED_EDGE_PX
    return on_grid(wanted, GRID_PX, max_edge_px)


class Flux1Kontext(Flux):
    """FLUX.1 Kontext: a picture and an instruction to a picture."""

    PIPELINE = "FluxKontextPipeline"

    def edit(
        self,
        image: Image.Image,
        planned: Planned,
        spec: JobSpec,
        progress: Callable[[int, int], None],
        loras: Sequence[Lora] = (),
        max_edge_px: int | None = None,
    ) -> tuple[Image.Image, dict[str, Any]]:
        """Change a picture as the prompt says; returns it at the size that it was worked on, RGB, with what was really
        used.

        Args:
            image: mode L, RGB or RGBA, any size; what is transparent counts as white. It is stretched to the working
                size, so that the result, stretched back, lies on it.
            planned, spec, progress, loras: as `Flux.paint` takes them.
            max_edge_px: the longest edge that is worked on.

        Raises:
            RejectedInput: the guidance is none that the model can work with, or a LoRA does not fit.
        """
        width, height = work_size(image.size, self.entry.defaults.edge_px, max_edge_px)
        given = images.on_white(image.resize((width, height), Image.Resampling.LANCZOS)).convert("RGB")
        # the input has its size already, and so has the output: neither is to be brought to a megapixel
        size: dict[str, Any] = {"width": width, "height": height, "max_area": width * height, "_auto_resize": False}
        return self.paint(planned, spec, progress, loras, image=given, **size)


FAMILIES.add("flux1_kontext", Flux1Kontext)
