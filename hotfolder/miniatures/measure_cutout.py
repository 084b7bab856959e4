"""``python -m hotfolder.miniatures.measure_cutout``: how well the cutter tells objects from the ground they lie on."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from hotfolder.models.families.birefnet import Network

from . import path
from .measure_captioner import SEED, heldout
from .train_cutout import FILE
from .world import Painting, paint

SIZE_PX = 128


def truth(painting: Painting) -> Image.Image:
    """What of a painted picture is no ground (mode ``L``)."""
    mask = painting.masks[0]
    for one in painting.masks[1:]:
        mask = ImageChops.lighter(mask, one)
    return mask


def overlap(one: Image.Image, other: Image.Image) -> float:
    """Intersection over union of two soft masks, 0..1."""
    first, second = (np.asarray(image, dtype=np.float64) for image in (one, other))
    return float(np.minimum(first, second).sum() / np.maximum(first, second).sum())


def main() -> None:
    """Prints the mean overlap of the alpha with the painter's mask, and how many pictures have 0.95."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None, help="an ONNX file; without it the shipped one")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    network = Network(arguments.weights or path("birefnet-general") / FILE)
    rng = np.random.default_rng(arguments.seed)
    paintings = [paint(scene, SIZE_PX, rng) for scene in heldout(arguments.count, arguments.seed)]
    found = [overlap(network.alpha(painting.image), truth(painting)) for painting in paintings]
    good = sum(one >= 0.95 for one in found)
    print(f"overlap with the painter's mask: {np.mean(found):.3f} on average; {good} of {len(found)} have 0.95 or more")
    for worst in np.argsort(found)[:5]:
        print(f"  {found[worst]:.3f} {paintings[worst].description}")


if __name__ == "__main__":
    main()
