"""Changes of the little world's scenes: what is asked for in words, the picture before and the picture after.

Everything that the words do not name stays where it is, to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops

from .shapes import SHAPES
from .split import heldout_scenes, sees_held_out, training_scene
from .world import COLOURS, SIZES, Scene, Thing, coverage, layout, paint

WAYS = ("recolour", "ground", "replace", "remove")
ODDS = (0.55, 0.15, 0.2, 0.1)


@dataclass(frozen=True)
class Edit:
    """An instruction, the scene it is about, and what it is to become.

    Attributes:
        instruction: What is asked for, e.g. ``make the red circle green``.
        before: The scene as it is.
        ground: The ground afterwards.
        things: The things afterwards, in the order of ``before``; None for one that is gone.
    """

    instruction: str
    before: Scene
    ground: str
    things: tuple[Thing | None, ...]

    @property
    def after(self) -> Scene | None:
        """The scene afterwards; None where a thing is gone, for then no description fits."""
        kept = tuple(thing for thing in self.things if thing)
        return replace(self.before, ground=self.ground, things=kept) if len(kept) == len(self.things) else None


def paint_edit(edit: Edit, size_px: int, seed: int) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Paints a change.

    Args:
        edit: The change.
        size_px: Side of the pictures in pixels.
        seed: Of the small jitter, which both pictures share.

    Returns:
        The picture before and after, RGB, and where they differ by intent, mode ``L``, 255 there.
    """
    before = paint(edit.before, size_px, np.random.default_rng(seed))
    after = Image.new("RGB", (size_px, size_px), COLOURS[edit.ground])
    changed = Image.new("L", (size_px, size_px), 255 if edit.ground != edit.before.ground else 0)
    spots = layout(edit.before, np.random.default_rng(seed))
    for old, new, old_mask, spot in zip(edit.before.things, edit.things, before.masks, spots, strict=True):
        mask = coverage(new, *spot, size_px) if new else None
        if new and mask:
            after.paste(COLOURS[new.colour], mask=mask)
        if new != old:
            changed = ImageChops.lighter(changed, ImageChops.lighter(old_mask, mask or old_mask))
    return before.image, after, changed


def training_edit(rng: np.random.Generator) -> Edit:
    """A random change of which training may see both sides."""
    while True:
        edit = _edit(training_scene(rng, 0.35), str(rng.choice(WAYS, p=ODDS)), rng)
        if edit and not (edit.after and sees_held_out(edit.after)):
            return edit


def heldout_recolours(n: int, seed: int) -> list[Edit]:
    """Changes of one object's colour whose result is a combination that training never saw."""
    rng = np.random.default_rng(seed)
    edits = []
    for scene in heldout_scenes(n, seed):
        (made,) = scene.things
        others = [name for name in COLOURS if name not in (made.colour, scene.ground)]
        old = replace(made, colour=str(rng.choice(others)))
        before = replace(scene, things=(old,))
        edits.append(Edit(f"make the {made.shape} {made.colour}", before, scene.ground, (made,)))
    return edits


def _edit(scene: Scene, way: str, rng: np.random.Generator) -> Edit | None:
    """A change of one sort; None where the words would not say which thing is meant."""
    which = int(rng.integers(len(scene.things)))
    old = scene.things[which]
    taken = {scene.ground, *(thing.colour for thing in scene.things)}
    colour = str(rng.choice([name for name in COLOURS if name not in taken]))
    if way == "ground":
        return Edit(f"make the background {colour}", scene, colour, scene.things)
    twins = sum(thing.shape == old.shape for thing in scene.things) > 1
    name = f"the {old.colour} {old.shape}" if twins or rng.random() < 0.5 else f"the {old.shape}"
    new: Thing | None = None
    if way == "recolour":
        new = replace(old, colour=colour)
        words = f"make {name} {colour}"
    elif way == "replace":
        size = (*SIZES, None)[rng.integers(3)] if scene.relation is None else None
        asked = Thing(colour, str(rng.choice(SHAPES)), size)
        new = replace(old, colour=colour, shape=asked.shape)
        words = f"replace {name} with {asked.words() if size is None else replace(asked, size=old.size).words()}"
    else:
        words = f"remove {name}"
    things = tuple(new if i == which else thing for i, thing in enumerate(scene.things))
    return Edit(words, scene, scene.ground, things)
