"""A part of a picture, worked on at the size that suits a model, and put back; every pixel outside stays its own.

A picture may have 50 megapixels: only the part's small copy is ever in floating point, and it comes back in bands.
"""

import math
from collections.abc import Callable
from typing import Any

from PIL import Image

from hotfolder.images import lengths, masks
from hotfolder.images.colour import on_white
from hotfolder.images.masks import Box

GRID_PX = 16
"""Edges that models work on are multiples of this."""

MOST_ENLARGED = 4
"""A part is at most so many times enlarged to be worked on, where its picture has more around it to show."""

MAX_ASPECT = 5 / 3
"""A part gets no longer than this for its width, where its picture has more around it to show."""

MAX_SHIFT = 16.0
"""Most that a colour is moved to meet its surroundings, in steps of 255."""

REACH = 1 / 5
"""How far into the hole colours are moved: a part of the longer edge that is worked on."""

BAND_PIXELS = 1 << 22

Resize = Callable[[Image.Image, tuple[int, int]], Image.Image]


def around(box: Box, padding: int | str, size: tuple[int, int], edge_px: int) -> Box:
    """Return the part of a picture that a model is shown to repaint what is in a box.

    Args:
        box: what is repainted.
        padding: a Length shown on each side of it; percent are of the box's longer edge.
        size: the picture's, (width, height).
        edge_px: side of the square that the model works at best.
    """
    by = lengths.pixels(padding, max(box[2] - box[0], box[3] - box[1]))
    spans = [(max(box[axis] - by, 0), min(box[axis + 2] + by, size[axis])) for axis in (0, 1)]
    longest = max(end - begin for begin, end in spans)
    least = math.ceil(max(edge_px / MOST_ENLARGED, longest / MAX_ASPECT))
    (left, right), (top, bottom) = (_widened(*span, least, edge) for span, edge in zip(spans, size, strict=True))
    return left, top, right, bottom


def work_size(size: tuple[int, int], edge_px: int, max_edge_px: int | None = None) -> tuple[int, int]:
    """Return at which size a part is worked on: of its proportions, with as many pixels as the model likes.

    Args:
        size: the part's, (width, height).
        edge_px: side of the square that the model works at best.
        max_edge_px: the longest edge that is allowed, at least GRID_PX.
    """
    ratio = min(max(size[0] / size[1], 1 / 4), 4)
    wide, high = edge_px * ratio**0.5, edge_px / ratio**0.5
    limit = max_edge_px or 2 * edge_px
    scale = min(1.0, limit / max(wide, high))
    width, height = (max(round(edge * scale / GRID_PX), 1) * GRID_PX for edge in (wide, high))
    return min(width, limit // GRID_PX * GRID_PX), min(height, limit // GRID_PX * GRID_PX)


def repaint(
    canvas: Image.Image,
    change: Image.Image,
    box: Box,
    size: tuple[int, int],
    make: Callable[[Image.Image, Image.Image], Image.Image],
    enlarge: Resize | None = None,
    bare: Image.Image | None = None,
) -> None:
    """Have a part of a picture made anew; what is put back replaces it by as much as the mask says.

    Args:
        canvas: L, RGB or RGBA; changed in place where `change` is not black. Its alpha stays.
        change: the mask, of the canvas's size.
        box: the part that is shown to the model.
        size: at which it works.
        make: given the part, RGB and of that size, and its hole, black and white, returns the part made anew.
        enlarge: brings what was made to about the box's size; None: Lanczos does that too.
        bare: a mask of where the canvas, L or RGB, holds nothing and is black, of its size; None for nowhere.
    """
    given = _shown(canvas, box, size, bare)
    hole = masks.sharp(change.resize(size, Image.Resampling.BILINEAR, box))
    made = meeting(make(given, hole), given, hole)
    wide, high = box[2] - box[0], box[3] - box[1]
    if enlarge:
        made = enlarge(made, (wide, high))
    made = made.resize((wide, made.height), Image.Resampling.LANCZOS)
    rows = max(1, BAND_PIXELS // wide)
    for top in range(0, high, rows):
        bottom = min(top + rows, high)
        source = (0.0, top * made.height / high, float(wide), bottom * made.height / high)
        band = made.resize((wide, bottom - top), Image.Resampling.LANCZOS, source)
        place = (box[0], box[1] + top, box[2], box[1] + bottom)
        if canvas.mode == "RGBA":
            band.putalpha(canvas.crop(place).getchannel("A"))
        canvas.paste(band.convert(canvas.mode), place, change.crop(place))


def meeting(made: Image.Image, given: Image.Image, hole: Image.Image) -> Image.Image:
    """Return what was made with its colours moved so that they meet those around the hole.

    A model gives back what it was shown a little lighter or darker. How much, smoothed, is known around the hole; it
    is taken off inside as well, less and less with the distance. No seam then shows.

    Args:
        made, given: RGB, of one size.
        hole: black and white, of that size.
    """
    import numpy as np  # here, not above: the service imports this and never decodes

    known = (np.asarray(hole, np.float32) < masks.WHITE_FROM)[..., None].astype(np.float32)
    if not known.any():
        return made
    pixels = np.asarray(made, np.float32)
    apart = np.clip(np.asarray(given, np.float32) - pixels, -MAX_SHIFT, MAX_SHIFT) * known
    reach = max(1, round(REACH * max(made.size)) // 3)
    near = _smoothed(known, reach)
    shift = _smoothed(apart, reach) / np.maximum(near, 1e-4) * np.minimum(2 * near, 1)
    return Image.fromarray(np.clip(pixels + shift + 0.5, 0, 255).astype(np.uint8))


def _shown(canvas: Image.Image, box: Box, size: tuple[int, int], bare: Image.Image | None) -> Image.Image:
    """Return a part of a picture at another size, RGB, on white; next to what is bare its colours do not get dark."""
    if canvas.mode == "RGBA":
        return on_white(canvas.crop(box).resize(size, Image.Resampling.LANCZOS)).convert("RGB")
    if bare is None:
        return canvas.resize(size, Image.Resampling.LANCZOS, box).convert("RGB")
    small = canvas.resize(size, Image.Resampling.BILINEAR, box).convert("RGB")  # Lanczos rings at edges to nothing
    there = bare.resize(size, Image.Resampling.BILINEAR, box).point([255 - grey for grey in range(256)])
    return Image.merge("RGBa", (*small.split(), there)).convert("RGBA").convert("RGB")


def _widened(begin: int, end: int, least: int, limit: int) -> tuple[int, int]:
    """Return a span made at least so long, to both sides alike where there is room."""
    length = min(max(end - begin, least), limit)
    begin = min(max((begin + end - length) // 2, 0), limit - length)
    return begin, begin + length


def _smoothed(values: Any, radius: int) -> Any:
    """Return (h, w, channels) blurred three times by a box along both axes; what lies outside counts as 0."""
    import numpy as np  # here, not above: the service imports this and never decodes

    for axis in (0, 1, 0, 1, 0, 1):
        pad = [(radius + 1, radius) if one == axis else (0, 0) for one in range(3)]
        sums = np.pad(values, pad).cumsum(axis, dtype=np.float32)
        ends, begins = (np.arange(values.shape[axis]) + by for by in (2 * radius + 1, 0))
        values = (sums.take(ends, axis) - sums.take(begins, axis)) / (2 * radius + 1)
    return values
