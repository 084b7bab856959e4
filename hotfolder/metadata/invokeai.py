"""What InvokeAI writes into its PNG files: `invokeai_metadata`, and `sd-metadata` before its version 3.

**Source**: invoke-ai/InvokeAI 6.14.0-alpha: invokeai/app/invocations/metadata.py (the keys),
services/image_files/image_files_disk.py (the PNG text); invokeai/frontend/install/import_images.py (the older form, and
negative words in [brackets]). Models are `model_name` in version 3, `name` since. No code was taken.
"""

import re
from typing import Any

from hotfolder.metadata.foreign import decimal, inner, items, mapping, said, whole, words

KEY, OLDER_KEY = "invokeai_metadata", "sd-metadata"
_NEGATIVE = re.compile(r"\[([^\[\]]+)\]")


def parse(text: str) -> dict[str, Any] | None:
    """Return what `invokeai_metadata` says, by the keys of `read.Found.parameters`; None where it is no generation."""
    found = mapping(text) or {}
    if "positive_prompt" not in found and "seed" not in found:
        return None
    cfg, guidance = decimal(found.get("cfg_scale")), decimal(found.get("guidance"))
    sampler = words(found.get("scheduler")) or ""
    return said(
        {
            "prompt": words(found.get("positive_prompt")),
            "negative_prompt": words(found.get("negative_prompt")),
            "steps": whole(found.get("steps")),
            "sampler": sampler.removesuffix("_k"),
            "schedule": "karras" if sampler.endswith("_k") else None,
            "guidance": cfg if guidance is None else guidance,
            "cfg": cfg if guidance is not None else None,
            "seed": whole(found.get("seed")),
            "width": whole(found.get("width")),
            "height": whole(found.get("height")),
            "model": _name(found.get("model")),
            "strength": decimal(found.get("strength")),
            "loras": [
                {"name": name, "weight": weight}
                for lora in map(inner, items(found.get("loras")))
                if (name := _name(lora.get("model") or lora.get("lora")))
                and (weight := decimal(lora.get("weight", 1.0))) is not None
            ],
        }
    )


def parse_older(text: str) -> dict[str, Any] | None:
    """Return what `sd-metadata` says; None where it is no generation."""
    found = mapping(text) or {}
    image = inner(found.get("image"))
    if "prompt" not in image and "seed" not in image:
        return None
    prompt = image.get("prompt")
    if isinstance(prompt, list):  # of several, each with its weight
        prompt = ", ".join(filter(None, (words(inner(part).get("prompt")) for part in items(prompt))))
    prompt = words(prompt) or ""
    return said(
        {
            "prompt": words(_NEGATIVE.sub("", prompt)),
            "negative_prompt": ", ".join(map(str.strip, _NEGATIVE.findall(prompt))),
            "steps": whole(image.get("steps")),
            "sampler": words(image.get("sampler")),
            "guidance": decimal(image.get("cfg_scale")),
            "seed": whole(image.get("seed")),
            "width": whole(image.get("width")),
            "height": whole(image.get("height")),
            "model": words(found.get("model_weights")),
            "strength": decimal(image.get("strength")) if image.get("type") == "img2img" else None,
        }
    )


def _name(model: object) -> str | None:
    return words(inner(model).get("name", inner(model).get("model_name")))
