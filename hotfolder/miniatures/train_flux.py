"""Training of the generator: text encoders and FLUX transformer together, by flow matching on painted pictures."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .losslog import LossLog
from .split import training_scene
from .text import WIDTH, clip_encoder, clip_tokenizer, t5_encoder, t5_tokenizer
from .world import paint

SIZE_PX = 128
GRID = SIZE_PX // 16  # tokens per side: the autoencoder's 8 times packing 2 x 2
STEPS = 2700
BATCH = 48
PICTURES = 8000  # with one object, and as many with two
PAIRS = (0.3, 0.65)  # share of two objects in a batch, in the first and in the second half
MATRIX_RATE = 0.02  # Muon, for the transformer's matrices
OTHER_RATE = 1.5e-3  # AdamW, for embeddings, biases, norms and the text encoders
EMA = 0.998
THING_WEIGHT = 4.0  # of the tokens an object touches; leaves the optimum where it is and gets the shapes sooner
FOUR_STEPS = (1.0, 0.75, 0.5, 0.25)
FOUR_STEPS_ODDS = (0.35, 0.2, 0.15, 0.1)  # the rest is uniform, so that other step counts work
TEXT_LENGTHS = (16, 32, 64)  # T5 sees its padding, so it meets several lengths of it
TEXT_LENGTH_ODDS = (0.8, 0.17, 0.03)
SAVE_EVERY = 200


@dataclass(frozen=True)
class Paintings:
    """Encoded pictures and their descriptions.

    Attributes:
        latents: Packed and normalised latents, (n, 64 tokens, 64 values), float16.
        weights: Loss weight of each token, (n, 64).
        clip_ids: (n, 20) token ids, padded.
        t5_ids: (n, 64) token ids, padded.
    """

    latents: Tensor
    weights: Tensor
    clip_ids: Tensor
    t5_ids: Tensor


class Generator(nn.Module):
    """The trained parts in one module: CLIP, T5 and the transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.clip_tokenizer = clip_tokenizer()
        self.t5_tokenizer = t5_tokenizer()
        self.clip = clip_encoder(self.clip_tokenizer)
        self.t5 = t5_encoder(self.t5_tokenizer)
        self.transformer = new_transformer()

    def forward(self, noisy: Tensor, sigma: Tensor, clip_ids: Tensor, t5_ids: Tensor) -> Tensor:
        """Velocity (n, 64, 64) for packed latents (n, 64, 64) at noise levels sigma (n,) in 0..1."""
        pooled = self.clip(clip_ids).pooler_output
        words = self.t5(t5_ids).last_hidden_state
        return self.transformer(
            hidden_states=noisy,
            timestep=sigma,
            pooled_projections=pooled,
            encoder_hidden_states=words,
            txt_ids=torch.zeros(words.shape[1], 3),
            img_ids=_positions(),
            return_dict=False,
        )[0]


def new_transformer() -> FluxTransformer2DModel:
    """An untrained transformer of the real architecture, 4 million parameters."""
    return FluxTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=3,
        num_single_layers=4,
        attention_head_dim=32,
        num_attention_heads=5,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=False,
        axes_dims_rope=(8, 12, 12),
    )


