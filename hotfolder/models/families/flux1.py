"""FLUX.1: FluxPipeline with its two text encoders, at full size or as the shipped miniature.

**Source:** diffusers `FluxPipeline` (Apache-2.0) and the model card of black-forest-labs/FLUX.1-schnell: 4 steps,
guidance 0, at most 256 tokens of T5 text; CLIP reads the first 77 tokens, for the pooled vector alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from PIL import Image

from hotfolder.errors import RejectedInput
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass
from hotfolder.spec import JobSpec, Planned

GRID_PX = 16


class Flux1:
    """A FLUX.1 pipeline in memory."""

    sampler = "Euler"

    PARTS: ClassVar = {
        "transformer": PartClass("diffusers", "FluxTransformer2DModel", nf4=True),
        "text_encoder": PartClass("transformers", "CLIPTextModel"),
        "text_encoder_2": PartClass("transformers", "T5EncoderModel", is_text=True, nf4=True),
        "vae": PartClass("diffusers", "AutoencoderKL"),
        "tokenizer": PartClass("transformers", "CLIPTokenizer", has_weights=False),
        "tokenizer_2": PartClass("transformers", "T5Tokenizer", has_weights=False),
        "scheduler": PartClass("diffusers", "FlowMatchEulerDiscreteScheduler", has_weights=False),
    }

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        """Join loaded parts. The pipeline is made anew, never by `from_pipe`: that casts what is shared to float32."""
        from diffusers import FluxPipeline

        self.entry = entry
        self.pipeline = FluxPipeline(**parts)
        self.pipeline.set_progress_bar_config(disable=True)

    def generate(
        self, planned: Planned, spec: JobSpec, progress: Callable[[int, int], None]
    ) -> tuple[Image.Image, dict[str, Any]]:
        """Make one picture; returns it with what was really used.

        The noise is drawn on the CPU, so that a seed means the same picture on every device.

        Raises:
            RejectedInput: the size or the guidance is none that the model can work with.
        """
        import torch

        defaults = self.entry.defaults
        width, height = self._size(spec)
        steps = spec.steps or defaults.steps
        guidance = defaults.guidance if spec.guidance is None else spec.guidance
        prompt = planned.prompt or ""
        uses_cfg = bool(planned.negative_prompt)
        if uses_cfg and guidance <= 1:
            raise RejectedInput(f"a negative prompt works by `guidance` above 1; {self.entry.name} runs at {guidance}")

        def tell(pipeline: Any, step: int, time: Any, kept: dict[str, Any]) -> dict[str, Any]:
            progress(step + 1, steps)
            return kept

        done = self.pipeline(
            prompt=prompt,
            negative_prompt=planned.negative_prompt if uses_cfg else None,
            true_cfg_scale=guidance if uses_cfg else 1.0,
            guidance_scale=0.0 if uses_cfg else guidance,
            width=width,
            height=height,
            num_inference_steps=steps,
            max_sequence_length=defaults.max_tokens,
            generator=torch.Generator("cpu").manual_seed(planned.seed),
            callback_on_step_end=tell,
        )
        tokens = len(self.pipeline.tokenizer_2(prompt, truncation=False).input_ids)
        facts = {"steps": steps, "guidance": guidance, "sampler": self.sampler, "prompt_tokens": tokens}
        return done.images[0], facts

    def _size(self, spec: JobSpec) -> tuple[int, int]:
        """Return (width, height) in pixels, down to multiples of 16; one missing edge is like the other."""
        edge = self.entry.defaults.edge_px
        width, height = spec.width or spec.height or edge, spec.height or spec.width or edge
        limit = 2 * edge
        if width > limit or height > limit:
            raise RejectedInput(
                f"{self.entry.name} makes pictures of up to {limit} pixels an edge, not {width}x{height}"
            )
        return width // GRID_PX * GRID_PX, height // GRID_PX * GRID_PX


FAMILIES.add("flux1", Flux1)
