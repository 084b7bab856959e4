"""Small LoRA files for the tiny FLUX pipeline, in the formats that people have them in."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

RANK, DIM = 4, 32


def matrices(seed: int = 0) -> tuple[Tensor, Tensor]:
    """A change of the double block's query, key and value at once: (rank, width) and (3 widths, rank)."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(RANK, DIM, generator=draw), torch.randn(3 * DIM, RANK, generator=draw)


def as_diffusers(down: Tensor, up: Tensor, prefix: str = "transformer.") -> dict[str, Tensor]:
    """As diffusers, peft and ai-toolkit write them."""
    state = {}
    for name, part in zip("qkv", up.chunk(3), strict=True):
        place = f"{prefix}transformer_blocks.0.attn.to_{name}"
        state |= {f"{place}.lora_A.weight": down.clone(), f"{place}.lora_B.weight": part.contiguous()}
    return state


def as_kohya(down: Tensor, up: Tensor) -> dict[str, Tensor]:
    place = "lora_unet_double_blocks_0_img_attn_qkv"
    return {f"{place}.lora_down.weight": down, f"{place}.lora_up.weight": up, f"{place}.alpha": torch.tensor(RANK)}


def as_xlabs(down: Tensor, up: Tensor) -> dict[str, Tensor]:
    place = "double_blocks.0.processor.qkv_lora1"
    return {f"{place}.down.weight": down, f"{place}.up.weight": up}


def write(path: Path, state: dict[str, Tensor], **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, {name.replace("__", "."): value for name, value in metadata.items()})
    return path
