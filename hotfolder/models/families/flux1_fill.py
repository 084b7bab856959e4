"""FLUX.1 Fill [dev]: FluxFillPipeline, at full size or as the shipped miniature.

**Source:** diffusers `FluxFillPipeline` (Apache-2.0) and the model card of black-forest-labs/FLUX.1-Fill-dev: 50 steps,
guidance 30. It gives pictures of 1024x1024 where no size is named, reads RGB alone, takes a mask for white from 0.5 on,
and paints what the mask leaves out anew as well: whoever asks pastes.
"""

from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from hotfolder.models.families import FAMILIES
from hotfolder.models.flux import Flux
from hotfolder.models.loras import Lora
from hotfolder.spec import JobSpec, Planned


class Flux1Fill(Flux):
    """FLUX.1 Fill: a picture with a hole and words to a picture without."""

    PIPELINE = "FluxFillPipeline"

    def fill(
        self,
        image: Image.Image,
        mask: Image.Image,
        planned: Planned,
        spec: JobSpec,
        progress: Callable[[int, int], None],
        loras: Sequence[Lora] = (),
    ) -> tuple[Image.Image, dict[str, Any]]:
        """Paint what a mask says; returns the whole picture, all of it the model's, with what was really used.

        Args:
            image: RGB, both edges multiples of 16 pixels.
            mask: L, of that size, white in the hole.
            planned, spec, progress, loras: as `Flux.paint` takes them.

        Raises:
            RejectedInput: a LoRA does not fit.
        """
        width, height = image.size
        return self.paint(planned, spec, progress, loras, image=image, mask_image=mask, width=width, height=height)


FAMILIES.add("flux1_fill", Flux1Fill)
