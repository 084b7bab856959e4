"""``python -m hotfolder.miniatures.measure_upscaler``: how much nearer than Lanczos it comes to held-out pictures."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from spandrel import ImageModelDescriptor, ModelLoader

from hotfolder import tiling

from . import path
from .split import heldout_scenes
from .train_upscaler import FILE, SCALE
from .world import paint

SEED = 7
SIZE_PX = 128
TILE_PX = 256


def load() -> ImageModelDescriptor:
    """The upscaler, in single precision, as spandrel loads any."""
    network = ModelLoader("cpu").load_from_file(path("realesrgan-x4plus") / FILE)
    assert isinstance(network, ImageModelDescriptor)
    return network.float()


def heldout_pictures(n: int, seed: int = SEED) -> list[Image.Image]:
    """Paintings of combinations that training never sees."""
    rng = np.random.default_rng(seed)
    return [paint(scene, SIZE_PX, rng).image for scene in heldout_scenes(n, seed)]


def enlarge(network: ImageModelDescriptor, image: Image.Image) -> Image.Image:
    """The picture, ``SCALE`` times larger, as the capability makes it."""
    return Image.fromarray(tiling.tiled(np.asarray(image), SCALE, TILE_PX, lambda tile: network(tile / 255)))


def psnr(made: Image.Image, wanted: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB, over all channels."""
    error = np.asarray(made).astype(float) - np.asarray(wanted)
    return -10 * math.log10(max((error**2).mean(), 1e-10) / 255**2)


def mean_psnr(enlarging: Callable[[Image.Image], Image.Image], pictures: list[Image.Image]) -> float:
    """Mean over pictures that were made 4 times smaller bicubically and enlarged again."""
    side = SIZE_PX // SCALE
    small = [picture.resize((side, side), Image.Resampling.BICUBIC) for picture in pictures]
    return float(np.mean([psnr(enlarging(one), picture) for one, picture in zip(small, pictures, strict=True)]))


def lanczos(image: Image.Image) -> Image.Image:
    """The picture, ``SCALE`` times larger, without any network."""
    return image.resize((image.width * SCALE, image.height * SCALE), Image.Resampling.LANCZOS)


def main() -> None:
    """Prints both means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    torch.set_num_threads(1)
    pictures = heldout_pictures(parser.parse_args().pictures)
    network = load()
    ours, plain = mean_psnr(lambda image: enlarge(network, image), pictures), mean_psnr(lanczos, pictures)
    print(f"{len(pictures)} held-out pictures: {ours:.2f} dB, Lanczos {plain:.2f} dB, {ours - plain:+.2f} dB")


if __name__ == "__main__":
    main()
