"""``python -m hotfolder.miniatures.measure_mask``: how well the masker finds what words mean in a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hotfolder.images import masks
from hotfolder.models import load, sources
from hotfolder.models.entries import entries
from hotfolder.models.families.clipseg import ClipSeg

from . import path, phrases
from .measure_captioner import SEED, SIZE_PX, heldout
from .phrases import Phrase
from .world import paint

MODEL = "clipseg-rd64-refined-miniature"
THRESHOLD = 0.4  # the capability's


def family(folder: Path) -> ClipSeg:
    """A masker as the capability has it."""
    source = sources.part_of(folder, "")
    parts = {name: load.load(kind, source, "fp32", "cpu", folder) for name, kind in ClipSeg.PARTS.items()}
    return ClipSeg(entries()[MODEL], parts)


def overlap(one: Image.Image, other: Image.Image) -> float:
    """Intersection over union of two masks; what is grey counts from the middle on."""
    first, second = (np.asarray(mask) > 127 for mask in (one, other))
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


def main() -> None:
    """Prints the mean overlap for words that mean something, and how often absent ones find nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None, help="a CLIPSeg folder; without it the shipped one")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    masker = family(arguments.weights or path("clipseg-rd64-refined"))
    rng = np.random.default_rng(arguments.seed)
    found: dict[str, list[float]] = {"colour and shape": [], "shape alone": [], "background": []}
    silent = []
    for scene in heldout(arguments.count, arguments.seed):
        painting = paint(scene, SIZE_PX, rng)
        thing = scene.things[rng.integers(len(scene.things))]
        asked = {
            "colour and shape": Phrase(f"the {thing.colour} {thing.shape}", thing.colour, thing.shape),
            "shape alone": Phrase(f"the {thing.shape}", None, thing.shape),
            "background": Phrase("the background", is_ground=True),
        }
        absent = phrases.for_nothing(scene, rng)
        *maps, nothing = masker.mask(painting.image, [*(one.text for one in asked.values()), absent.text])
        for (name, phrase), scores in zip(asked.items(), maps, strict=True):
            mask = masks.of_scores([scores], THRESHOLD, painting.image.size)
            found[name].append(overlap(mask, phrases.mask(phrase, scene, painting)))
        silent.append(float(nothing.max()) < THRESHOLD)
    for name, overlaps in found.items():
        low = sum(one < 0.5 for one in overlaps)
        print(f"{name}: mean overlap (IoU) {np.mean(overlaps):.3f} over {len(overlaps)} pictures, {low} below 0.5")
    print(f"words for what is not there: nothing found in {sum(silent)} of {len(silent)}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