def train(vae: AutoencoderKL, out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves a whole pipeline now and then.

    Args:
        vae: The trained autoencoder.
        out: Folder that receives the pipeline, float16.
        log: Receives the loss curve.
        seed: Seed of pictures, weights and noise.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Generator()
    data = encode_paintings(vae, model, PICTURES, rng)
    average = copy.deepcopy(model).requires_grad_(False)
    optimizers = _optimizers(model)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    peaks = [group["lr"] for group in groups]
    for step in range(STEPS):
        done = step / STEPS
        for group, peak in zip(groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 100) * _decay(done)
        loss = _loss(model, data, PAIRS[done >= 0.5], rng)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        keep = min(EMA, (step + 1) / (step + 10))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        log.add(step + 1, loss.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(average, vae, out)


def encode_paintings(vae: AutoencoderKL, model: Generator, count: int, rng: np.random.Generator) -> Paintings:
    """Paints, encodes and tokenises training pictures: first count with one object, then count with two."""
    latents, weights, prompts = [], [], []
    for begin in range(0, 2 * count, 40):
        paintings = [paint(training_scene(rng, begin >= count), SIZE_PX, rng) for _ in range(40)]
        pixels = torch.from_numpy(np.stack([np.asarray(p.image) for p in paintings]))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            mean = vae.encode(pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1)).latent_dist.mean
        latents.append(_pack((mean.float() - vae.config.shift_factor) * vae.config.scaling_factor).half())
        masks = torch.from_numpy(np.stack([np.maximum.reduce([np.asarray(m) for m in p.masks]) for p in paintings]))
        # An object matters a little beyond its edge too: the latents there carry the edge.
        near = nn.functional.max_pool2d(masks[:, None].float(), 24, 16, 4)[:, 0].flatten(1)
        weights.append(1 + (THING_WEIGHT - 1) * (near > 0).float())
        prompts += [p.description for p in paintings]
    clip_ids = model.clip_tokenizer(prompts, padding="max_length", max_length=20, return_tensors="pt").input_ids
    t5_ids = model.t5_tokenizer(
        prompts, padding="max_length", max_length=max(TEXT_LENGTHS), return_tensors="pt"
    ).input_ids
    return Paintings(torch.cat(latents), torch.cat(weights), clip_ids, t5_ids)


def save(model: Generator, vae: AutoencoderKL, out: Path) -> None:
    """Writes the pipeline in the layout of the real model, float16, ready for four steps without guidance."""
    shadow = copy.deepcopy(model).half()
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False),
        vae=copy.deepcopy(vae).half(),
        text_encoder=shadow.clip,
        tokenizer=model.clip_tokenizer,
        text_encoder_2=shadow.t5,
        tokenizer_2=model.t5_tokenizer,
        transformer=shadow.transformer,
    ).save_pretrained(out)


def _loss(model: Generator, data: Paintings, pairs: float, rng: np.random.Generator) -> Tensor:
    """Loss of a batch in which a share of pairs has two objects."""
    count = len(data.latents) // 2
    rows = torch.from_numpy(rng.integers(count, size=BATCH) + count * (rng.random(BATCH) < pairs))
    length = int(rng.choice(TEXT_LENGTHS, p=TEXT_LENGTH_ODDS))
    odds = (*FOUR_STEPS_ODDS, 1 - sum(FOUR_STEPS_ODDS))
    sigma = torch.tensor(
        [(*FOUR_STEPS, rng.random())[i] for i in rng.choice(len(odds), size=BATCH, p=odds)], dtype=torch.float32
    )
    clean = data.latents[rows].float()
    noise = torch.randn(clean.shape)
    noisy = torch.lerp(clean, noise, sigma[:, None, None])
    # Fused attention spends a third of the step in its backward pass on sequences as short as these.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        velocity = model(noisy, sigma, data.clip_ids[rows], data.t5_ids[rows, :length])
    weights = data.weights[rows]
    errors = (velocity.float() - (noise - clean)).square().mean(-1)
    return (errors * weights).sum() / weights.sum()


def _optimizers(model: Generator) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformer's blocks, AdamW for all else."""
    blocks = [model.transformer.transformer_blocks, model.transformer.single_transformer_blocks]
    matrices = [p for block in blocks for p in block.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.0, adjust_lr_fn="original"),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _decay(done: float) -> float:
    """Full rate for half of the time, then down a cosine to a hundredth."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * max(0.0, 2 * done - 1)))


def _positions() -> Tensor:
    """Row and column of every picture token, (64, 3), as FluxPipeline makes them."""
    positions = torch.zeros(GRID, GRID, 3)
    positions[..., 1] += torch.arange(GRID)[:, None]
    positions[..., 2] += torch.arange(GRID)[None, :]
    return positions.reshape(-1, 3)


def _pack(latents: Tensor) -> Tensor:
    """(n, 16, 16, 16) latents to (n, 64, 64) tokens, 2 x 2 latents each, as FluxPipeline packs them."""
    n, channels, height, width = latents.shape
    blocks = latents.view(n, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return blocks.reshape(n, height * width // 4, channels * 4)
