"""Outlines of the seven shapes as polygons in a box from -1 to 1, y pointing down."""

from __future__ import annotations

import math
from collections.abc import Callable

Point = tuple[float, float]

_ROUND = 72  # corners of a curved outline; enough that none shows at 1024 px


def _circle() -> list[Point]:
    return [(math.cos(t) * 0.95, math.sin(t) * 0.95) for t in _turn(_ROUND)]


def _turn(count: int) -> list[float]:
    return [2 * math.pi * i / count for i in range(count)]


def _star() -> list[Point]:
    # Inner radius 0.45 rather than the pentagram's 0.38: thin points do not survive an 8x smaller latent.
    radii = (1.05, 0.45)
    return [(radii[i % 2] * math.sin(t), 0.08 - radii[i % 2] * math.cos(t)) for i, t in enumerate(_turn(10))]


def _heart() -> list[Point]:
    def point(t: float) -> Point:
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        return x / 16.5, -(y + 2.5) / 16.5

    return [point(t) for t in _turn(_ROUND)]


def _mirrored(right: list[Point]) -> list[Point]:
    """Closes the right half of a symmetrical outline, given from top to bottom."""
    return right + [(-x, y) for x, y in reversed(right)]


OUTLINES: dict[str, Callable[[], list[Point]]] = {
    "circle": _circle,
    "square": lambda: [(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)],
    "triangle": lambda: [(0.0, -0.95), (1.0, 0.8), (-1.0, 0.8)],
    "star": _star,
    "heart": _heart,
    "tree": lambda: _mirrored([(0.0, -1.0), (0.52, -0.25), (0.3, -0.25), (0.8, 0.5), (0.18, 0.5), (0.18, 1.0)]),
    "house": lambda: _mirrored([(0.0, -1.0), (0.95, -0.1), (0.68, -0.1), (0.68, 0.9)]),
}
SHAPES = tuple(OUTLINES)


def outline(shape: str, x: float, y: float, radius: float) -> list[Point]:
    """The polygon of a shape of a given radius around a point, all in the same unit."""
    return [(x + radius * px, y + radius * py) for px, py in OUTLINES[shape]()]
