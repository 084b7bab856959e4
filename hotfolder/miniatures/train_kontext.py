"""Training of the editor: the generator's transformer, taught to look at a second picture and to change it as asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import FluxKontextPipeline
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .edits import paint_edit, training_edit
from .losslog import LossLog
from .train_flux import GRID, SIZE_PX, Encoders, fit, grown_transformer, noise_levels, positions, save, text_length

EDITS = 9000
STEPS = 1600
BATCH = 32
RATE = 0.4  # of the generator's, whose weights it begins with
CHANGED_WEIGHT = 4.0  # of the tokens that are to change
GUIDANCE = (1.0, 6.0)  # what is said of guidance changes nothing here


@dataclass(frozen=True)
class EncodedEdits:
    """Encoded changes.

    Attributes:
        before, after: Packed and normalised latents, (n, 64 tokens, 64 values), float16.
        weights: Loss weight of each token, (n, 64).
        clip_ids, t5_ids: Token ids of the instructions, (n, 20) and (n, 32).
    """

    before: Tensor
    after: Tensor
    weights: Tensor
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
    transformer = grown_transformer(generator)
    data = encode_edits(encoders, EDITS, rng)
    fit(
        transformer,
        STEPS,
        lambda: edit_loss(transformer, encoders, data, rng),
        lambda average: save(FluxKontextPipeline, average, encoders, out),
        log,
        RATE,
    )


def encode_edits(encoders: Encoders, count: int, rng: np.random.Generator) -> EncodedEdits:
    """Paints, encodes and tokenises changes to train on."""
    before: list[Tensor] = []
    after: list[Tensor] = []
    weights, instructions = [], []
    for _ in range(0, count, 40):
        edits = [training_edit(rng) for _ in range(40)]
        painted = [paint_edit(edit, SIZE_PX, int(rng.integers(2**31))) for edit in edits]
        instructions += [edit.instruction for edit in edits]
        for tokens, which in ((before, 0), (after, 1)):
            tokens.append(encoders.tokens(np.stack([np.asarray(pictures[which]) for pictures in painted])))
        masks = torch.from_numpy(np.stack([np.asarray(pictures[2]) for pictures in painted]))
        near = nn.functional.max_pool2d(masks[:, None].float(), 24, 16, 4)[:, 0].flatten(1)
        weights.append(1 + (CHANGED_WEIGHT - 1) * (near > 0).float())
    return EncodedEdits(torch.cat(before), torch.cat(after), torch.cat(weights), *encoders.ids(instructions))


def edit_loss(transformer: nn.Module, encoders: Encoders, data: EncodedEdits, rng: np.random.Generator) -> Tensor:
    """Flow matching loss of a batch: the picture before stands, without noise, behind the one that is made."""
    rows = torch.from_numpy(rng.integers(len(data.before), size=BATCH))
    length, sigma = text_length(rng), noise_levels(rng, BATCH)
    clean = data.after[rows].float()
    noise = torch.randn(clean.shape)
    noisy = torch.lerp(clean, noise, sigma[:, None, None])
    pooled, words = encoders.read(data.clip_ids[rows], data.t5_ids[rows, :length])
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        velocity = transformer(
            hidden_states=torch.cat([noisy, data.before[rows].float()], 1),
            timestep=sigma,
            guidance=torch.empty(BATCH).uniform_(*GUIDANCE),
            pooled_projections=pooled,
            encoder_hidden_states=words,
            txt_ids=torch.zeros(length, 3),
            img_ids=torch.cat([positions(GRID, GRID), positions(GRID, GRID, 1)]),
            return_dict=False,
        )[0][:, : GRID * GRID]
    weights = data.weights[rows]
    errors = (velocity.float() - (noise - clean)).square().mean(-1)
    return (errors * weights).sum() / weights.sum()
