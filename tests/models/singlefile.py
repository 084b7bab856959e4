"""FLUX.1 in one file, in its makers' layout: written from the diffusers layout by tables made from the published names.

**Source** of the names: black-forest-labs/flux (Apache-2.0), `src/flux/model.py` and `modules/autoencoder.py`.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from hotfolder.models import parts

SHAPES = {
    "img_in.weight": [3072, 64], "double_blocks.0.img_attn.norm.key_norm.scale": [128],
    "double_blocks.0.img_attn.qkv.weight": [9216, 3072], "single_blocks.0.linear1.weight": [21504, 3072],
}  # fmt: skip
GUIDANCE = {"guidance_in.in_layer.bias": [3072]}
BYTES = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "U8": 1}

AROUND = {
    "img_in": "x_embedder", "txt_in": "context_embedder", "final_layer.linear": "proj_out",
    **{
        f"{ours}_in.{at}_layer": f"time_text_embed.{theirs}_embedder.linear_{number}"
        for ours, theirs in (("time", "timestep"), ("vector", "text"), ("guidance", "guidance"))
        for number, at in ((1, "in"), (2, "out"))
    },
}  # fmt: skip
DOUBLE = {
    "img_mod.lin": "norm1.linear", "txt_mod.lin": "norm1_context.linear", "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out", "img_mlp.0": "ff.net.0.proj", "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj", "txt_mlp.2": "ff_context.net.2",
}  # fmt: skip
JOINED = {
    "double_blocks.0.img_attn.qkv": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "double_blocks.0.txt_attn.qkv": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
    "single_blocks.0.linear1": ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"],
}
SCALES = {
    "double_blocks.0.img_attn.norm.query_norm": "attn.norm_q", "double_blocks.0.img_attn.norm.key_norm": "attn.norm_k",
    "double_blocks.0.txt_attn.norm.query_norm": "attn.norm_added_q",
    "double_blocks.0.txt_attn.norm.key_norm": "attn.norm_added_k",
    "single_blocks.0.norm.query_norm": "attn.norm_q", "single_blocks.0.norm.key_norm": "attn.norm_k",
}  # fmt: skip


def put_header(path: Path, shapes: Mapping[str, list[int]], dtype: str = "BF16", prefix: str = "") -> Path:
    """Write a safetensors file as large as its header says, whose weights are a hole in the file."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = BYTES[dtype] * torch.Size(shape).numel()
        header[prefix + name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    content = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(len(content).to_bytes(8, "little") + content)
        file.truncate(8 + len(content) + end)
    return path


def configure(configs: Path, change: Callable[[str, dict[str, Any]], None]) -> None:
    """Copy the shipped configurations, each changed by a function that gets its folder's name and its content."""
    shutil.copytree(parts.CONFIGS, configs)
    for path in configs.rglob("config.json"):
        content = json.loads(path.read_text())
        change(path.parent.name, content)
        path.write_text(json.dumps(content))


def of_transformer(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a transformer of one double and one single block as its makers name and join it."""
    made = {}
    for end in ("weight", "bias"):
        both = {ours: [theirs] for ours, theirs in AROUND.items() if f"{theirs}.{end}" in tensors}
        both |= {f"double_blocks.0.{ours}": [f"transformer_blocks.0.{theirs}"] for ours, theirs in DOUBLE.items()}
        for ours, theirs in (("modulation.lin", "norm.linear"), ("linear2", "proj_out")):
            both[f"single_blocks.0.{ours}"] = [f"single_transformer_blocks.0.{theirs}"]
        for ours, names in JOINED.items():
            both[ours] = [f"{_block(ours)}.{name}" for name in names]
        made |= {
            f"{ours}.{end}": torch.cat([tensors[f"{one}.{end}"] for one in theirs]) for ours, theirs in both.items()
        }
        scale, shift = tensors[f"norm_out.linear.{end}"].chunk(2)
        made[f"final_layer.adaLN_modulation.1.{end}"] = torch.cat([shift, scale])
    return made | {f"{ours}.scale": tensors[f"{_block(ours)}.{theirs}.weight"] for ours, theirs in SCALES.items()}


def of_vae(tensors: Mapping[str, torch.Tensor], blocks: int = 4) -> dict[str, torch.Tensor]:
    """Return a VAE as its makers name it: upward blocks counted from the other end, attention as 1x1 convolutions."""
    made = {}
    for name, tensor in tensors.items():
        for theirs, ours in VAE.items():
            name = name.replace(theirs, ours)
        for number in range(blocks):
            name = name.replace(f"up_blocks.{number}.", f"up.{blocks - 1 - number}!")
        name = name.replace("!", ".")
        is_layer = ".mid.attn_1." in name and name.endswith("weight") and ".norm." not in name
        made[name] = tensor[:, :, None, None] if is_layer else tensor
    return made


VAE = {
    "conv_norm_out": "norm_out", "mid_block.resnets.0": "mid.block_1", "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0": "mid.attn_1", "group_norm": "norm", "to_out.0": "proj_out", "to_q": "q", "to_k": "k",
    "to_v": "v", "conv_shortcut": "nin_shortcut", "down_blocks": "down", "resnets": "block",
    "downsamplers.0": "downsample", "upsamplers.0": "upsample",
}  # fmt: skip


def _block(ours: str) -> str:
    return "transformer_blocks.0" if ours.startswith("double") else "single_transformer_blocks.0"
