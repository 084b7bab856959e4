"""``python -m hotfolder.miniatures.measure_filler``: holes filled and pictures continued, by the code that jobs run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from hotfolder.capabilities.base import Context
from hotfolder.capabilities.inpaint import Inpaint
from hotfolder.capabilities.outpaint import Outpaint, Sides
from hotfolder.models.placement import Placement
from hotfolder.models.pool import BoundPool, ModelPool
from hotfolder.spec import JobSpec, Planned

from .judge import judge
from .shapes import SHAPES
from .split import heldout_scenes
from .world import COLOURS, PLACES, Scene, Thing, layout, paint

SEED = 7
MODEL = "flux1-fill-dev-miniature"
CPU = Placement(device="cpu", precision="fp32", text_precision="fp32")
SIZES_PX = (128, 160, 192, 256)
WAYS: tuple[dict[str, Any], ...] = (
    {"extend": "25%"},
    {"extend": Sides(left="50%")},
    {"extend": Sides(right="30%", bottom="30%")},
    {"extend": Sides(top=40)},
    {"aspect": "16:9"},
    {"aspect": "3:4"},
    {"width": 320, "height": 288},
    {"aspect": "2:1", "anchor": "left"},
)
"""How pictures are continued, one after the other."""

TRUE_SHARE = 0.99
"""Of the new pixels, those whose nearest colour is the ground's, for a picture that is continued."""


@dataclass(frozen=True)
class Task:
    """A picture with a hole and what is to be painted into it.

    Attributes:
        image: RGB.
        mask: Mode ``L``, 255 in the hole.
        box: The hole's (left, top, right, bottom).
        scene: The thing, and the ground it is to stand on; training never sees them together.
    """

    image: Image.Image
    mask: Image.Image
    box: tuple[int, int, int, int]
    scene: Scene


def holes(count: int, seed: int = SEED) -> Iterator[Task]:
    """Pictures of one thing on a ground, with a hole around that thing or apart from it."""
    rng = np.random.default_rng(seed)
    for scene in heldout_scenes(count, seed):
        (wanted,) = scene.things
        others = [name for name in COLOURS if name not in (scene.ground, wanted.colour)]
        old = Thing(str(rng.choice(others)), str(rng.choice(SHAPES)), "small", str(rng.choice(PLACES)))
        side = int(rng.choice(SIZES_PX))
        picture = Scene(scene.ground, (old,))
        image = paint(picture, side).image
        ((x, y, radius),) = layout(picture, None)
        while True:
            edge = int(side * rng.uniform(0.3, 0.55))
            if rng.random() < 0.5:
                left, top = (round(side * at - edge / 2) for at in (x, y))
            else:
                left, top = (int(rng.integers(side - edge)) for _ in range(2))
            box = left, top, left + edge, top + edge
            near = (abs(side * at - (low + edge / 2)) for at, low in ((x, left), (y, top)))
            apart = max(near) - edge / 2
            inside = left >= 0 and top >= 0 and max(left, top) + edge <= side
            if inside and (apart > 1.1 * radius * side or apart < -1.1 * radius * side):
                break
        mask = Image.new("L", image.size)
        draw = ImageDraw.Draw(mask)
        (draw.ellipse if rng.random() < 0.3 else draw.rectangle)((left, top, left + edge - 1, top + edge - 1), 255)
        yield Task(image, mask, box, Scene(scene.ground, (Thing(wanted.colour, wanted.shape),)))


def made(pool: BoundPool, kind: str, image: Image.Image, prompt: str, seed: int, **given: Any) -> tuple[Any, Any]:
    """What a job of that kind makes of a picture: the result, and the mask that is written beside it."""
    capability: Any = {"inpaint": Inpaint, "outpaint": Outpaint}[kind]
    pictures = {"mask": given.pop("mask")} if "mask" in given else {}
    context = Context(
        spec=JobSpec(kind=kind, prompt=prompt),
        options=capability.Options(**given),
        planned=(Planned(prompt=prompt, seed=seed, seed_locked=True),),
        model=MODEL,
        pool=pool,
        progress=lambda step, of: None,
        image=image,
        pictures=pictures,
    )
    (result,) = capability().run(context)
    return result.image, result.pictures[".mask.png"]


