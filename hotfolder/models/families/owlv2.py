"""OWLv2: Owlv2ForObjectDetection, at full size or as the shipped miniature.

**Source:** transformers' OWLv2 (Apache-2.0); a threshold of 0.1 as its card has it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from hotfolder import images
from hotfolder.errors import RejectedInput
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass

SAME = 0.5
"""Overlap (intersection over union) from which two boxes of one word are the same thing, as the weaker of them goes."""

MAX_TOKENS = 16
"""Of one phrase: the length of the model's table of positions."""


class Owlv2:
    """An OWLv2 in memory."""

    PARTS: ClassVar = {
        "model": PartClass("transformers", "Owlv2ForObjectDetection", at_root=True),
        "words": PartClass("transformers", "CLIPTokenizer", has_weights=False, at_root=True),
        "pixels": PartClass(
            "transformers.models.owlv2.image_processing_pil_owlv2", "Owlv2ImageProcessorPil", has_weights=False,
            at_root=True,
        ),
    }  # fmt: skip

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        self.entry = entry
        self.model, self.words, self.pixels = (parts[name] for name in self.PARTS)

    def detect(self, image: Image.Image, words: Sequence[str]) -> list[tuple[str, float, tuple[float, ...]]]:
        """Return every guess as (word, score 0..1, (x0, y0, x1, y1) in pixels of the picture), the surest first.

        Boxes may reach beyond the picture. Of boxes that are nearly the same the surest stays.

        Args:
            image: mode L, RGB or RGBA, any size; what is transparent counts as white.
            words: what is looked for, one phrase at least; what has more tokens than the model reads is cut off.

        Raises:
            RejectedInput: there are no words.
        """
        import torch
        from torchvision.ops import batched_nms

        if not words:
            raise RejectedInput(
                f"{self.entry.name} looks for words: put them into `prompt`, or leave out `model:` to find what the "
                "profile's own detector knows"
            )
        side = self.pixels.size["height"]
        width, height = (max(1, round(edge * side / max(image.size))) for edge in image.size)
        small = images.on_white(image).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        square = Image.new("RGB", (side, side))
        square.paste(small)  # below and to the right it is black, as in the model's training
        pixels = self.pixels(square, do_resize=False, do_pad=False, return_tensors="pt").pixel_values
        longest = min(MAX_TOKENS, self.model.config.text_config.max_position_embeddings)
        texts = self.words(list(words), padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
        with torch.no_grad():
            made = self.model(
                input_ids=texts.input_ids.to(self.model.device),
                attention_mask=texts.attention_mask.to(self.model.device),
                pixel_values=pixels.to(self.model.device, self.model.dtype),
            )
        made.logits, made.pred_boxes = made.logits.float().cpu(), made.pred_boxes.float().cpu()
        (found,) = self.pixels.post_process_object_detection(
            made, threshold=0.0, target_sizes=[(image.height, image.width)]
        )
        kept = batched_nms(found["boxes"], found["scores"], found["labels"], SAME)
        names = [words[int(number)] for number in found["labels"][kept]]
        return list(zip(names, found["scores"][kept].tolist(), map(tuple, found["boxes"][kept].tolist()), strict=True))


FAMILIES.add("owlv2", Owlv2)
