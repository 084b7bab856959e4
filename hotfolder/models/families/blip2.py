"""BLIP-2 with OPT: Blip2ForConditionalGeneration, at full size or as the shipped miniature.

**Source:** transformers' BLIP-2 (Apache-2.0) and the model card of Salesforce/blip2-opt-2.7b. The text begins with as
many `<image>` tokens as the picture has queries, before OPT's own beginning; older copies of the repository lack the
processor's configuration that says so, therefore they are put there here. Five beams: generate's default in LAVIS.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from PIL import Image

from hotfolder import images
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass

BEAMS = 5
IMAGE_TOKEN = 50265
"""Of the published vocabulary, where a configuration does not say."""


class Blip2:
    """A BLIP-2 captioner in memory. Its pictures are scaled by Pillow, as in training, and without torchvision."""

    PARTS: ClassVar = {
        "model": PartClass("transformers", "Blip2ForConditionalGeneration", at_root=True),
        "words": PartClass("transformers", "GPT2Tokenizer", has_weights=False, at_root=True),
        "pixels": PartClass("transformers", "BlipImageProcessorPil", has_weights=False, at_root=True),
    }

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        self.entry = entry
        self.model, self.words, self.pixels = (parts[name] for name in self.PARTS)
        if self.model.config.image_token_index is None:
            self.model.config.image_token_index = IMAGE_TOKEN

    def caption(self, image: Image.Image, prompt: str | None, max_tokens: int) -> str:
        """Return one sentence about a picture, the prompt at its beginning; what is transparent counts as white.

        Args:
            image: mode L, RGB or RGBA, any size; it is scaled to the model's square.
            prompt: how the caption begins, None for as the model likes.
            max_tokens: of what follows the prompt.
        """
        import torch

        config = self.model.config
        begin = [config.image_token_index] * config.num_query_tokens + [config.text_config.bos_token_id]
        if prompt:
            begin += self.words(prompt, add_special_tokens=False).input_ids
        pixels = self.pixels(images.on_white(image), return_tensors="pt").pixel_values
        made = self.model.generate(
            pixel_values=pixels.to(self.model.device, self.model.dtype),
            input_ids=torch.tensor([begin], device=self.model.device),
            max_new_tokens=max_tokens,
            num_beams=BEAMS,
            do_sample=False,
        )
        said = self.words.decode(made[0, len(begin) :], skip_special_tokens=True).strip()
        return f"{prompt} {said}".strip() if prompt else str(said)


FAMILIES.add("blip2", Blip2)
