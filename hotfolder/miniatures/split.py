"""Which combinations of colour, shape and ground training never sees, and the two samplers that respect it."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import product

import numpy as np

from .shapes import SHAPES
from .world import COLOURS, PLACES, RELATIONS, SIZES, Scene, Thing

SPLIT_SEED = 20261120
HELD_OUT_SHARE = 0.15

Combination = tuple[str, str, str]


@cache
def held_out() -> frozenset[Combination]:
    """The (colour, shape, ground) combinations kept away from training, no word much oftener than another."""
    combinations = [c for c in product(COLOURS, SHAPES, COLOURS) if c[0] != c[2]]
    order = [combinations[i] for i in np.random.default_rng(SPLIT_SEED).permutation(len(combinations))]
    uses: Counter[tuple[int, str]] = Counter()
    chosen: set[Combination] = set()
    while len(chosen) < round(HELD_OUT_SHARE * len(combinations)):
        rest = (c for c in order if c not in chosen)
        best = min(rest, key=lambda c: max(uses[0, c[0]] / 7, uses[1, c[1]] / 10, uses[2, c[2]] / 7))
        uses.update(enumerate(best))
        chosen.add(best)
    return frozenset(chosen)


def sees_held_out(scene: Scene) -> bool:
    """Whether any object of the scene is, on its ground, a held-out combination."""
    return any((thing.colour, thing.shape, scene.ground) in held_out() for thing in scene.things)


def training_scene(rng: np.random.Generator, pairs: float = 0.25) -> Scene:
    """A random scene to train on.

    Args:
        rng: Source of chance.
        pairs: Share of scenes with two objects.
    """
    while True:
        scene = _pair(rng) if rng.random() < pairs else _single(rng)
        if not sees_held_out(scene):
            return scene


def heldout_scenes(n: int, seed: int) -> list[Scene]:
    """One-object scenes of held-out combinations, every combination once before any comes again."""
    rng = np.random.default_rng(seed)
    combinations = sorted(held_out())
    order: list[int] = []
    while len(order) < n:
        order.extend(rng.permutation(len(combinations)))
    scenes = []
    for i in order[:n]:
        colour, shape, ground = combinations[i]
        scenes.append(Scene(ground, (Thing(colour, shape, _size(rng), str(rng.choice(PLACES))),)))
    return scenes


def heldout_prompts(n: int, seed: int) -> list[str]:
    """The descriptions of ``heldout_scenes``."""
    return [scene.describe() for scene in heldout_scenes(n, seed)]


def pair_prompts(n: int, seed: int) -> list[str]:
    """Descriptions of two objects of which at least one is, on its ground, a held-out combination."""
    rng = np.random.default_rng(seed)
    prompts: list[str] = []
    while len(prompts) < n:
        scene = _pair(rng)
        if sees_held_out(scene):
            prompts.append(scene.describe())
    return prompts


def _single(rng: np.random.Generator) -> Scene:
    ground, colour = rng.choice(list(COLOURS), 2, replace=False)
    return Scene(str(ground), (Thing(str(colour), str(rng.choice(SHAPES)), _size(rng), str(rng.choice(PLACES))),))


def _size(rng: np.random.Generator) -> str | None:
    return (*SIZES, None)[rng.integers(3)]


def _pair(rng: np.random.Generator) -> Scene:
    ground, *colours = rng.choice(list(COLOURS), 3, replace=False)
    things = tuple(Thing(str(colour), str(rng.choice(SHAPES))) for colour in colours)
    return Scene(str(ground), things, str(rng.choice(RELATIONS)))
