"""Training of the autoencoder all miniatures share: 8 times smaller sides, 16 channels, like the real one."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor
from torch.nn import functional

from .losslog import LossLog
from .shapes import SHAPES
from .split import training_scene
from .world import COLOURS, Thing, coverage, paint

SIZE_PX = 128
POOL = 5000
CROP_PX = 64
WHOLE, CROPS = 3, 12  # per step; both cost the same
PEAK_RATE = 2e-3
KL_WEIGHT = 1e-6
SAVE_EVERY_S = 180.0


def new_vae() -> AutoencoderKL:
    """An untrained autoencoder; few channels where the picture is large, because those cost the time."""
    return AutoencoderKL(
        block_out_channels=(16, 32, 64, 96),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=8,
        sample_size=SIZE_PX,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
    )


def train(out: Path, log: LossLog, minutes: float, seed: int = 0) -> AutoencoderKL:
    """Trains for a wall time and saves every few minutes.

    Args:
        out: Folder that receives the weights, float16.
        log: Receives the loss curve.
        minutes: Wall time; the learning rate falls to nothing at its end.
        seed: Seed of pictures and weights.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pool = np.stack([_picture(rng) for _ in range(POOL)])
    vae = new_vae()
    optimizer = torch.optim.AdamW(vae.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=1e-3)
    start = saved = time.monotonic()
    step = 0
    while (done := (time.monotonic() - start) / (minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * done)) + 1e-6
        # Crops first for many different edges; whole pictures at the end, where group norms see what they will see.
        batch = _crops(pool, rng) if step % 3 and done < 0.6 else pool[rng.integers(POOL, size=WHOLE)]
        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        loss, sharp = _loss(vae, pixels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        step += 1
        log.add(step, loss.item(), sharp)
        if time.monotonic() - saved > SAVE_EVERY_S:
            saved = time.monotonic()
            save(vae, pool, out)
    save(vae, pool, out)
    return vae


def save(vae: AutoencoderKL, pool: np.ndarray, out: Path) -> None:
    """Measures the latents' mean and spread, writes them into the config and saves in float16."""
    with torch.no_grad():
        pixels = torch.from_numpy(pool[:128]).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        latents = vae.encode(pixels).latent_dist.mean
    vae.register_to_config(shift_factor=latents.mean().item(), scaling_factor=1 / latents.std().item())
    copy = AutoencoderKL.from_config(vae.config)
    copy.load_state_dict(vae.state_dict())
    copy.half().save_pretrained(out)


def _loss(vae: AutoencoderKL, pixels: Tensor) -> tuple[Tensor, float]:
    """Loss, and the mean absolute error in levels of 255; pixels are (n, 3, h, w) in -1..1."""
    with torch.autocast("cpu", torch.bfloat16):
        posterior = vae.encode(pixels).latent_dist
        decoded = vae.decode(posterior.sample()).sample
    decoded = decoded.float()
    error = (decoded - pixels).abs().mean()
    edges = sum(
        functional.l1_loss(decoded.diff(dim=dim), pixels.diff(dim=dim)) for dim in (2, 3)
    )
    return error + edges + KL_WEIGHT * posterior.kl().mean(), error.item() * 127.5


def _picture(rng: np.random.Generator) -> np.ndarray:
    """A picture of the world, or one in four times clutter: any colours, overlaps, outlines (128, 128, 3)."""
    scene = training_scene(rng)
    if rng.random() < 0.75:
        return np.asarray(paint(scene, SIZE_PX, rng).image)
    names = list(COLOURS)
    image = Image.new("RGB", (SIZE_PX, SIZE_PX), COLOURS[scene.ground])
    for _ in range(rng.integers(1, 5)):
        thing = Thing(str(rng.choice(names)), str(rng.choice(SHAPES)), filled=bool(rng.random() < 0.5))
        x, y, radius = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.35)
        colour = COLOURS[thing.colour] if rng.random() < 0.7 else tuple(int(v) for v in rng.integers(256, size=3))
        image.paste(colour, mask=coverage(thing, x, y, radius, SIZE_PX))
    return np.asarray(image)


def _crops(pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut-outs (n, 64, 64, 3), three of four around a point on an edge."""
    out = []
    for picture in pool[rng.integers(len(pool), size=CROPS)]:
        y, x = rng.integers(SIZE_PX, size=2)
        if rng.random() < 0.75:
            rows, columns = np.nonzero((picture[1:, 1:] != picture[:-1, :-1]).any(-1))
            if len(rows):
                i = rng.integers(len(rows))
                y, x = rows[i], columns[i]
        top, left = (int(np.clip(v - rng.integers(16, 48), 0, SIZE_PX - CROP_PX)) for v in (y, x))
        out.append(picture[top : top + CROP_PX, left : left + CROP_PX])
    return np.stack(out)
