"""Training of the generator: the FLUX transformer, by flow matching on painted pictures; its encoders are finished."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
)
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

from .losslog import LossLog
from .split import training_scene
from .text import MAX_TOKENS, WIDTH
from .world import STROKE, paint

SIZE_PX = 128
GRID = SIZE_PX // 16  # tokens per side: the autoencoder's 8 times packing 2 x 2
STEPS = 4000
BATCH = 48
PICTURES = 8000  # with one object, and as many with two
PAIRS = 0.5  # share of two objects
MATRIX_RATE = 0.02  # Muon, for the transformer's matrices
OTHER_RATE = 1.5e-3  # AdamW, for embeddings, biases and norms
EMA = 0.998
THING_WEIGHT = 4.0  # of the tokens an object touches; leaves the optimum where it is and gets the shapes sooner
FOUR_STEPS = (1.0, 0.75, 0.5, 0.25)
FOUR_STEPS_ODDS = (0.35, 0.2, 0.15, 0.1)  # the rest is uniform, so that other step counts work
SHORT, SHORT_ODDS = 16, 0.8  # tokens; the rest of the batches has the padding that is used later
SAVE_EVERY = 200


@dataclass(frozen=True)
class Paintings:
    """Encoded pictures and their descriptions.

    Attributes:
        latents: Packed and normalised latents, (n, 64 tokens, 64 values), float16.
        weights: Loss weight of each token, (n, 64).
        clip_ids: (n, 20) token ids, padded.
        t5_ids: (n, 32) token ids, padded.
    """

    latents: Tensor
    weights: Tensor
    clip_ids: Tensor
    t5_ids: Tensor


class Encoders:
    """The finished parts that lie in the folder of a pipeline: autoencoder, and text encoders with their tokenizers."""

    def __init__(self, folder: Path) -> None:
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", local_files_only=True).float()
        self.clip = CLIPTextModel.from_pretrained(folder / "text_encoder", local_files_only=True).float()
        self.t5 = T5EncoderModel.from_pretrained(folder / "text_encoder_2", local_files_only=True).float()
        self.clip_tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        self.t5_tokenizer = T5Tokenizer.from_pretrained(folder / "tokenizer_2", local_files_only=True)

    def tokens(self, pixels: np.ndarray) -> Tensor:
        """Pictures (n, h, w, 3), uint8 or 0..255, as packed and normalised latents (n, h w / 256, 64), float16."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1)
            mean = self.vae.encode(scaled).latent_dist.mean
        return pack((mean.float() - self.vae.config.shift_factor) * self.vae.config.scaling_factor).half()

    def ids(self, prompts: list[str]) -> tuple[Tensor, Tensor]:
        """Texts as CLIP's (n, 20) and T5's (n, 32) token ids, padded."""
        clip = self.clip_tokenizer(prompts, padding="max_length", max_length=20, return_tensors="pt").input_ids
        t5 = self.t5_tokenizer(prompts, padding="max_length", max_length=MAX_TOKENS, return_tensors="pt").input_ids
        return clip, t5

    def read(self, clip_ids: Tensor, t5_ids: Tensor) -> tuple[Tensor, Tensor]:
        """CLIP's pooled vectors (n, 128) and T5's words (n, length, 128)."""
        with torch.no_grad():
            return self.clip(clip_ids).pooler_output, self.t5(t5_ids).last_hidden_state


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


def grown_transformer(generator: Path, **changes: int) -> FluxTransformer2DModel:
    """The finished generator's transformer, told a guidance too and with what ``changes`` says otherwise of its
    configuration; what is new, a wider input among it, does nothing yet."""
    folder = generator / "transformer"
    known = FluxTransformer2DModel.from_pretrained(folder, local_files_only=True).float()
    transformer = FluxTransformer2DModel.from_config({**known.config, **changes, "guidance_embeds": True})
    weights = known.state_dict()
    entrance = torch.zeros_like(transformer.x_embedder.weight)
    entrance[:, : known.config.in_channels] = weights["x_embedder.weight"]
    transformer.load_state_dict(weights | {"x_embedder.weight": entrance}, strict=False)
    last = transformer.time_text_embed.guidance_embedder.linear_2
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return transformer


def train(out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves a whole pipeline now and then.

    Args:
        out: Folder that has the finished encoders and receives the pipeline, float16.
        log: Receives the loss curve.
        seed: Seed of pictures, weights and noise.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoders = Encoders(out)
    transformer = new_transformer()
    data = encode_paintings(encoders, PICTURES, rng)
    fit(
        transformer,
        STEPS,
        lambda: flow_loss(transformer, encoders, data, rng),
        lambda average: save(FluxPipeline, average, encoders, out),
        log,
    )


def fit(
    transformer: FluxTransformer2DModel,
    steps: int,
    next_loss: Callable[[], Tensor],
    keep: Callable[[FluxTransformer2DModel], None],
    log: LossLog,
    rate: float = 1.0,
) -> None:
    """Trains, and hands the average of the weights to ``keep`` now and then.

    Args:
        transformer: What is trained.
        steps: How often.
        next_loss: Makes the loss of the next batch.
        keep: Saves what it is given.
        log: Receives the loss curve.
        rate: Factor on the learning rates; below 1 where the weights are already good.
    """
    average = copy.deepcopy(transformer).requires_grad_(False)
    optimizers = _optimizers(transformer)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    peaks = [rate * group["lr"] for group in groups]
    for step in range(steps):
        for group, peak in zip(groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 100) * _decay(step / steps)
        loss = next_loss()
        loss.backward()
        nn.utils.clip_grad_norm_(transformer.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        share = min(EMA, (step + 1) / (step + 10))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), transformer.parameters(), strict=True):
                slow.lerp_(fast, 1 - share)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            keep(average)
        log.add(step + 1, loss.item())


