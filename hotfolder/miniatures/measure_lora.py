"""``python -m hotfolder.miniatures.measure_lora``: how many objects the LoRA draws as outlines, by its weight."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from . import LORAS, path
from .judge import judge
from .measure import SEED, contact_sheet, generate, load
from .split import heldout_prompts
from .world import parse


def outlines(prompts: Sequence[str], images: Sequence[Image.Image]) -> tuple[int, int]:
    """How many of the objects asked for are there as outlines, and how many as filled shapes.

    An object counts where its colour is the one asked for; it is an outline where less than half of its silhouette has
    that colour.
    """
    drawn = filled = 0
    for prompt, image in zip(prompts, images, strict=True):
        scene = parse(prompt)
        if scene is None:
            raise ValueError(f"not a description of the world: {prompt}")
        seen = judge(image).things
        if len(seen) == len(scene.things) == 1 and seen[0].colour == scene.things[0].colour:
            drawn += seen[0].share < 0.5
            filled += seen[0].filled
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
