"""BLIP: BlipForConditionalGeneration, at full size or as the shipped miniature.

**Source:** transformers' BLIP (Apache-2.0); its output begins with the [DEC] token that every caption is started with,
which the real vocabulary does not know as special. Three beams: configs/caption_coco.yaml of salesforce/BLIP.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from PIL import Image

from hotfolder import images
from hotfolder.errors import RejectedInput
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass

BEAMS = 3


class Blip:
    """A BLIP captioner in memory. Its pictures are scaled by Pillow, as in training, and without torchvision."""

    PARTS: ClassVar = {
        "model": PartClass("transformers", "BlipForConditionalGeneration", at_root=True),
        "words": PartClass("transformers", "BertTokenizer", has_weights=False, at_root=True),
        "pixels": PartClass("transformers", "BlipImageProcessorPil", has_weights=False, at_root=True),
    }

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        self.entry = entry
        self.model, self.words, self.pixels = (parts[name] for name in self.PARTS)

    def caption(self, image: Image.Image, prompt: str | None, max_tokens: int) -> str:
        """Return one sentence about a picture, in lower case as the model speaks; what is transparent counts as white.

        Args:
            image: mode L, RGB or RGBA, any size; it is scaled to the model's square.
            prompt: how the caption begins, None for as the model likes.
            max_tokens: of what follows the prompt.

        Raises:
            RejectedInput: prompt and caption are longer than the model can count.
        """
        pixels = self.pixels(images.on_white(image), return_tensors="pt").pixel_values
        begin = self.words(prompt, return_tensors="pt").input_ids if prompt else None
        limit = self.model.config.text_config.max_position_embeddings
        if begin is not None and begin.shape[1] + max_tokens > limit:
            raise RejectedInput(
                f"`prompt` has {begin.shape[1] - 2} tokens and `max_tokens` is {max_tokens}; {self.entry.name} counts "
                f"to {limit - 2}: make one of them smaller"
            )
        made = self.model.generate(
            pixel_values=pixels.to(self.model.device, self.model.dtype),
            input_ids=None if begin is None else begin.to(self.model.device),
            max_new_tokens=max_tokens,
            num_beams=BEAMS,
            do_sample=False,
        )
        return str(self.words.decode(made[0, 1:], skip_special_tokens=True)).strip()


FAMILIES.add("blip", Blip)
