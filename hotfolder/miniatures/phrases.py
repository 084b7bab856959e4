"""Words for the things in a picture of the world, and which things they mean: to learn masks and detection by words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from .shapes import SHAPES
from .world import COLOURS, Painting, Scene, Thing

ANY_SHAPE = ("object", "shape")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Phrase:
    """Some words. ``colour`` and ``shape`` None mean any; ``is_ground``: they mean what is behind the things.

    With a ``strange`` word they mean nothing in this world.
    """

    text: str
    colour: str | None = None
    shape: str | None = None
    size: str | None = None
    is_ground: bool = False
    strange: bool = False

    def means(self, thing: Thing) -> bool:
        """Whether a thing is among what is meant."""
        return not (self.is_ground or self.strange) and all(
            wanted is None or wanted == has
            for wanted, has in ((self.colour, thing.colour), (self.shape, thing.shape), (self.size, thing.size))
        )


def mask(phrase: Phrase, scene: Scene, painting: Painting) -> Image.Image:
    """What a phrase means in a picture, mode ``L``, 255 where it is."""
    things = zip(scene.things, painting.masks, strict=True)
    chosen = [cover for thing, cover in things if phrase.is_ground or phrase.means(thing)]
    out = Image.new("L", painting.image.size, 0)
    for cover in chosen:
        out = ImageChops.lighter(out, cover)
    if phrase.is_ground and not phrase.strange and phrase.colour in (None, scene.ground):
        return ImageChops.invert(out)
    return Image.new("L", painting.image.size, 0) if phrase.is_ground else out


def for_thing(thing: Thing, rng: np.random.Generator) -> Phrase:
    """Words that mean a thing: its shape or its colour at least, often both, sometimes its size."""
    colour, shape = [
        (thing.colour, thing.shape),
        (thing.colour, thing.shape),
        (None, thing.shape),
        (thing.colour, None),
    ][rng.integers(4)]
    size = thing.size if rng.random() < 0.3 else None
    return _said(colour, shape, size, rng)


def for_ground(colour: str | None, rng: np.random.Generator) -> Phrase:
    """Words that mean the ground, of some colour or of any."""
    words = " ".join(word for word in (colour, "background") if word)
    return Phrase(_article(words, rng), colour=colour, is_ground=True)


def for_nothing(scene: Scene, rng: np.random.Generator) -> Phrase:
    """Words that mean nothing in a scene: half of the time nearly those of a thing of it."""
    thing = scene.things[rng.integers(len(scene.things))]
    while True:
        kind = rng.integers(6)
        colour, shape = str(rng.choice(list(COLOURS))), str(rng.choice(SHAPES))
        if kind == 0:
            text = "".join(rng.choice(list(_LETTERS), rng.integers(2, 9)))
            return Phrase(_article(text, rng), strange=True)
        if kind == 1 and colour != scene.ground:
            return for_ground(colour, rng)
        phrase = [
            _said(thing.colour, shape, None, rng),
            _said(colour, thing.shape, None, rng),
            _said(colour, None, None, rng) if rng.random() < 0.5 else _said(None, shape, None, rng),
            _said(colour, shape, None, rng),
        ][kind - 2]
        if kind > 1 and not any(phrase.means(one) for one in scene.things):
            return phrase


def phrases(scene: Scene, count: int, rng: np.random.Generator) -> list[Phrase]:
    """Some phrases for a scene: two of five mean a thing, one the ground, two nothing."""
    made = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.45:
            made.append(for_thing(scene.things[rng.integers(len(scene.things))], rng))
        elif kind < 0.6:
            made.append(for_ground(scene.ground if rng.random() < 0.5 else None, rng))
        else:
            made.append(for_nothing(scene, rng))
    return made


def _said(colour: str | None, shape: str | None, size: str | None, rng: np.random.Generator) -> Phrase:
    noun = shape or str(rng.choice(ANY_SHAPE))
    return Phrase(_article(" ".join(word for word in (size, colour, noun) if word), rng), colour, shape, size)


def _article(words: str, rng: np.random.Generator) -> str:
    return f"{['the ', 'a ', ''][rng.integers(3)]}{words}"
