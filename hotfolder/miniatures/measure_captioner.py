"""``python -m hotfolder.miniatures.measure_captioner``: how often the captioner says what the painter painted."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import BertTokenizer, BlipForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from . import path
from .split import heldout_scenes, pair_prompts
from .world import Scene, paint, parse

SEED = 7
SIZE_PX = 128
_PER_CALL = 50


def heldout(count: int, seed: int = SEED) -> list[Scene]:
    """Scenes of combinations that training never saw: singles and pairs half and half, in the order they are told."""
    pairs = [scene.ordered() for prompt in pair_prompts(count // 2, seed) if (scene := parse(prompt))]
    return heldout_scenes(count - count // 2, seed) + pairs


def outlined(scenes: list[Scene]) -> list[Scene]:
    """The same scenes with every object drawn as an outline."""
    return [replace(one, things=tuple(replace(thing, filled=False) for thing in one.things)) for one in scenes]


def captions(folder: Path, images: list[Image.Image]) -> list[str]:
    """What a captioner says of each picture, always taking the likeliest next word."""
    model = BlipForConditionalGeneration.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    words = BertTokenizer.from_pretrained(folder, local_files_only=True)
    processor = BlipImageProcessorPil.from_pretrained(folder, local_files_only=True)
    said: list[str] = []
    for begin in range(0, len(images), _PER_CALL):
        pixels = processor(images[begin : begin + _PER_CALL], return_tensors="pt").pixel_values
        made = model.generate(pixel_values=pixels, max_new_tokens=32, num_beams=1, do_sample=False)
        said += words.batch_decode(made, skip_special_tokens=True)
    return said


def main() -> None:
    """Prints the share of captions equal to the canonical description, of filled and of outlined objects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None, help="a BLIP folder; without it the shipped one")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    scenes = heldout(arguments.count, arguments.seed)
    for name, told in (("filled", scenes), ("outlined", outlined(scenes))):
        rng = np.random.default_rng(arguments.seed)
        said = captions(arguments.weights or path("blip-large"), [paint(one, SIZE_PX, rng).image for one in told])
        wrong = [(one.describe(), text) for one, text in zip(told, said, strict=True) if one.describe() != text]
        print(f"{name}: {len(told) - len(wrong)} of {len(told)} captions equal the canonical description", flush=True)
        for expected, text in wrong[:10]:
            print(f"  {expected}\n  {text}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
