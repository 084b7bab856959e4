"""Networks that enlarge colour pictures, put to work on any picture. Imported where one runs: it needs numpy."""

from collections.abc import Callable

import numpy as np
from PIL import Image

Progress = Callable[[int, int], None]


def enlarge(
    image: Image.Image, network: Callable[[np.ndarray, Progress], np.ndarray], progress: Progress
) -> Image.Image:
    """Run a network for colour pictures, (h, w, 3) uint8, on any picture; what is grey stays grey.

    Alpha is enlarged as a grey picture of its own, so that cut edges get as sharp as painted ones.
    """
    if image.mode == "L":
        return Image.fromarray(network(_stacked(np.asarray(image)), progress)).convert("L")
    if image.mode == "RGB":
        return Image.fromarray(network(np.asarray(image), progress))
    pixels = np.asarray(image)
    alpha = pixels[..., 3]
    if (alpha == alpha.max()).all():
        larger = Image.fromarray(network(pixels[..., :3], progress))
        larger.putalpha(int(alpha.max()))
    else:  # one after the other: each is three bytes a pixel of the larger picture
        larger = Image.fromarray(network(_filled(pixels), lambda done, of: progress(done, 2 * of)))
        shown = network(_stacked(alpha), lambda done, of: progress(of + done, 2 * of))
        larger.putalpha(Image.fromarray(np.ascontiguousarray(shown[..., 0])))
    return larger


def _stacked(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def _filled(pixels: np.ndarray) -> np.ndarray:
    """Return the colours of an RGBA picture, those of transparent pixels taken from what is nearest to be seen.

    Editors leave black under what is transparent; a network would draw an edge against it.
    """
    weights = pixels[..., 3:].astype(np.float32) / 255
    return _pulled(pixels[..., :3] * weights, weights).round().astype(np.uint8)


def _pulled(colours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return colours that were multiplied by weights divided by them; where those are 0, of a picture half as large."""
    seen = weights > 0
    own = colours / np.where(seen, weights, 1)
    height, width = seen.shape[:2]
    if seen.all() or height * width == 1:
        return own
    pad = ((0, height % 2), (0, width % 2), (0, 0))
    smaller = (
        np.pad(part, pad).reshape(-(-height // 2), 2, -(-width // 2), 2, -1).sum((1, 3)) for part in (colours, weights)
    )
    larger = np.repeat(np.repeat(_pulled(*smaller), 2, 0), 2, 1)[:height, :width]
    return np.where(seen, own, larger)
