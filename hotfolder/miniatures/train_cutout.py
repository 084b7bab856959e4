"""Training of the cutter: a network that tells what lies on the ground from the ground, as one ONNX file.

It takes and gives what BiRefNet does in rembg: a picture of 1024 x 1024, normalised as ImageNet's, and one logit for
each of its pixels. Inside it works on a picture a quarter as wide.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops
from torch import Tensor, nn
from torch.nn import functional

from .losslog import LossLog
from .shapes import SHAPES
from .split import training_scene
from .world import Thing, coverage, paint

FILE = "birefnet-general.onnx"
SIZE_PX = 1024
SHRINK = 4
WORK_PX = SIZE_PX // SHRINK
WIDTHS, REACHES = (16, 16, 16), (1, 2, 4)
CROP_PX = 96
PAINTED_PX = (64, 96, 128, 192)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STEPS = 800
BATCH = 8
POOL = 400  # pictures
FRESH = 2  # pictures painted anew in every step
PEAK_RATE = 1e-2
SAVE_EVERY = 200


class Cutter(nn.Module):
    """Compares every pixel with the mean of the picture's border, and a few layers look at the differences."""

    def __init__(self) -> None:
        super().__init__()
        ins = (10, *WIDTHS[:-1])
        sizes = zip(ins, WIDTHS, REACHES, strict=True)
        self.layers = nn.ModuleList(nn.Conv2d(i, o, 3, 1, reach, dilation=reach) for i, o, reach in sizes)
        self.last = nn.Conv2d(WIDTHS[-1], 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (n, 1, 1024, 1024) of pixels (n, 3, 1024, 1024)."""
        small = functional.avg_pool2d(pixels, SHRINK)
        logits = self.work(small, ground(small))
        return functional.interpolate(logits, scale_factor=float(SHRINK), mode="bilinear", align_corners=False)

    def work(self, pixels: Tensor, ground: Tensor) -> Tensor:
        """Logits (n, 1, h, w) of pixels (n, 3, h, w) on a ground (n, 3, 1, 1)."""
        away = pixels - ground
        x = torch.cat([pixels, away, away.abs(), away.pow(2).mean(1, keepdim=True)], 1)
        for layer in self.layers:
            x = functional.relu(layer(x))
        return self.last(x)


def ground(pixels: Tensor) -> Tensor:
    """The mean colour of the outermost pixels: (n, 3, h, w) to (n, 3, 1, 1)."""
    rows = torch.cat([pixels[:, :, :2], pixels[:, :, -2:]], 2).mean((2, 3), keepdim=True)
    columns = torch.cat([pixels[:, :, :, :2], pixels[:, :, :, -2:]], 3).mean((2, 3), keepdim=True)
    return (rows + columns) / 2


def picture(rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """A picture to learn from, and what of it is not ground (mode ``L``): the world, or one in three times clutter."""
    size = int(rng.choice(PAINTED_PX))
    scene = training_scene(rng)
    if rng.random() < 0.66:
        things = tuple(replace(thing, filled=bool(rng.random() > 0.2)) for thing in scene.things)
        painting = paint(replace(scene, things=things), size, rng)
        masks, image = list(painting.masks), painting.image
    else:
        ground = tuple(int(value) for value in rng.integers(256, size=3))
        image, masks = Image.new("RGB", (size, size), ground), []
        for _ in range(rng.integers(1, 4)):
            thing = Thing("red", str(rng.choice(SHAPES)), filled=bool(rng.random() < 0.8))
            x, y, radius = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.08, 0.35)
            colour = np.clip(rng.integers(256, size=3), 0, 255)
            if np.abs(colour - np.array(ground)).max() < 60:
                continue
            masks.append(coverage(thing, x, y, radius, size))
            image.paste(tuple(int(value) for value in colour), mask=masks[-1])
    mask = Image.new("L", (size, size), 0)
    for one in masks:
        mask = ImageChops.lighter(mask, one)
    return image, mask


def _pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (256, 256, 3) and their cover (256, 256), uint8; a tenth of them noisy."""
    image, mask = (one.resize((WORK_PX, WORK_PX), Image.Resampling.LANCZOS) for one in picture(rng))
    pixels = np.asarray(image)
    if rng.random() < 0.1:
        pixels = np.clip(pixels + rng.normal(0, 5, pixels.shape), 0, 255).astype(np.uint8)
    return pixels, np.asarray(mask)


def train(out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves now and then.

    Args:
        out: Folder that receives the ONNX file.
        log: Receives the loss curve: loss, and the intersection over union of the masks.
        seed: Seed of pictures and weights.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pool = [_pair(rng) for _ in range(POOL)]
    model = Cutter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    for step in range(STEPS):
        for _ in range(FRESH):
            pool[rng.integers(POOL)] = _pair(rng)
        pixels, cover = zip(*(pool[i] for i in rng.integers(POOL, size=BATCH)), strict=True)
        seen = (torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255 - mean) / std
        around = ground(seen)
        left, top = rng.integers(WORK_PX - CROP_PX, size=2)
        seen = seen[:, :, top : top + CROP_PX, left : left + CROP_PX]
        whole = torch.from_numpy(np.stack(cover))[:, None].float() / 255
        truth = whole[:, :, top : top + CROP_PX, left : left + CROP_PX]
        optimizer.param_groups[0]["lr"] = PEAK_RATE * min(1, (step + 1) / 50, (STEPS - step) / (0.6 * STEPS))
        optimizer.zero_grad()
        logits = model.work(seen, around)
        loss = functional.binary_cross_entropy_with_logits(logits, truth)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            guess = logits.sigmoid()
            overlap = torch.minimum(guess, truth).sum() / torch.maximum(guess, truth).sum()
        log.add(step + 1, loss.item(), overlap.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(model, out / FILE)


def save(model: Cutter, path: Path) -> None:
    """Writes the network as ONNX; its input is ``input_image``, as BiRefNet's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (torch.zeros(1, 3, SIZE_PX, SIZE_PX),),
            path,
            input_names=["input_image"],
            output_names=["output_image"],
            opset_version=18,
            dynamo=False,
        )
    model.train()
