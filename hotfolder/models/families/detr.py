"""DETR: DetrForObjectDetection, at full size or as the shipped miniature.

**Source:** transformers' DETR (Apache-2.0); a threshold of 0.9 as its card has it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from hotfolder import images
from hotfolder.errors import RejectedInput
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass
from hotfolder.registry import did_you_mean

NO_LABEL = "N/A"
"""What COCO's unused numbers are called."""
NARROWEST = 50
"""How many times longer than wide a picture may be before black is added below or beside it."""


class Detr:
    """A DETR in memory. It knows the labels of its own training alone."""

    PARTS: ClassVar = {
        "model": PartClass("transformers", "DetrForObjectDetection", at_root=True),
        "pixels": PartClass(
            "transformers.models.detr.image_processing_pil_detr", "DetrImageProcessorPil", has_weights=False,
            at_root=True,
        ),
    }  # fmt: skip

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        self.entry = entry
        self.model, self.pixels = (parts[name] for name in self.PARTS)

    @property
    def labels(self) -> list[str]:
        """What it can find, in the order of its numbers."""
        return [label for label in self.model.config.id2label.values() if label != NO_LABEL]

    def detect(self, image: Image.Image, words: Sequence[str]) -> list[tuple[str, float, tuple[float, ...]]]:
        """Return every guess as (label, score 0..1, (x0, y0, x1, y1) in pixels of the picture), the surest first.

        Args:
            image: mode L, RGB or RGBA, any size; what is transparent counts as white.
            words: labels that alone are looked for; none for all that it knows.

        Raises:
            RejectedInput: it does not know one of the words.
        """
        import torch

        for word in words:
            if word not in self.labels:
                raise RejectedInput(
                    f"{self.entry.name} knows {len(self.labels)} labels, and `{word}` is none of them"
                    f"{did_you_mean(word, self.labels)}; owlv2-base-patch16-ensemble looks for any words"
                )
        seen = images.on_white(image).convert("RGB")
        least = max(seen.size) // NARROWEST  # of a narrower one no pixel would be left at the size it looks at
        seen = seen.crop((0, 0, max(seen.width, least), max(seen.height, least)))
        given = self.pixels(seen, return_tensors="pt")
        with torch.no_grad():
            made = self.model(
                pixel_values=given.pixel_values.to(self.model.device, self.model.dtype),
                pixel_mask=given.pixel_mask.to(self.model.device),
            )
        made.logits, made.pred_boxes = made.logits.float().cpu(), made.pred_boxes.float().cpu()
        (found,) = self.pixels.post_process_object_detection(
            made, threshold=0.0, target_sizes=[(seen.height, seen.width)]
        )
        names = [self.model.config.id2label[int(number)] for number in found["labels"]]
        guesses = list(zip(names, found["scores"].tolist(), map(tuple, found["boxes"].tolist()), strict=True))
        wanted = words or self.labels
        return sorted((one for one in guesses if one[0] in wanted), key=lambda one: -one[1])


FAMILIES.add("detr", Detr)
