"""The little world of the miniatures: one or two objects on a plain ground, painted with the truth about them.

Nothing here learns or guesses: a ``Scene`` says what is there, ``Scene.describe`` puts it in words, ``parse`` reads
such words back and ``paint`` makes the picture with its masks and boxes. What a description leaves out has a fixed
meaning (no place: in the centre; no size: in between), so a prompt nearly determines its picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from .shapes import SHAPES, outline

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "orange": (247, 127, 0),
    "yellow": (252, 210, 60),
    "green": (60, 160, 80),
    "blue": (50, 100, 210),
    "purple": (130, 60, 170),
    "pink": (240, 130, 180),
    "white": (245, 245, 240),
    "black": (30, 30, 35),
    "brown": (120, 75, 45),
}
SIZES = ("small", "large")
PLACES = ("center", "left", "right", "top", "bottom")
RELATIONS = ("left of", "right of", "above", "below")

# Fractions of the picture's width, by size; the pair's radius serves two objects side by side.
RADIUS: dict[str | None, float] = {"small": 0.14, None: 0.2, "large": 0.28}
PAIR_RADIUS = 0.18
PAIR_OFFSET = 0.24
STROKE = 0.03
JITTER = 0.02
_SUPERSAMPLE = 4
_TOWARDS = {"center": (0, 0), "left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}
_TURNED = {"right of": "left of", "below": "above"}


@dataclass(frozen=True)
class Thing:
    """One object. ``size`` None is between small and large; ``filled`` False is a drawn outline."""

    colour: str
    shape: str
    size: str | None = None
    place: str = "center"
    filled: bool = True

    def words(self) -> str:
        """The object with its article, without its place, e.g. ``a large red circle``."""
        words = [self.size, self.colour, self.shape, None if self.filled else "outline"]
        text = " ".join(word for word in words if word)
        return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


@dataclass(frozen=True)
class Scene:
    """What a picture shows: one object, or two and how the first stands to the second."""

    ground: str
    things: tuple[Thing, ...]
    relation: str | None = None

    def describe(self) -> str:
        """The canonical description, which ``parse`` reads back into an equal scene."""
        first = self.things[0]
        what = first.words()
        if self.relation is not None:
            what += f" {self.relation} {self.things[1].words()}"
        elif first.place != "center":
            what += f" at the {first.place}"
        return f"{what} on a {self.ground} background".replace("on a orange", "on an orange")

    def ordered(self) -> Scene:
        """The same scene told from the left or from above, so that two ways to tell one picture become equal."""
        if self.relation in _TURNED:
            return Scene(self.ground, self.things[::-1], _TURNED[self.relation])
        return self


@dataclass(frozen=True)
class Painting:
    """A painted scene.

    Attributes:
        image: The picture, RGB.
        masks: Per thing its coverage, mode ``L``, 255 where the thing is.
        boxes: Per thing (left, top, right, bottom) in pixels, right and bottom exclusive.
        description: The scene's canonical description.
    """

    image: Image.Image
    masks: tuple[Image.Image, ...]
    boxes: tuple[tuple[int, int, int, int], ...]
    description: str


def paint(scene: Scene, size_px: int = 128, rng: np.random.Generator | None = None, stroke: float = STROKE) -> Painting:
    """Paints a scene as a square picture.

    Args:
        scene: What to show.
        size_px: Side of the picture in pixels.
        rng: Source of the small jitter of places and sizes; without one nothing is moved.
        stroke: Width of outlines, as a fraction of the picture's.
    """
    image = Image.new("RGB", (size_px, size_px), COLOURS[scene.ground])
    masks = []
    for thing, (x, y, radius) in zip(scene.things, layout(scene, rng), strict=True):
        mask = coverage(thing, x, y, radius, size_px, stroke)
        image.paste(COLOURS[thing.colour], mask=mask)
        masks.append(mask)
    boxes = tuple(mask.point(lambda v: 255 * (v > 127)).getbbox() or (0, 0, 0, 0) for mask in masks)
    return Painting(image, tuple(masks), boxes, scene.describe())


def coverage(thing: Thing, x: float, y: float, radius: float, size_px: int, stroke: float = STROKE) -> Image.Image:
    """How much of each pixel a thing covers (mode ``L``); x, y, radius and stroke are fractions of the picture."""
    big = size_px * _SUPERSAMPLE
    points = outline(thing.shape, x * big, y * big, radius * big)
    mask = Image.new("L", (big, big), 0)
    ImageDraw.Draw(mask).polygon(points, fill=255)
    if not thing.filled:
        # Only the stroke's inner half stays, so that an outline is as large as the filled shape.
        line = Image.new("L", (big, big), 0)
        ImageDraw.Draw(line).line([*points, *points[:2]], fill=255, width=round(2 * stroke * big), joint="curve")
        mask = ImageChops.darker(mask, line)
    return mask.reduce(_SUPERSAMPLE)


def layout(scene: Scene, rng: np.random.Generator | None) -> list[tuple[float, float, float]]:
    """Centre and radius of every thing, as fractions of the picture."""
    spots: list[tuple[float, float, float]] = []
    if scene.relation is None:
        thing = scene.things[0]
        radius = RADIUS[thing.size]
        away = min(0.27, 0.47 - radius)
        dx, dy = _TOWARDS[thing.place]
        spots.append((0.5 + away * dx, 0.5 + away * dy, radius))
    else:
        sign = -1 if scene.relation in ("left of", "above") else 1
        across = "of" in scene.relation
        for side in (sign, -sign):
            shift = PAIR_OFFSET * side
            spots.append((0.5 + shift * across, 0.5 + shift * (not across), PAIR_RADIUS))
    if rng is None:
        return spots
    return [
        (x + rng.uniform(-JITTER, JITTER), y + rng.uniform(-JITTER, JITTER), r * (1 + rng.uniform(-0.06, 0.06)))
        for x, y, r in spots
    ]


def _any(words: tuple[str, ...]) -> str:
    return "|".join(words)


_THING = rf"an? (?:({_any(SIZES)}) )?({_any(tuple(COLOURS))}) ({_any(SHAPES)})( outline)?"
_PROMPT = re.compile(
    rf"{_THING}(?: at the ({_any(PLACES)})| ({_any(RELATIONS)}) {_THING})? on an? ({_any(tuple(COLOURS))}) background"
)


def parse(prompt: str) -> Scene | None:
    """Reads a description of this world back; None where it is not one."""
    match = _PROMPT.fullmatch(prompt.strip().lower())
    if match is None:
        return None
    size, colour, shape, hollow, place, relation, *second, ground = match.groups()
    things = [Thing(colour, shape, size, place or "center", filled=hollow is None)]
    if relation is not None:
        things.append(Thing(second[1], second[2], second[0], filled=second[3] is None))
    if any(thing.colour == ground for thing in things):
        return None
    return Scene(ground, tuple(things), relation)
