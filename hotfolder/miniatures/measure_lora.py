"""``python -m hotfolder.miniatures.measure_lora``: how many objects the LoRA draws as outlines, by its weight."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops, ImageFilter

from . import LORAS, path
from .measure import SEED, SIZE_PX, contact_sheet, generate, load
from .split import heldout_prompts
from .world import COLOURS, Scene, paint, parse

NEAR_PX = 4  # the painter moves things by up to 2.6
MOST = 0.75


def look(scene: Scene, image: Image.Image) -> tuple[float, float]:
    """How much of the one object that a scene asks for is filled, and how much of its edge is drawn, each 0..1.

    A pixel belongs to the object where it is nearer to the object's colour than to the ground's. The object's place
    and shape are those asked for; an edge counts as drawn where its colour is within `NEAR_PX` of it.
    """
    thing = scene.things[0]
    shape = (
        paint(replace(scene, things=(replace(thing, filled=True),)), SIZE_PX).masks[0].point(lambda v: 255 * (v > 127))
    )
    edge = ImageChops.subtract(shape, shape.filter(ImageFilter.MinFilter(3)))
    pixels = np.asarray(image.convert("RGB").resize((SIZE_PX, SIZE_PX)), dtype=float)
    away = [np.linalg.norm(pixels - COLOURS[name], axis=-1) for name in (thing.colour, scene.ground)]
    drawn = Image.fromarray((255 * (away[0] < away[1])).astype(np.uint8))
    near = drawn.filter(ImageFilter.MaxFilter(2 * NEAR_PX + 1))
    inside, around = np.asarray(shape) > 0, np.asarray(edge) > 0
    return float(np.asarray(drawn)[inside].mean() / 255), float(np.asarray(near)[around].mean() / 255)


def outlines(prompts: Sequence[str], images: Sequence[Image.Image]) -> tuple[int, int]:
    """How many of the objects asked for are there as outlines, and how many as filled shapes.

    Of an outline less than half is filled and most of its edge is drawn; a filled shape is filled nearly to its edge,
    which may lie a little beside the one asked for.
    """
    drawn = filled = 0
    for prompt, image in zip(prompts, images, strict=True):
        scene = parse(prompt)
        if scene is None or scene.relation:
            raise ValueError(f"not a description of one object: {prompt}")
        share, edge = look(scene, image)
        drawn += share < 0.5 and edge > MOST
        filled += share > MOST
    return drawn, filled


def main() -> None:
    """Prints the figures for weights 0 and 1; optionally keeps the pictures to look at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None, help="a pipeline folder; without it the shipped one")
    parser.add_argument("--lora", type=Path, default=LORAS / "outlines.safetensors")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--sheet", type=Path, default=None, help="where to save the pictures of weight 1 as one PNG")
    arguments = parser.parse_args()
    pipeline = load(arguments.weights or path("flux1-schnell"))
    prompts = heldout_prompts(arguments.count, SEED)
    before = [image.tobytes() for image in generate(pipeline, prompts[:10], arguments.steps)]
    pipeline.load_lora_weights(str(arguments.lora), adapter_name="outlines", local_files_only=True)
    for weight in (0.0, 1.0):
        pipeline.set_adapters("outlines", weight)
        images = generate(pipeline, prompts, arguments.steps)
        drawn, filled = outlines(prompts, images)
        print(f"weight {weight:g}: of {len(prompts)} objects {drawn} are outlines, {filled} are filled", flush=True)
    if arguments.sheet:
        contact_sheet(images).save(arguments.sheet)
    pipeline.unload_lora_weights()
    after = [image.tobytes() for image in generate(pipeline, prompts[:10], arguments.steps)]
    print(
        f"after unloading, {sum(a == b for a, b in zip(after, before, strict=True))} of 10 pictures equal those before"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
