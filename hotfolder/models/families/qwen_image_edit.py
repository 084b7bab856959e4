"""Qwen-Image-Edit and its successors: QwenImageEditPipeline and QwenImageEditPlusPipeline.

**Source:** diffusers' pipelines (Apache-2.0) and the README of QwenLM/Qwen-Image: true CFG 4, 50 steps, 40 from 2509
on. The encoder sees the picture too. CFG needs a negative prompt, at least a space; without one it is off in
silence. Its noise levels are stretched to end at a given one, which a single step has not.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from PIL import Image

from hotfolder import images
from hotfolder.errors import RejectedInput
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass
from hotfolder.models.loras import Lora
from hotfolder.models.painting import Painter, on_grid
from hotfolder.spec import JobSpec, Planned

GRID_PX = 32


def work_size(size: tuple[int, int], edge_px: int, max_edge_px: int | None = None) -> tuple[int, int]:
    """Return the size at which a picture of `size`, (width, height), is worked on: of its proportions, with as many
    pixels as a square of `edge_px` has, and no edge longer than `max_edge_px`."""
    ratio = size[0] / size[1]
    return on_grid((edge_px * math.sqrt(ratio), edge_px / math.sqrt(ratio)), GRID_PX, max_edge_px)


class QwenImageEdit(Painter):
    """Qwen-Image-Edit: a picture and an instruction to a picture."""

    PIPELINE = "QwenImageEditPipeline"
    PARTS: ClassVar = {
        "transformer": PartClass("diffusers", "QwenImageTransformer2DModel", nf4=True),
        "text_encoder": PartClass("transformers", "Qwen2_5_VLForConditionalGeneration", is_text=True, nf4=True),
        "vae": PartClass("diffusers", "AutoencoderKLQwenImage"),
        "tokenizer": PartClass("transformers", "Qwen2Tokenizer", has_weights=False),
        "processor": PartClass("transformers", "Qwen2VLProcessor", has_weights=False),
        "scheduler": PartClass("diffusers", "FlowMatchEulerDiscreteScheduler", has_weights=False),
    }

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
            image: mode L, RGB or RGBA, any size; what is transparent counts as white.
            planned, spec, progress, loras: as `Painter.paint` takes them.
            max_edge_px: the longest edge that is worked on.

        Raises:
            RejectedInput: steps or guidance are none that the model can work with, or a LoRA does not fit.
        """
        if spec.steps == 1:
            raise RejectedInput(f"`steps: 1` is too little for {self.entry.name}; it takes 2 at least")
        width, height = work_size(image.size, self.entry.defaults.edge_px, max_edge_px)
        given = images.on_white(image.resize((width, height), Image.Resampling.LANCZOS)).convert("RGB")
        return self.paint(planned, spec, progress, loras, image=given, width=width, height=height)

    @property
    def _tokenizer(self) -> Any:
        return self.pipeline.tokenizer

    def _guided(self, planned: Planned, guidance: float) -> dict[str, Any]:
        if guidance <= 1:
            return {"true_cfg_scale": 1.0}
        return {"true_cfg_scale": guidance, "negative_prompt": self._read(planned.negative_prompt or " ")}

    def _read(self, text: str) -> str:
        """Return as much of a prompt as the model was made for; the pipeline itself would take any length."""
        tokens, limit = self._tokens(text), self.entry.defaults.max_tokens
        return text if len(tokens) <= limit else str(self._tokenizer.decode(tokens[: limit - 1]))


class QwenImageEditPlus(QwenImageEdit):
    """Qwen-Image-Edit-2509, which keeps faces and text better."""

    PIPELINE = "QwenImageEditPlusPipeline"


FAMILIES.add("qwen_image_edit", QwenImageEdit)
FAMILIES.add("qwen_image_edit_plus", QwenImageEditPlus)
