"""``python -m hotfolder.miniatures.measure_detector``: how often the detector finds every thing, its shape and box."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from hotfolder.models import load, sources
from hotfolder.models.entries import entries
from hotfolder.models.families.detr import Detr

from . import path
from .measure_captioner import SEED, SIZE_PX, heldout
from .world import paint

MODEL = "detr-resnet-50-miniature"
MIN_OVERLAP = 0.5


def family(folder: Path) -> Detr:
    """A detector as the capability has it."""
    source = sources.part_of(folder, "")
    parts = {name: load.load(kind, source, "fp32", "cpu", folder) for name, kind in Detr.PARTS.items()}
    return Detr(entries()[MODEL], parts)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width, height = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


def main() -> None:
    """Prints in how many pictures everything is found, with its shape and an overlap of half, and nothing else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None, help="a DETR folder; without it the shipped one")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    detector = family(arguments.weights or path("detr-resnet-50"))
    least = detector.entry.defaults.threshold
    rng = np.random.default_rng(arguments.seed)
    right, overlaps, wrong = 0, [], []
    for scene in heldout(arguments.count, arguments.seed):
        painting = paint(scene, SIZE_PX, rng)
        found = [one for one in detector.detect(painting.image, []) if one[1] >= least]
        best = [
            max((overlap(box, there) for label, _, box in found if label == thing.shape), default=0.0)
            for thing, there in zip(scene.things, painting.boxes, strict=True)
        ]
        overlaps += best
        if len(found) == len(scene.things) and min(best) >= MIN_OVERLAP:
            right += 1
        else:
            wrong.append((scene.describe(), found))
    print(f"everything found, with its shape and its box, and nothing else: {right} of {arguments.count} pictures")
    print(f"mean overlap (IoU) of {len(overlaps)} boxes: {np.mean(overlaps):.3f}", flush=True)
    for described, guesses in wrong[:10]:
        print(f"  {described}\n  {[(label, round(score, 2)) for label, score, _ in guesses]}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
