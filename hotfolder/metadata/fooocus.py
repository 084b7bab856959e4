"""What Fooocus writes in its own scheme: JSON in a PNG's `parameters`, or in EXIF UserComment. Its other scheme is
A1111's text.

**Source**: lllyasviel/Fooocus 2.5.5: modules/meta_parser.py, async_worker.py (the keys; the size is the text
`(1024, 1024)`, the seed a text) and private_logger.py. The comment lies in the first EXIF directory there. No code was
taken.
"""

import re
from typing import Any

from hotfolder.metadata.foreign import decimal, items, mapping, said, whole, words

_SIZE = re.compile(r"\(\s*'?([0-9]{1,6})'?\s*,\s*'?([0-9]{1,6})'?\s*\)")


def parse(text: str) -> dict[str, Any] | None:
    """Return what it says, by the keys of `read.Found.parameters`; None for any other text.

    The prompt is what was written, without what the styles added to it.
    """
    found = mapping(text) or {}
    if "base_model" not in found or "prompt" not in found:
        return None
    size = _SIZE.fullmatch(words(found.get("resolution")) or "")
    loras = [lora for lora in items(found.get("loras")) if isinstance(lora, list) and len(lora) >= 2]
    return said(
        {
            "prompt": words(found["prompt"]),
            "negative_prompt": words(found.get("negative_prompt")),
            "steps": whole(found.get("steps")),
            "sampler": words(found.get("sampler")),
            "schedule": words(found.get("scheduler")),
            "guidance": decimal(found.get("guidance_scale")),
            "seed": whole(found.get("seed")),
            "width": whole(size and size[1]),
            "height": whole(size and size[2]),
            "model": words(found["base_model"]),
            "model_hash": words(found.get("base_model_hash")),
            "styles": words(found.get("styles")),
            "loras": [
                {"name": name, "weight": weight}
                for name, weight in ((words(lora[0]), decimal(lora[1])) for lora in loras)
                if name and weight is not None
            ],
        }
    )
