"""``python -m hotfolder.miniatures.measure``: how well the generator does what held-out prompts say."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import FluxPipeline
from PIL import Image

from . import path
from .judge import verdict
from .split import heldout_prompts, pair_prompts
from .text import MAX_TOKENS
from .world import parse

SEED = 7
SIZE_PX = 128
_PER_CALL = 10


def load(folder: Path) -> FluxPipeline:
    """The generator, in single precision, as any FLUX folder is loaded."""
    pipeline = FluxPipeline.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(pipeline: FluxPipeline, prompts: Sequence[str], steps: int = 4, seed: int = SEED) -> list[Image.Image]:
    """One picture per prompt, the i-th from seed + i."""
    images: list[Image.Image] = []
    for begin in range(0, len(prompts), _PER_CALL):
        batch = list(prompts[begin : begin + _PER_CALL])
        images += pipeline(
            batch,
            height=SIZE_PX,
            width=SIZE_PX,
            num_inference_steps=steps,
            guidance_scale=0.0,
            max_sequence_length=MAX_TOKENS,
            generator=[torch.Generator().manual_seed(seed + begin + i) for i in range(len(batch))],
        ).images
    return images


def score(prompts: Sequence[str], images: Sequence[Image.Image]) -> dict[str, float]:
    """Share of pictures right in each field of ``verdict``, in ground, colour and shape together, and in both colours
    and their order."""
    marks = []
    for prompt, image in zip(prompts, images, strict=True):
        scene = parse(prompt)
        if scene is None:
            raise ValueError(f"not a description of the world: {prompt}")
        mark = verdict(scene, image)
        what = mark["ground"] and mark["colour"] and mark["shape"]
        marks.append({**mark, "ground+colour+shape": what, "colour+place": mark["colour"] and mark["place"]})
    return {field: sum(mark[field] for mark in marks) / len(marks) for field in marks[0]}


def contact_sheet(images: Sequence[Image.Image], columns: int = 10) -> Image.Image:
    """All pictures in rows, as one."""
    sheet = Image.new("RGB", (columns * SIZE_PX, math.ceil(len(images) / columns) * SIZE_PX))
    for i, image in enumerate(images):
        sheet.paste(image, (i % columns * SIZE_PX, i // columns * SIZE_PX))
    return sheet


def main() -> None:
    """Prints the shares for one and for two objects; optionally keeps the pictures to look at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None, help="a pipeline folder; without it the shipped one")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--sheet", type=Path, default=None, help="where to save all pictures as one PNG")
    arguments = parser.parse_args()
    pipeline = load(arguments.weights or path("flux1-schnell"))
    sheets = []
    for name, prompts in (
        ("one object", heldout_prompts(arguments.count, SEED)),
        ("two objects", pair_prompts(arguments.count, SEED)),
    ):
        images = generate(pipeline, prompts, arguments.steps)
        sheets += images
        shares = score(prompts, images)
        print(f"{name}, {len(prompts)} held-out prompts, {arguments.steps} steps:")
        print("  " + "  ".join(f"{field} {share:.0%}" for field, share in shares.items()), flush=True)
    if arguments.sheet:
        contact_sheet(sheets).save(arguments.sheet)


if __name__ == "__main__":
    main()
