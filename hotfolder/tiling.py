"""Work on a large picture piece by piece: a plan of overlapping tiles, and their results blended without a seam.

A network that looks at neighbours gives wrong pixels where its tile ends. So the outer `GUARD` pixels of each tile are
thrown away, and between the guards of two tiles lies a ramp over which one fades into the other; everywhere the weights
add up to one. The picture's own edge is repeated outwards, so that it lies behind a guard like any other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

GUARD = 12
"""Pixels at a tile's end that are thrown away; Real-ESRGAN's own program throws 10 away."""

RAMP = 8
"""Pixels over which two tiles fade into each other."""

OVERLAP = 2 * GUARD + RAMP
SMALLEST = 2 * OVERLAP


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels of the framed picture.

    It covers begin..end, of which keep_begin..keep_end counts; `fades_in` and `fades_out` say whether the first and the
    last `RAMP` pixels of that are shared with a neighbour.
    """

    begin: int
    end: int
    keep_begin: int
    keep_end: int
    fades_in: bool
    fades_out: bool

    def weights(self, scale: int) -> Tensor:
        """Return the weight of each kept pixel of the result, `scale` times as many."""
        weights = torch.ones((self.keep_end - self.keep_begin) * scale)
        size = RAMP * scale
        ramp = (torch.arange(size) + 0.5) / size
        if self.fades_in:
            weights[:size] = ramp
        if self.fades_out:
            weights[-size:] = ramp.flip(0)
        return weights


def plan(length: int, tile_px: int) -> list[Span]:
    """Return the tiles along an axis of `length` pixels, evenly laid and all of one size, at most `tile_px`.

    Raises:
        ValueError: the tiles are too small to overlap.
    """
    if tile_px < SMALLEST:
        raise ValueError(f"tiles of {tile_px} pixels; at least {SMALLEST} are needed to blend them")
    framed = length + 2 * GUARD
    size = min(tile_px, framed)
    count = max(1, math.ceil((framed - OVERLAP) / (size - OVERLAP))) if framed > size else 1
    begins = [round(i * (framed - size) / max(1, count - 1)) for i in range(count)]
    cuts = [(right + left + size - RAMP) // 2 for left, right in zip(begins, begins[1:])]
    return [
        Span(
            begin,
            begin + size,
            cuts[i - 1] if i else GUARD,
            cuts[i] + RAMP if i < count - 1 else framed - GUARD,
            i > 0,
            i < count - 1,
        )
        for i, begin in enumerate(begins)
    ]


def tiled(
    pixels: np.ndarray,
    scale: int,
    tile_px: int,
    enlarge: Callable[[Tensor], Tensor],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> np.ndarray:
    """Enlarge a picture tile by tile.

    Args:
        pixels: (h, w, channels), uint8.
        scale: how many times longer `enlarge` makes each edge.
        tile_px: the edge of the largest square given to `enlarge`.
        enlarge: takes (1, channels, h, w) uint8 and gives (1, channels, h * scale, w * scale), floating point, 0..1, on
            the device that shall blend.
        progress: is told how many tiles are done, of how many.

    Returns:
        (h * scale, w * scale, channels), uint8. Only a row of tiles is in floating point at a time.
    """
    height, width, channels = pixels.shape
    rows, columns = plan(height, tile_px), plan(width, tile_px)
    out = np.empty((height * scale, width * scale, channels), np.uint8)
    framed = torch.from_numpy(np.pad(pixels, ((GUARD, GUARD), (GUARD, GUARD), (0, 0)), "edge")).permute(2, 0, 1)
    below: Tensor | None = None  # what the row above gives to the ramp it shares with this one
    done = 0
    for row in rows:
        strip: Tensor | None = None
        for column in columns:
            tile = framed[None, :, row.begin : row.end, column.begin : column.end]
            made = _kept(enlarge(tile.contiguous())[0], row, column, scale)
            if strip is None:
                strip = made.new_zeros(channels, made.shape[1], width * scale)
            left = (column.keep_begin - GUARD) * scale
            strip[:, :, left : left + made.shape[2]] += made * column.weights(scale).to(made)
            done += 1
            progress(done, len(rows) * len(columns))
        assert strip is not None
        strip *= row.weights(scale).to(strip)[:, None]
        if below is not None:
            strip[:, : RAMP * scale] += below
        whole = strip.shape[1] - (RAMP * scale if row.fades_out else 0)
        below = strip[:, whole:].clone()
        top = (row.keep_begin - GUARD) * scale
        out[top : top + whole] = _uint8(strip[:, :whole]).permute(1, 2, 0).cpu().numpy()
    return out


def _kept(made: Tensor, row: Span, column: Span, scale: int) -> Tensor:
    """Cut the guards off the result of a tile, (channels, h, w)."""
    top, left = (row.keep_begin - row.begin) * scale, (column.keep_begin - column.begin) * scale
    height, width = (row.keep_end - row.keep_begin) * scale, (column.keep_end - column.keep_begin) * scale
    return made[:, top : top + height, left : left + width]


def _uint8(values: Tensor) -> Tensor:
    """Round 0..1 to 0..255 where the values are, so that a quarter of the bytes leave the device."""
    return values.float().mul(255).round_().clamp_(0, 255).to(torch.uint8)