def encode_paintings(
    encoders: Encoders, count: int, rng: np.random.Generator, stroke: float | None = None
) -> Paintings:
    """Paints, encodes and tokenises training pictures: first count with one object, then count with two.

    Args:
        encoders: The pipeline's finished parts.
        count: Pictures of each of the two sorts.
        rng: Source of chance.
        stroke: Width of the outlines that objects are painted as, of which the descriptions say nothing; None for
            shapes.
    """
    latents, weights, prompts = [], [], []
    for begin in range(0, 2 * count, 40):
        scenes = [training_scene(rng, begin >= count) for _ in range(40)]
        prompts += [scene.describe() for scene in scenes]
        if stroke:
            scenes = [replace(s, things=tuple(replace(t, filled=False) for t in s.things)) for s in scenes]
        # Thin lines that may lie a little here or there average to nothing; where they lie still is easy to learn.
        paintings = [paint(scene, SIZE_PX, None if stroke else rng, stroke or STROKE) for scene in scenes]
        latents.append(encoders.tokens(np.stack([np.asarray(p.image) for p in paintings])))
        masks = torch.from_numpy(np.stack([np.maximum.reduce([np.asarray(m) for m in p.masks]) for p in paintings]))
        # An object matters a little beyond its edge too: the latents there carry the edge.
        near = nn.functional.max_pool2d(masks[:, None].float(), 24, 16, 4)[:, 0].flatten(1)
        weights.append(1 + (THING_WEIGHT - 1) * (near > 0).float())
    return Paintings(torch.cat(latents), torch.cat(weights), *encoders.ids(prompts))


def save(pipeline: type[DiffusionPipeline], transformer: FluxTransformer2DModel, encoders: Encoders, out: Path) -> None:
    """Writes the pipeline in the layout of the real model, float16, ready for four steps without guidance."""
    pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False),
        vae=copy.deepcopy(encoders.vae).half(),
        text_encoder=copy.deepcopy(encoders.clip).half(),
        tokenizer=encoders.clip_tokenizer,
        text_encoder_2=copy.deepcopy(encoders.t5).half(),
        tokenizer_2=encoders.t5_tokenizer,
        transformer=copy.deepcopy(transformer).half(),
    ).save_pretrained(out)
    for config in out.glob("*/config.json"):  # where the parts came from on this machine is nobody's business
        values = json.loads(config.read_text())
        values.pop("_name_or_path", None)
        config.write_text(json.dumps(values, indent=2) + "\n")


def flow_loss(
    transformer: nn.Module, encoders: Encoders, data: Paintings, rng: np.random.Generator, pairs: float = PAIRS
) -> Tensor:
    """Flow matching loss of a batch in which a share of pairs has two objects."""
    count = len(data.latents) // 2
    rows = torch.from_numpy(rng.integers(count, size=BATCH) + count * (rng.random(BATCH) < pairs))
    length, sigma = text_length(rng), noise_levels(rng, BATCH)
    clean = data.latents[rows].float()
    noise = torch.randn(clean.shape)
    noisy = torch.lerp(clean, noise, sigma[:, None, None])
    pooled, words = encoders.read(data.clip_ids[rows], data.t5_ids[rows, :length])
    # Fused attention spends a third of the step in its backward pass on sequences as short as these.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        velocity = transformer(
            hidden_states=noisy,
            timestep=sigma,
            pooled_projections=pooled,
            encoder_hidden_states=words,
            txt_ids=torch.zeros(length, 3),
            img_ids=positions(GRID, GRID),
            return_dict=False,
        )[0]
    weights = data.weights[rows]
    errors = (velocity.float() - (noise - clean)).square().mean(-1)
    return (errors * weights).sum() / weights.sum()


def _optimizers(transformer: FluxTransformer2DModel) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for all else."""
    blocks = [transformer.transformer_blocks, transformer.single_transformer_blocks]
    matrices = [p for block in blocks for p in block.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in transformer.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.0, adjust_lr_fn="original"),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _decay(done: float) -> float:
    """Full rate for half of the time, then down a cosine to a hundredth."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * max(0.0, 2 * done - 1)))


def text_length(rng: np.random.Generator) -> int:
    """How many tokens of T5 a batch has: few, mostly, for all descriptions are short."""
    return SHORT if rng.random() < SHORT_ODDS else MAX_TOKENS


def noise_levels(rng: np.random.Generator, count: int) -> Tensor:
    """Shares of noise 0..1, (count,): often those of four steps, else any."""
    odds = (*FOUR_STEPS_ODDS, 1 - sum(FOUR_STEPS_ODDS))
    return torch.tensor(
        [(*FOUR_STEPS, rng.random())[i] for i in rng.choice(len(odds), size=count, p=odds)], dtype=torch.float32
    )


def positions(rows: int, columns: int, picture: int = 0) -> Tensor:
    """Which picture, row and column every token belongs to, (rows columns, 3), as FluxPipeline makes them."""
    ids = torch.zeros(rows, columns, 3)
    ids[..., 0] = picture
    ids[..., 1] += torch.arange(rows)[:, None]
    ids[..., 2] += torch.arange(columns)[None, :]
    return ids.reshape(-1, 3)


def pack(latents: Tensor) -> Tensor:
    """(n, c, h, w) latents to (n, h w / 4, 4 c) tokens, 2 x 2 latents each, as FluxPipeline packs them."""
    n, channels, height, width = latents.shape
    blocks = latents.view(n, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return blocks.reshape(n, height * width // 4, channels * 4)