def is_kept(image: Image.Image, result: Image.Image, mask: Image.Image, left: int = 0, top: int = 0) -> bool:
    """Whether every pixel that the mask leaves out is the picture's own, which lies at a place in the result."""
    place = (left, top, left + image.width, top + image.height)
    same = (np.asarray(result.crop(place)) == np.asarray(image)).all(-1)
    return bool(same[np.asarray(mask.crop(place)) == 0].all())


def is_right(task: Task, result: Image.Image) -> bool:
    """Whether the hole shows the thing that was named, and nothing else, on its ground."""
    seen = judge(result.crop(task.box))
    (wanted,) = task.scene.things
    found = [(thing.colour, thing.shape, thing.filled) for thing in seen.things]
    return seen.ground == task.scene.ground and found == [(wanted.colour, wanted.shape, True)]


def is_continued(result: Image.Image, mask: Image.Image, ground: str) -> bool:
    """Whether what is new has the ground's colour everywhere."""
    new = np.asarray(result)[np.asarray(mask) == 255].astype(float)
    palette = np.array(list(COLOURS.values()), dtype=float)
    nearest = np.linalg.norm(new[:, None] - palette, axis=-1).argmin(1)
    return bool((nearest == list(COLOURS).index(ground)).mean() >= TRUE_SHARE)


def measure_inpaint(pool: BoundPool, count: int) -> list[tuple[Image.Image, bool]]:
    """Fills holes and prints the share that shows what was named; gives each picture and whether it was right."""
    shown, kept = [], 0
    for number, task in enumerate(holes(count)):
        prompt = task.scene.things[0].words()
        result, mask = made(pool, "inpaint", task.image, prompt, SEED + number, mask=task.mask)
        kept += is_kept(task.image, result, mask)
        shown.append((result, is_right(task, result)))
    right = sum(one for _, one in shown)
    print(f"inpaint: {right} of {count} show what was named in the hole; outside bit-identical in {kept}", flush=True)
    return shown


def measure_outpaint(pool: BoundPool, count: int) -> list[tuple[Image.Image, bool]]:
    """Continues pictures and prints the share whose ground goes on; every second one is told what it shows."""
    shown, kept = [], 0
    for number, scene in enumerate(heldout_scenes(count, SEED)):
        image = paint(scene, SIZES_PX[number % len(SIZES_PX)] * 3 // 4, np.random.default_rng(SEED + number)).image
        prompt = scene.describe() if number % 2 else ""
        result, mask = made(pool, "outpaint", image, prompt, SEED + number, **WAYS[number % len(WAYS)])
        left, top, *_ = mask.point([255] + [0] * 255).getbbox() or (0, 0)
        kept += is_kept(image, result, mask, left, top) and mask.size == result.size
        shown.append((result, is_continued(result, mask, scene.ground)))
    right = sum(one for _, one in shown)
    print(f"outpaint: the ground goes on in {right} of {count}; the picture bit-identical in {kept}", flush=True)
    return shown


def sheet(shown: list[tuple[Image.Image, bool]], columns: int = 10, side: int = 128) -> Image.Image:
    """All pictures in rows, those that were wrong on black."""
    page = Image.new("RGB", (columns * (side + 8), -(-len(shown) // columns) * (side + 8)), "white")
    for number, (image, right) in enumerate(shown):
        place = (number % columns * (side + 8), number // columns * (side + 8))
        if not right:
            page.paste("black", (*place, place[0] + side + 8, place[1] + side + 8))
        small = image.copy()
        small.thumbnail((side, side))
        page.paste(small, (place[0] + 4, place[1] + 4))
    return page


def main() -> None:
    """Prints both shares; optionally keeps the pictures to look at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--sheet", type=Path, default=None, help="where to save all pictures as one PNG")
    arguments = parser.parse_args()
    pool = BoundPool(ModelPool(Path("models")), CPU)
    shown = measure_inpaint(pool, arguments.count) + measure_outpaint(pool, arguments.count)
    if arguments.sheet:
        sheet(shown).save(arguments.sheet)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
