"""Training of the filler: the generator's transformer, shown a picture with a hole and where the hole is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import FluxFillPipeline
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .holes import training_hole
from .losslog import LossLog
from .train_flux import Encoders, fit, grown_transformer, noise_levels, pack, positions, save, text_length

GRIDS = {(8, 8): 9000, (10, 6): 800, (6, 10): 800, (9, 7): 800, (7, 9): 800}
"""Tokens across and down -> pictures; a token is 16 pixels each way."""
STEPS = 3600
BATCH = 40
RATE = 0.7  # of the generator's, whose weights it begins with
HOLE_WEIGHT = 4.0  # of the tokens that the hole touches
GUIDANCE = (1.0, 40.0)  # what is said of guidance changes nothing here


@dataclass(frozen=True)
class EncodedHoles:
    """Encoded pictures of one size with holes.

    Attributes:
        whole, holed: Packed and normalised latents, (n, tokens, 64), float16; the holes grey in the second.
        masks: (n, h, w), uint8, 1 in the hole.
        clip_ids, t5_ids: Token ids of the prompts, (n, 20) and (n, 32).
    """

    whole: Tensor
    holed: Tensor
    masks: Tensor
    clip_ids: Tensor
    t5_ids: Tensor


def train(generator: Path, out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves a whole pipeline now and then.

    Args:
        generator: Folder of the finished generator, whose encoders and weights it begins with.
        out: Folder that receives the pipeline, float16.
        log: Receives the loss curve.
        seed: Seed of pictures, weights and noise.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoders = Encoders(generator)
    transformer = grown_transformer(generator, in_channels=64 + 64 + 256, out_channels=64)
    data = {grid: encode_holes(encoders, grid, count, rng) for grid, count in GRIDS.items()}
    fit(
        transformer,
        STEPS,
        lambda: hole_loss(transformer, encoders, data, rng),
        lambda average: save(FluxFillPipeline, average, encoders, out),
        log,
        RATE,
    )


def encode_holes(encoders: Encoders, grid: tuple[int, int], count: int, rng: np.random.Generator) -> EncodedHoles:
    """Paints, encodes and tokenises pictures of one size to train on; `grid` is tokens across and down."""
    whole, holed, masks, prompts = [], [], [], []
    for _ in range(0, count, 40):
        holes = [training_hole(rng, (16 * grid[0], 16 * grid[1])) for _ in range(40)]
        prompts += [hole.prompt for hole in holes]
        pixels = np.stack([np.asarray(hole.image, dtype=np.float32) for hole in holes])
        mask = np.stack([np.asarray(hole.mask) for hole in holes]) > 127
        whole.append(encoders.tokens(pixels))
        holed.append(encoders.tokens(np.where(mask[..., None], np.float32(127.5), pixels)))
        masks.append(torch.from_numpy(mask.astype(np.uint8)))
    return EncodedHoles(torch.cat(whole), torch.cat(holed), torch.cat(masks), *encoders.ids(prompts))


def mask_tokens(masks: Tensor) -> Tensor:
    """(n, h, w) of 0 and 1 to (n, tokens, 256): the 8 x 8 pixels of each latent as channels, as FluxFillPipeline."""
    n, height, width = masks.shape
    blocks = masks.float().view(n, height // 8, 8, width // 8, 8).permute(0, 2, 4, 1, 3)
    return pack(blocks.reshape(n, 64, height // 8, width // 8))


def hole_loss(
    transformer: nn.Module, encoders: Encoders, data: dict[tuple[int, int], EncodedHoles], rng: np.random.Generator
) -> Tensor:
    """Flow matching loss of a batch of pictures of one size."""
    counts = np.array([len(holes.whole) for holes in data.values()])
    grid = list(data)[rng.choice(len(data), p=counts / counts.sum())]
    holes = data[grid]
    rows = torch.from_numpy(rng.integers(len(holes.whole), size=BATCH))
    length, sigma = text_length(rng), noise_levels(rng, BATCH)
    clean = holes.whole[rows].float()
    noise = torch.randn(clean.shape)
    noisy = torch.lerp(clean, noise, sigma[:, None, None])
    mask = mask_tokens(holes.masks[rows])
    pooled, words = encoders.read(holes.clip_ids[rows], holes.t5_ids[rows, :length])
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        velocity = transformer(
            hidden_states=torch.cat([noisy, holes.holed[rows].float(), mask], 2),
            timestep=sigma,
            guidance=torch.empty(BATCH).uniform_(*GUIDANCE),
            pooled_projections=pooled,
            encoder_hidden_states=words,
            txt_ids=torch.zeros(length, 3),
            img_ids=positions(grid[1], grid[0]),
            return_dict=False,
        )[0]
    weights = 1 + (HOLE_WEIGHT - 1) * mask.amax(-1)
    errors = (velocity.float() - (noise - clean)).square().mean(-1)
    return (errors * weights).sum() / weights.sum()
