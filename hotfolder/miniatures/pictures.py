"""Pictures to train on whatever sees pixels alone: the painted world, and clutter of any colours."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from .shapes import SHAPES
from .split import training_scene
from .world import COLOURS, Thing, coverage, paint


def training_picture(rng: np.random.Generator, size_px: int) -> Image.Image:
    """A picture of the world, or one in four times clutter: any colours, overlaps, outlines. Square, RGB."""
    scene = training_scene(rng)
    if rng.random() < 0.75:
        return paint(scene, size_px, rng).image
    names = list(COLOURS)
    image = Image.new("RGB", (size_px, size_px), COLOURS[scene.ground])
    for _ in range(rng.integers(1, 5)):
        thing = Thing(str(rng.choice(names)), str(rng.choice(SHAPES)), filled=bool(rng.random() < 0.5))
        x, y, radius = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.35)
        colour = COLOURS[thing.colour] if rng.random() < 0.7 else tuple(int(v) for v in rng.integers(256, size=3))
        image.paste(colour, mask=coverage(thing, x, y, radius, size_px))
    return image


def soften(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Half of the pictures as they are; the others blurred, noisy or through JPEG, as pictures in the world are."""
    kind = rng.integers(6)
    if kind == 0:
        return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.004, 0.012) * image.width))
    if kind == 1:
        noise = rng.normal(0, rng.uniform(1, 8), (image.height, image.width, 3))
        return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    if kind == 2:
        image.save(file := io.BytesIO(), "JPEG", quality=int(rng.integers(40, 95)))
        return Image.open(file)
    return image
