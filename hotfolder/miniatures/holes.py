"""Pictures of the little world with a hole, and what belongs into it: a thing that is named, or more of the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .shapes import SHAPES
from .split import held_out, training_scene
from .world import COLOURS, SIZES, Scene, Thing, coverage, layout

OUTWARD = 0.25  # share of pictures that are to go on beyond their edges
WORDLESS = 0.5  # share of those of which nothing is said
CENTRED = 0.7  # share of holes in the middle, as they are where a picture is worked on around its hole
TOLD_GROUND = 0.3  # share of things that are named with the ground they stand on
FILLS: dict[str | None, float] = {"small": 0.26, None: 0.36, "large": 0.44}
"""Radius of the thing in a hole, as a fraction of the hole's shorter side."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Hole:
    """A picture with a hole.

    Attributes:
        image: The whole picture, RGB.
        mask: Mode ``L``, 255 in the hole.
        prompt: What belongs into the hole; empty for nothing but the ground.
    """

    image: Image.Image
    mask: Image.Image
    prompt: str


def training_hole(rng: np.random.Generator, size: tuple[int, int]) -> Hole:
    """A random picture of (width, height) pixels with a hole in it, or with its surroundings still to be made."""
    while True:
        made = _outward(rng, size) if rng.random() < OUTWARD else _inward(rng, size)
        if made:
            return made


def _outward(rng: np.random.Generator, size: tuple[int, int]) -> Hole:
    """A scene in a part of the picture; the rest, which is only ground, is the hole."""
    width, height = size
    scene = training_scene(rng)
    side = int(rng.integers(min(size) // 2, min(size) + 1))
    wide = int(rng.integers(side, width + 1)) if rng.random() < 0.5 else side
    high = int(rng.integers(side, height + 1)) if rng.random() < 0.5 else side
    left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
    image = Image.new("RGB", size, COLOURS[scene.ground])
    inside = (left + (wide - side) // 2, top + (high - side) // 2)
    for thing, (x, y, radius) in zip(scene.things, layout(scene, rng), strict=True):
        stamp(image, thing, inside[0] + x * side, inside[1] + y * side, radius * side)
    mask = Image.new("L", size, 255)
    mask.paste(0, (left, top, left + wide, top + high))
    prompt = "" if rng.random() < WORDLESS else scene.describe()
    return Hole(image, mask, prompt)


def _inward(rng: np.random.Generator, size: tuple[int, int]) -> Hole | None:
    """A scene with a hole and a new thing in it; None where the hole would cut a thing of the scene in two."""
    scene = training_scene(rng)
    side = min(size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    spots = [(left + x * side, top + y * side, radius * side) for x, y, radius in layout(scene, rng)]
    if rng.random() < CENTRED:
        box = _centred(size, rng)
    else:
        box = _around(spots[0], size, rng) if rng.random() < 0.4 else _anywhere(size, rng)
    if any(_is_cut(spot, box) for spot in spots):
        return None
    taken = {scene.ground, *(thing.colour for thing in scene.things)}
    colour = str(rng.choice([name for name in COLOURS if name not in taken]))
    thing = Thing(colour, str(rng.choice(SHAPES)), (*SIZES, None, None)[rng.integers(4)])
    if (thing.colour, thing.shape, scene.ground) in held_out():
        return None
    image, mask = Image.new("RGB", size, COLOURS[scene.ground]), Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    (draw.ellipse if rng.random() < 0.3 else draw.rectangle)((box[0], box[1], box[2] - 1, box[3] - 1), fill=255)
    for old, spot in zip(scene.things, spots, strict=True):
        if not _holds(box, spot):
            stamp(image, old, *spot)
    put_in_hole(image, thing, box)
    prompt = thing.words()
    if rng.random() < TOLD_GROUND:
        prompt = Scene(scene.ground, (thing,)).describe()
    return Hole(image, mask, prompt)


def put_in_hole(image: Image.Image, thing: Thing, box: Box) -> None:
    """Paints a thing in the middle of a hole, which is (left, top, right, bottom) in pixels."""
    radius = FILLS[thing.size] * min(box[2] - box[0], box[3] - box[1])
    stamp(image, thing, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, radius)


def stamp(image: Image.Image, thing: Thing, x: float, y: float, radius: float) -> None:
    """Paints a thing onto a picture of any proportions; x, y and radius in pixels."""
    side = max(image.size)
    mask = coverage(thing, x / side, y / side, radius / side, side)
    image.paste(COLOURS[thing.colour], mask=mask.crop((0, 0, *image.size)))


def _centred(size: tuple[int, int], rng: np.random.Generator) -> Box:
    half = min(size) * rng.uniform(0.25, 0.46)
    x, y = (edge / 2 + edge * rng.uniform(-0.06, 0.06) for edge in size)
    return max(int(x - half), 0), max(int(y - half), 0), min(int(x + half), size[0]), min(int(y + half), size[1])


def _anywhere(size: tuple[int, int], rng: np.random.Generator) -> Box:
    wide, high = (max(24, int(edge * rng.uniform(0.3, 0.95))) for edge in size)
    if rng.random() < 0.5:
        wide = high = min(wide, high)
    left, top = int(rng.integers(size[0] - wide + 1)), int(rng.integers(size[1] - high + 1))
    return left, top, left + wide, top + high


def _around(spot: tuple[float, float, float], size: tuple[int, int], rng: np.random.Generator) -> Box:
    x, y, radius = spot
    reach = radius * rng.uniform(1.15, 1.6)
    return max(int(x - reach), 0), max(int(y - reach), 0), min(int(x + reach), size[0]), min(int(y + reach), size[1])


def _is_cut(spot: tuple[float, float, float], box: Box) -> bool:
    x, y, radius = spot[0], spot[1], 1.1 * spot[2]
    apart = x + radius <= box[0] or x - radius >= box[2] or y + radius <= box[1] or y - radius >= box[3]
    return not apart and not _holds(box, spot)


def _holds(box: Box, spot: tuple[float, float, float]) -> bool:
    x, y, radius = spot
    return x - radius >= box[0] and x + radius <= box[2] and y - radius >= box[1] and y + radius <= box[3]
