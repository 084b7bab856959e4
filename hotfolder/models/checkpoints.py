"""What a checkpoint of one file holds: told from the names, shapes and types in its header alone. Imports no torch.

**Source** of the names: diffusers' `CHECKPOINT_KEY_NAMES` and `infer_diffusers_model_type` (Apache-2.0). FLUX.1
[Kontext] has the shapes of [dev]; only its name tells it.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hotfolder.models import complete

PREFIX = "model.diffusion_model."
"""What ComfyUI puts before each name of the denoiser."""

OTHERS = {
    r"\.lora_|^lora_|\.lora[AB12]?\.|lora_[AB]\.": "a LoRA: it belongs into models/loras/",
    r"^conditioner\.embedders\.|^label_emb\.": "a checkpoint of Stable Diffusion XL, which this version cannot run",
    r"^cond_stage_model\.|^input_blocks\.": "a checkpoint of Stable Diffusion 1 or 2, which this version cannot run",
    r"^joint_blocks\.": "a checkpoint of Stable Diffusion 3, which this version cannot run",
    r"^single_stream_modulation\.": "a checkpoint of FLUX.2, which this version cannot run",
    r"^distilled_guidance_layer\.": "a checkpoint of Chroma, which this version cannot run",
    r"^double_stream_blocks\.": "a checkpoint of HiDream, which this version cannot run",
    r"^noise_refiner\.|^layers\.0\.adaLN": "a checkpoint of Z-Image, which this version cannot run",
    r"^transformer_blocks\.\d+\.img_mod\.": "a checkpoint of Qwen-Image, which this version cannot run",
    r"^single_transformer_blocks\.": "the transformer of a diffusers folder: put the whole folder into "
    "models/checkpoints/flux1-dev/, or flux1-schnell/",
}
"""What else people have, by a pattern of its names; the first that is found counts. Some have FLUX.1's blocks too."""

PARTS_ALONE = {
    r"^encoder\.block\.\d+\.layer\.0\.SelfAttention|^text_model\.": "a text encoder alone",
    r"^decoder\.(conv_in|up)\.": "a VAE alone",
}
IN_FEATURES = {
    384: "is FLUX.1 Fill in one file, which cannot be read yet: put the whole folder of its repository into "
    "models/checkpoints/flux1-fill-dev/",
    128: "is a FLUX.1 made to generate by edges or depth, which this version cannot do yet",
}
"""The variants of FLUX.1 whose `img_in` takes so many features besides the 64 of the noise."""

TYPES = {"BF16", "F16", "F32", "F8_E4M3", "F8_E5M2"}
WIDTH = 3072
FLUX = "double_blocks.0.img_attn.norm.key_norm.scale"


def base_of(path: Path) -> tuple[str, str]:
    """Return which registered model a checkpoint is a variant of, and "". Or "", and why it cannot be used: the end of
    a sentence that begins with its name."""
    if not complete.is_there(path):
        return "", complete.fault(path)
    status = path.stat()
    return _base_of(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(256)
def _base_of(path: Path, size: int, mtime_ns: int) -> tuple[str, str]:
    try:
        found = complete.header(path, size)[1]
        tensors = {name.removeprefix(PREFIX): entry for name, entry in found.items()}
        if other := _first(OTHERS, tensors):
            return "", f"is {other}"
        if FLUX in tensors:
            return _of_flux(tensors, path.stem)
        if alone := _first(PARTS_ALONE, tensors):
            return "", f"is {alone}; a checkpoint holds the transformer"
        return "", "is a checkpoint of a family that this version does not know"
    except (OSError, ValueError, AttributeError, TypeError, LookupError):
        return "", "has a header that says nothing of its weights"


def _first(patterns: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((what for pattern, what in patterns.items() if any(re.search(pattern, name) for name in names)), None)


def _of_flux(tensors: Mapping[str, Any], name: str) -> tuple[str, str]:
    if any(re.search(r"scaled_fp8|scale_weight|weight_scale|\.absmax", each) for each in tensors):
        return "", "is FLUX.1 quantised in a way that cannot be read; take its file in bf16, fp16 or plain fp8"
    kinds = {entry["dtype"] for each, entry in tensors.items() if each.startswith(("double_blocks.", "single_blocks."))}
    if unknown := ", ".join(sorted(kinds - TYPES)):
        return "", f"is FLUX.1 in {unknown}, which cannot be read; take its file in bf16 or fp16"
    width, features = tensors["img_in.weight"]["shape"]
    if variant := IN_FEATURES.get(features):
        return "", variant
    if (width, features) != (WIDTH, 64):
        return "", f"is no FLUX.1 of the known size: its layers are {width} wide and take {features} features"
    if "kontext" in name.lower():
        return "", "is FLUX.1 Kontext by its name, made to edit pictures, which this version cannot do yet"
    return ("flux1-dev" if "guidance_in.in_layer.bias" in tensors else "flux1-schnell"), ""
