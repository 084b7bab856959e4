"""What the models of FLUX.1 have in common: their parts, guidance, and the sizes that they paint.

**Source:** diffusers `FluxPipeline`, `FluxKontextPipeline` and `FluxFillPipeline` (Apache-2.0); CLIP reads the first 77
tokens, for the pooled vector alone.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from hotfolder.models.families.base import PartClass
from hotfolder.models.painting import Painter
from hotfolder.spec import JobSpec, Planned

GRID_PX = 16
"""Edges of their pictures are multiples of it."""


def on_grid(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size that is painted where `size`, in pixels, is asked for."""
    width, height = (max(edge // GRID_PX, 1) * GRID_PX for edge in size)
    return width, height


class Flux(Painter):
    """A FLUX.1 pipeline in memory."""

    PARTS: ClassVar = {
        "transformer": PartClass("diffusers", "FluxTransformer2DModel", nf4=True),
        "text_encoder": PartClass("transformers", "CLIPTextModel"),
        "text_encoder_2": PartClass("transformers", "T5EncoderModel", is_text=True, nf4=True),
        "vae": PartClass("diffusers", "AutoencoderKL"),
        "tokenizer": PartClass("transformers", "CLIPTokenizer", has_weights=False),
        "tokenizer_2": PartClass("transformers", "T5Tokenizer", has_weights=False),
        "scheduler": PartClass("diffusers", "FlowMatchEulerDiscreteScheduler", has_weights=False),
    }

    @property
    def _tokenizer(self) -> Any:
        """T5's."""
        return self.pipeline.tokenizer_2

    def _guided(self, planned: Planned, guidance: float) -> dict[str, Any]:
        """Return embedded guidance, or true CFG where there is a negative prompt: both at once would be too much."""
        if not planned.negative_prompt:
            return {"guidance_scale": guidance}
        return {"guidance_scale": 1.0, "true_cfg_scale": guidance, "negative_prompt": planned.negative_prompt}

    def _notes(self, planned: Planned, spec: JobSpec) -> Iterator[str]:
        if spec.guidance and not planned.negative_prompt and not self.pipeline.transformer.config.guidance_embeds:
            yield f"`guidance` changed nothing: without a negative prompt {self.entry.name} has none"
        yield from super()._notes(planned, spec)
