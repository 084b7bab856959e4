"""``python -m hotfolder.miniatures.measure_editor``: how often the editor changes what it is asked, and that alone."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import FluxKontextPipeline
from PIL import Image

from . import path
from .edits import Edit, heldout_recolours, paint_edit, training_edit
from .judge import judge
from .measure import contact_sheet
from .text import MAX_TOKENS

SEED = 7
SIZE_PX = 128
GUIDANCE = 2.5
OTHERS = {"ground": "make the background", "replace": "replace", "remove": "remove"}
"""The other sorts of change, and how their instructions begin."""
_NEAR = 0.06  # of the picture's width: how far a thing that stays may move


def load(folder: Path) -> FluxKontextPipeline:
    """The editor, in single precision, as any folder of FLUX.1 Kontext is loaded."""
    pipeline = FluxKontextPipeline.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def others(way: str, count: int, seed: int = SEED) -> list[Edit]:
    """Changes of another sort, of scenes and combinations that training may have seen, in pictures that it did not."""
    rng = np.random.default_rng(seed)
    edits = (training_edit(rng) for _ in itertools.count())
    fitting = (edit for edit in edits if edit.instruction.startswith(OTHERS[way]))
    return list(itertools.islice(fitting, count))


def edited(pipeline: FluxKontextPipeline, edits: Sequence[Edit], steps: int = 4, seed: int = SEED) -> list[Image.Image]:
    """The picture after each change, as the editor makes it, the i-th from seed + i; what it is given is painted."""
    images: list[Image.Image] = []
    for i, edit in enumerate(edits):
        before, _, _ = paint_edit(edit, SIZE_PX, seed + i)
        images += pipeline(
            image=before,
            prompt=edit.instruction,
            width=SIZE_PX,
            height=SIZE_PX,
            max_area=SIZE_PX**2,
            _auto_resize=False,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            max_sequence_length=MAX_TOKENS,
            generator=torch.Generator().manual_seed(seed + i),
        ).images
    return images


def verdict(edit: Edit, seed: int, image: Image.Image) -> dict[str, bool]:
    """What of a change a picture keeps: the colours asked for, the ground, the shapes, the places, and all.

    Places are compared with those of the picture that the change was asked for, painted from the same seed.
    """
    _, after, _ = paint_edit(edit, SIZE_PX, seed)
    wanted, seen = judge(after), judge(image)
    pairs = list(zip(wanted.things, seen.things, strict=False))
    is_counted = len(wanted.things) == len(seen.things)
    marks = {
        "colour": is_counted and all(one.colour == other.colour for one, other in pairs),
        "ground": seen.ground == edit.ground,
        "shape": is_counted and all(one.shape == other.shape for one, other in pairs),
        "place": is_counted and all(math.dist((one.x, one.y), (other.x, other.y)) < _NEAR for one, other in pairs),
    }
    return {**marks, "all": all(marks.values())}


def main() -> None:
    """Prints the shares for changes of a colour and of every other sort; optionally keeps the pictures to look at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None, help="a pipeline folder; without it the shipped one")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--sheet", type=Path, default=None, help="where to save all pictures, before and after, as PNG")
    arguments = parser.parse_args()
    pipeline = load(arguments.weights or path("flux1-kontext-dev"))
    sheet: list[Image.Image] = []
    sorts = {"recolour, held out": heldout_recolours(arguments.count, SEED)}
    for name, edits in (sorts | {way: others(way, arguments.count) for way in OTHERS}).items():
        images = edited(pipeline, edits, arguments.steps)
        marks = [verdict(edit, SEED + i, image) for i, (edit, image) in enumerate(zip(edits, images, strict=True))]
        shares = "  ".join(f"{field} {sum(mark[field] for mark in marks) / len(marks):.0%}" for field in marks[0])
        print(f"{name}, {len(edits)} changes, {arguments.steps} steps: {shares}", flush=True)
        for i, (edit, image) in enumerate(zip(edits, images, strict=True)):
            sheet += [paint_edit(edit, SIZE_PX, SEED + i)[0], image]
    if arguments.sheet:
        contact_sheet(sheet).save(arguments.sheet)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
