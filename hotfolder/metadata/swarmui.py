"""What SwarmUI writes: JSON with `sui_image_params`, in a PNG's `parameters` or in EXIF UserComment.

**Source**: mcmonkeyprojects/SwarmUI of August 2026: docs/Image Metadata Format.md (numbers may be texts, lists may be
texts with commas), src/Text2Image/T2IParamTypes.cs (names of the parameters). No code was taken.
"""

from typing import Any

from hotfolder.metadata.foreign import decimal, inner, items, mapping, said, whole, words


def parse(text: str) -> dict[str, Any] | None:
    """Return what it says, by the keys of `read.Found.parameters`; None for any other text."""
    found = inner((mapping(text) or {}).get("sui_image_params"))
    if not found:
        return None
    cfg, guidance = decimal(found.get("cfgscale")), decimal(found.get("fluxguidancescale"))
    names, weights = _list(found.get("loras")), [decimal(weight) for weight in _list(found.get("loraweights"))]
    weights += [1.0] * len(names)
    return said(
        {
            "prompt": words(found.get("prompt")),
            "negative_prompt": words(found.get("negativeprompt")),
            "steps": whole(found.get("steps")),
            "sampler": words(found.get("sampler")),
            "schedule": words(found.get("scheduler")),
            "guidance": cfg if guidance is None else guidance,
            "cfg": cfg if guidance is not None else None,
            "seed": whole(found.get("seed")),
            "width": whole(found.get("width")),
            "height": whole(found.get("height")),
            "model": words(found.get("model")),
            "strength": decimal(found.get("initimagecreativity")),
            "variation": decimal(found.get("variationseedstrength")),
            "variation_seed": whole(found.get("variationseed")),
            "loras": [
                {"name": name, "weight": weight}
                for name, weight in zip(map(words, names), weights, strict=False)
                if name and weight is not None
            ],
        }
    )


def _list(value: object) -> list[Any]:
    return items(value.split(",") if isinstance(value, str) else value)
