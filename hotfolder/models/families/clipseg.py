"""CLIPSeg: CLIPSegForImageSegmentation, at full size or as the shipped miniature.

**Source:** transformers' CLIPSeg (Apache-2.0). It looks at the whole picture squashed into a square, as trained.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from hotfolder import images
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass

TOGETHER = 4
"""Phrases that go through the model at once."""


class ClipSeg:
    """A CLIPSeg in memory."""

    PARTS: ClassVar = {
        "model": PartClass("transformers", "CLIPSegForImageSegmentation", at_root=True),
        "words": PartClass("transformers", "CLIPTokenizer", has_weights=False, at_root=True),
        "pixels": PartClass(
            "transformers.models.vit.image_processing_pil_vit", "ViTImageProcessorPil", has_weights=False, at_root=True
        ),
    }

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        self.entry = entry
        self.model, self.words, self.pixels = (parts[name] for name in self.PARTS)

    def mask(self, image: Image.Image, phrases: Sequence[str]) -> list[np.ndarray]:
        """Return for each phrase how sure the model is that each place of the picture shows it.

        Args:
            image: mode L, RGB or RGBA, any size; what is transparent counts as white.
            phrases: one at least; what has more tokens than the model reads is cut off.

        Returns:
            (side, side) each, float32, 0..1: the model's square, which stretches over the whole picture.
        """
        import torch

        pixels = self.pixels(images.on_white(image).convert("RGB"), return_tensors="pt").pixel_values
        longest = self.model.config.text_config.max_position_embeddings
        maps = []
        for begin in range(0, len(phrases), TOGETHER):
            some = list(phrases[begin : begin + TOGETHER])
            words = self.words(some, padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
            with torch.no_grad():
                made = self.model(
                    input_ids=words.input_ids.to(self.model.device),
                    attention_mask=words.attention_mask.to(self.model.device),
                    pixel_values=pixels.to(self.model.device, self.model.dtype).expand(len(some), -1, -1, -1),
                )
            maps += [one.numpy() for one in made.logits.float().sigmoid().cpu()]
        return maps


FAMILIES.add("clipseg", ClipSeg)
