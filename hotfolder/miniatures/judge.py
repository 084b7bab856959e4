"""Looks at a picture's pixels, and at nothing else, and says what of the little world it shows.

The ground is the commonest palette colour along the border. What differs from it falls into connected patches; each
patch of some size is an object. Its shape is the painted template its silhouette overlaps best once both are moved
to the same centre and grown to the same area.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .shapes import SHAPES
from .world import COLOURS, Scene, Thing, coverage

Array = NDArray[Any]

_SIDE_PX = 128  # every picture is judged at this size
_DIFFERENT = 45.0  # distance in RGB levels from which a pixel is not ground; the closest two colours are 101 apart
_MIN_AREA = 0.006  # of the picture; a small star has 0.02
_MIN_OVERLAP = 0.8  # below this a silhouette is none of the shapes
_OFF_CENTRE = 0.095  # of the picture's width: half of the shortest way to a place
_SMALL, _LARGE = 0.168, 0.236  # radii between the three sizes
_GRID = 40
_REACH = 1.1  # half-width of the compared window in square roots of the area


@dataclass(frozen=True)
class Seen:
    """One object as seen.

    Attributes:
        colour: The nearest palette colour of its inside.
        shape: The best matching shape, None where none matches well.
        overlap: Intersection over union with that shape, 0..1.
        size: ``small``, ``large``, or None in between.
        place: One of the five places, None for anywhere else.
        filled: False where the silhouette is an outline around the ground.
        x, y: Its centre as fractions of the picture.
    """

    colour: str
    shape: str | None
    overlap: float
    size: str | None
    place: str | None
    filled: bool
    x: float
    y: float


@dataclass(frozen=True)
class Judgement:
    """A whole picture as seen; two objects are told from the left or from above."""

    ground: str
    things: tuple[Seen, ...]
    relation: str | None


def judge(image: Image.Image) -> Judgement:
    """Says what a picture shows."""
    pixels = np.asarray(image.convert("RGB").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX), dtype=np.float64)
    border = np.concatenate(
        [
            pixels[:2].reshape(-1, 3),
            pixels[-2:].reshape(-1, 3),
            pixels[:, :2].reshape(-1, 3),
            pixels[:, -2:].reshape(-1, 3),
        ]
    )
    ground = _commonest(border)
    level = np.median(border[_nearest(border) == list(COLOURS).index(ground)], axis=0)
    away = np.linalg.norm(pixels - level, axis=-1)
    things = [_look(pixels, away, patch) for patch in _patches(away > _DIFFERENT)]
    if len(things) != 2:
        return Judgement(ground, tuple(things), None)
    first, second = things
    sideways = abs(first.x - second.x) >= abs(first.y - second.y)
    things.sort(key=lambda thing: thing.x if sideways else thing.y)
    return Judgement(ground, tuple(things), "left of" if sideways else "above")


def verdict(scene: Scene, image: Image.Image) -> dict[str, bool]:
    """Which parts of a description a picture keeps: ground, colour, shape, size, place (or relation), and all."""
    seen = judge(image)
    scene = scene.ordered()
    pairs = list(zip(scene.things, seen.things, strict=False)) if len(scene.things) == len(seen.things) else []
    single = scene.relation is None
    marks = {
        "ground": seen.ground == scene.ground,
        "colour": bool(pairs) and all(told.colour == saw.colour for told, saw in pairs),
        "shape": bool(pairs) and all(told.shape == saw.shape and told.filled == saw.filled for told, saw in pairs),
        "size": bool(pairs) and (not single or scene.things[0].size == seen.things[0].size),
        "place": bool(pairs)
        and seen.relation == scene.relation
        and (not single or scene.things[0].place == seen.things[0].place),
    }
    return {**marks, "all": all(marks.values())}


def _look(pixels: Array, away: Array, patch: Array) -> Seen:
    """Judges one patch; pixels (128, 128, 3), away their distance from the ground (128, 128), patch a mask."""
    inside = away[patch]
    solid = patch & (away >= 0.8 * np.quantile(inside, 0.9))
    colour = _commonest(pixels[solid])
    near = np.pad(patch, 1)
    near = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:] | patch
    # The distance from the ground grows with how much of the pixel is covered.
    cover = np.clip(away / np.median(away[solid]), 0, 1) * near
    filled_cover = np.maximum(cover, _holes(patch))
    x, y, area = _moments(filled_cover)
    silhouette = _normalise(filled_cover, x, y, area)
    overlaps = {shape: _overlap(silhouette, template.silhouette) for shape, template in _templates().items()}
    shape = max(overlaps, key=lambda name: overlaps[name])
    template = _templates()[shape]
    radius = float(np.sqrt(area / template.area)) / _SIDE_PX
    middle_x = x / _SIDE_PX - template.x * radius
    middle_y = y / _SIDE_PX - template.y * radius
    return Seen(
        colour=colour,
        shape=shape if overlaps[shape] >= _MIN_OVERLAP else None,
        overlap=overlaps[shape],
        size="small" if radius < _SMALL else "large" if radius > _LARGE else None,
        place=_place(middle_x - 0.5, middle_y - 0.5),
        filled=bool(cover.sum() > 0.95 * area),
        x=middle_x,
        y=middle_y,
    )


def _place(dx: float, dy: float) -> str | None:
    if max(abs(dx), abs(dy)) < _OFF_CENTRE:
        return "center"
    if min(abs(dx), abs(dy)) > _OFF_CENTRE:
        return None
    if abs(dx) > abs(dy):
        return "left" if dx < 0 else "right"
    return "top" if dy < 0 else "bottom"


@dataclass(frozen=True)
class _Template:
    """A shape of radius 1: its normalised silhouette, its area, and its centre of mass."""

    silhouette: Array
    area: float
    x: float
    y: float


@cache
def _templates() -> dict[str, _Template]:
    """Every shape, painted large and measured as pictures are."""
    out = {}
    for shape in SHAPES:
        size, radius = 256, 0.4
        cover = np.asarray(coverage(Thing("red", shape), 0.5, 0.5, radius, size)) / 255
        x, y, area = _moments(cover)
        unit = radius * size
        out[shape] = _Template(
            _normalise(cover, x, y, area), area / unit**2, (x - size / 2) / unit, (y - size / 2) / unit
        )
    return out


def _nearest(pixels: Array) -> Array:
    """Index of the palette colour nearest to each pixel; (n, 3) to (n,)."""
    palette = np.array(list(COLOURS.values()), dtype=np.float64)
    return np.asarray(np.linalg.norm(pixels[:, None] - palette, axis=-1).argmin(1))


def _commonest(pixels: Array) -> str:
    return list(COLOURS)[int(np.bincount(_nearest(pixels)).argmax())]


def _moments(cover: Array) -> tuple[float, float, float]:
    """Centre of mass (x, y) and area of a coverage map, in pixels."""
    area = float(cover.sum())
    rows, columns = (np.arange(n) + 0.5 for n in cover.shape)
    return float((cover.sum(0) * columns).sum() / area), float((cover.sum(1) * rows).sum() / area), area


def _normalise(cover: Array, x: float, y: float, area: float) -> Array:
    """Resamples a coverage map around its centre with its area made 1; (h, w) to (40, 40)."""
    steps = (np.arange(_GRID) + 0.5) / _GRID * 2 - 1
    reach = steps * _REACH * np.sqrt(area)
    return _sample(_sample(cover, y + reach).T, x + reach).T


def _sample(cover: Array, at: Array) -> Array:
    """Linear interpolation along the first axis, zero outside."""
    padded = np.pad(cover, ((1, 1), (0, 0)))
    at = np.clip(at + 0.5, 0, len(padded) - 1.001)
    low = at.astype(int)
    part = (at - low)[:, None]
    return np.asarray(padded[low] * (1 - part) + padded[low + 1] * part)


def _overlap(one: Array, other: Array) -> float:
    """Intersection over union of two soft silhouettes."""
    return float(np.minimum(one, other).sum() / np.maximum(one, other).sum())


def _patches(mask: Array) -> list[Array]:
    """Connected patches of a mask that are large enough to be objects."""
    left = mask.copy()
    patches = []
    while left.any():
        patch = _flood(left, *np.argwhere(left)[0])
        left &= ~patch
        if patch.mean() >= _MIN_AREA:
            patches.append(patch)
    return patches


def _holes(patch: Array) -> Array:
    """What a patch encloses without being part of it."""
    outside = _flood(np.pad(~patch, 1, constant_values=True), 0, 0)[1:-1, 1:-1]
    return ~outside & ~patch


def _flood(mask: Array, row: int, column: int) -> Array:
    """The patch of a mask, connected along rows and columns, that holds a pixel."""
    height, width = mask.shape
    reached = np.zeros_like(mask)
    reached[row, column] = True
    todo = [(int(row), int(column))]
    while todo:
        y, x = todo.pop()
        for near_y, near_x in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= near_y < height and 0 <= near_x < width and mask[near_y, near_x] and not reached[near_y, near_x]:
                reached[near_y, near_x] = True
                todo.append((near_y, near_x))
    return reached
