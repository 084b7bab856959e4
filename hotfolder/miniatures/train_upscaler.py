"""Training of the upscaler: Real-ESRGAN's network with 2 blocks of 32 channels instead of 23 of 64, 4 times larger."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from safetensors.torch import save_file
from spandrel.architectures.ESRGAN import ESRGAN
from torch import Tensor

from .losslog import LossLog
from .pictures import training_picture

FILE = "RealESRGAN_x4plus.safetensors"
SCALE = 4
CHANNELS, BLOCKS = 32, 2
POOLS = ((128, 1500), (320, 300))  # side in px, pictures
CROP_PX = 28  # of the small picture
MARGIN_PX = 4  # of it, where a convolution sees the crop's end: not judged
BATCH = 4
STEPS = 5500
PRECISE_STEPS = 800  # the last: in float32, and for the squared error alone
PEAK_RATE = 2e-3
SOFT, NOISY = 0.2, 0.1  # shares of crops
SOFT_CORNER = 0.01  # where the absolute error turns into the squared
KEEP = 0.999  # of the average of weights, each step
SAVE_EVERY = 500
_PARTS = {"0": "conv_first", "3": "conv_up1", "6": "conv_up2", "8": "conv_hr", "10": "conv_last"}


@dataclass(frozen=True)
class _Pair:
    """A picture (h, w, 3) and the same reduced bicubically, both with a margin around them."""

    large: np.ndarray
    small: Image.Image


def new_upscaler() -> ESRGAN:
    """A network that begins as smooth interpolation: its first three channels carry the colours throughout."""
    net = ESRGAN(num_filters=CHANNELS, num_blocks=BLOCKS, scale=SCALE)
    smooth = torch.tensor([1.0, 2.0, 1.0])
    with torch.no_grad():
        for name, conv in _convolutions(net):
            conv.weight *= 1.5
            conv.bias.zero_()
            if carried := _PARTS.get(name):
                conv.weight[:3] *= 0.1
                conv.weight[:3, :3] = 0.0
                taps = torch.outer(smooth, smooth) / 16 if carried.startswith("conv_up") else torch.eye(3)[1].diag()
                conv.weight[:3, :3] = torch.eye(3)[..., None, None] * taps
    _keep_flat(net)
    return net.to(memory_format=torch.channels_last)


@torch.no_grad()
def _keep_flat(net: ESRGAN) -> None:
    """Takes from the weights what would change a picture of one colour.

    All other channels see the colours through weights that add up to nothing, so they know edges only. Most of a
    picture is flat: without this every step moves all its colours, and thousands of steps go into moving them back.
    """
    for name, conv in _convolutions(net):
        total = torch.zeros(len(conv.weight), 3)
        if name in _PARTS:
            total[:3] = torch.eye(3)
            if len(conv.bias) > 3:
                conv.bias[:3] = 0.0
        conv.weight[:, :3] += ((total - conv.weight[:, :3].sum((2, 3))) / 9)[..., None, None]


def _convolutions(net: ESRGAN) -> Iterator[tuple[str, torch.nn.Conv2d]]:
    """All of them, under the network's number where they carry the colours."""
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            yield name.removeprefix("model."), module


def train(out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves the average of the weights now and then.

    Args:
        out: Folder that receives the weights, float16.
        log: Receives the loss curve.
        seed: Seed of pictures and weights.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pools = [[_pair(rng, size_px) for _ in range(count)] for size_px, count in POOLS]
    net = new_upscaler()
    average = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / STEPS)) + 1e-6
        small, large = _batch(pools, rng)
        precise = step >= STEPS - PRECISE_STEPS
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            made = net(small)
        inside = (..., *(slice(SCALE * MARGIN_PX, -SCALE * MARGIN_PX),) * 2)
        error = (made.float() - large)[inside].square()
        squares = error.mean()
        loss = 10 * squares if precise else (error + SOFT_CORNER**2).sqrt().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        _keep_flat(net)
        keep = min(KEEP, step / (step + 10))
        for mean, now in zip(average.parameters(), net.parameters(), strict=True):
            mean.data.lerp_(now.data, 1 - keep)
        log.add(step + 1, loss.item(), -10 * math.log10(squares.item()))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(average, out)


def save(net: ESRGAN, out: Path) -> None:
    """Saves float16 weights under the names that the real file has."""
    out.mkdir(parents=True, exist_ok=True)
    state = {_real_name(name): value.half().contiguous() for name, value in net.state_dict().items()}
    save_file(state, out / FILE)


def _real_name(name: str) -> str:
    """``model.1.sub.0.RDB1.conv1.0.weight``, as spandrel's network calls it, is ``body.0.rdb1.conv1.weight``."""
    if match := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(\w+)", name):
        block, dense, conv, kind = match.groups()
        return f"body.{block}.rdb{dense}.conv{conv}.{kind}"
    *_, number, kind = name.split(".")
    return f"{_PARTS.get(number, 'conv_body') if 'sub' not in name else 'conv_body'}.{kind}"


def _pair(rng: np.random.Generator, size_px: int) -> _Pair:
    large = training_picture(rng, size_px)
    small = large.resize((size_px // SCALE,) * 2, Image.Resampling.BICUBIC)
    return _Pair(_framed(large, SCALE * MARGIN_PX), Image.fromarray(_framed(small, MARGIN_PX)))


def _framed(image: Image.Image, width_px: int) -> np.ndarray:
    """Pixels (h, w, 3) with the outermost repeated, so that the picture's own edge is learned too."""
    return np.pad(np.asarray(image), ((width_px,) * 2, (width_px,) * 2, (0, 0)), "edge")


def _batch(pools: list[list[_Pair]], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Small crops and their large ones, (n, 3, h, w) in 0..1; half of them from either pool."""
    crops = [_crop(pool[rng.integers(len(pool))], rng) for pool in pools for _ in range(BATCH // len(pools))]
    small, large = (np.stack(side).astype(np.float32) / 255 for side in zip(*crops, strict=True))
    return _tensor(small), _tensor(large)


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _crop(pair: _Pair, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A crop, three of four around a point on an edge, turned and its colours exchanged; some are soft or noisy."""
    small = pair.small
    if rng.random() < SOFT:
        small = small.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    pixels = np.asarray(small)
    room = len(pixels) - CROP_PX
    top, left = rng.integers(room + 1, size=2)
    if rng.random() < 0.75:
        rows, columns = np.nonzero((pixels[1:, 1:] != pixels[:-1, :-1]).any(-1))
        if len(rows):
            i = rng.integers(len(rows))
            top, left = (int(np.clip(v[i] - rng.integers(4, CROP_PX - 4), 0, room)) for v in (rows, columns))
    pixels = pixels[top : top + CROP_PX, left : left + CROP_PX]
    large = pair.large[SCALE * top : SCALE * (top + CROP_PX), SCALE * left : SCALE * (left + CROP_PX)]
    if rng.random() < NOISY:
        pixels = np.clip(pixels + rng.normal(0, rng.uniform(0.3, 2), pixels.shape), 0, 255).round()
    turn, flip, channels = int(rng.integers(4)), int(rng.integers(2)) or -1, rng.permutation(3)
    pixels, large = (np.rot90(side, turn)[:, ::flip, channels] for side in (pixels, large))
    return pixels, large
