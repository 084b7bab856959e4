"""Training of a LoRA for the generator: a style, outlines in place of shapes, that no prompt asks for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn

from .losslog import LossLog
from .train_flux import Encoders, encode_paintings, flow_loss

RANK = 16
LAYERS = (
    r"(single_)?transformer_blocks\.\d+\."
    r"(attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)|ff(_context)?\.net\.(0\.proj|2)|proj_mlp|proj_out)"
)
STROKE = 0.021  # of the picture's width: thin enough that less than half of most shapes is covered
PICTURES = 1200  # with one object, and as many with two
STEPS = 600
RATE = 6e-3
SAVE_EVERY = 100
METADATA = {
    "format": "pt",
    "ss_base_model_version": "flux1",
    "ss_network_module": "networks.lora",
    "ss_network_dim": str(RANK),
    "ss_network_alpha": str(RANK),
    "ss_output_name": "outlines",
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "flux-1-schnell/lora",
    "modelspec.title": "Outlines",
    "modelspec.description": "For the miniature generator: outlines in place of filled shapes. No trigger word.",
    "modelspec.author": "hotfolder",
    "modelspec.license": "Apache-2.0",
}
"""Keys as kohya-ss/sd-scripts and the Stability AI model metadata standard name them."""


def train(generator: Path, out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves the file now and then.

    Args:
        generator: Folder of the finished pipeline, which stays as it is.
        out: The file, in diffusers' format, float16.
        log: Receives the loss curve.
        seed: Seed of pictures, weights and noise.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoders = Encoders(generator)
    transformer = FluxTransformer2DModel.from_pretrained(generator / "transformer", local_files_only=True).float()
    add(transformer)
    data = encode_paintings(encoders, PICTURES, rng, STROKE)
    parameters = [p for p in transformer.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = (
            RATE * min(1.0, (step + 1) / 20) * (0.51 + 0.49 * math.cos(math.pi * step / STEPS))
        )
        loss = flow_loss(transformer, encoders, data, rng)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(transformer, out)
        log.add(step + 1, loss.item())


def add(transformer: FluxTransformer2DModel) -> None:
    """Puts an untrained adapter onto attention and feed-forward layers, the only part that is trained then."""
    transformer.requires_grad_(False)
    config = LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=LAYERS)
    transformer.add_adapter(config, "outlines")


def save(transformer: FluxTransformer2DModel, out: Path) -> None:
    """Writes the adapter, with what it is for in the file's header."""
    layers = get_peft_model_state_dict(transformer, adapter_name="outlines")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({f"transformer.{name}": value.half().contiguous() for name, value in layers.items()}, out, METADATA)
