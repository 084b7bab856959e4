"""Tiles: whatever their size, the picture comes out as if it had been done at once."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hotfolder import tiling
from hotfolder.tiling import GUARD, OVERLAP, RAMP, SMALLEST

SCALE = 2


@pytest.mark.parametrize("tile_px", [SMALLEST, 65, 100, 256])
@pytest.mark.parametrize("length", [1, 2, 39, 40, 41, 63, 64, 65, 88, 89, 127, 500, 1001])
def test_a_plan_covers_every_pixel_once_and_no_guard_counts(length: int, tile_px: int) -> None:
    spans = tiling.plan(length, tile_px)
    framed = length + 2 * GUARD
    weights = torch.zeros(framed * SCALE)
    for span in spans:
        assert span.begin >= 0 and span.end <= framed and span.end - span.begin == min(tile_px, framed)
        assert span.keep_begin - span.begin >= GUARD and span.end - span.keep_end >= GUARD
        weights[span.keep_begin * SCALE : span.keep_end * SCALE] += span.weights(SCALE)
    inside = weights[GUARD * SCALE : (GUARD + length) * SCALE]
    torch.testing.assert_close(inside, torch.ones_like(inside))
    assert weights.sum().item() == pytest.approx(length * SCALE, rel=1e-4)
    assert len(spans) == 1 or tile_px - (spans[1].begin - spans[0].begin) >= OVERLAP
    assert not any(later.keep_begin < earlier.keep_end - RAMP for earlier, later in zip(spans, spans[1:]))


def test_tiles_too_small_to_blend_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 64"):
        tiling.plan(100, 63)


def looking(radius: int, much: float = 0.5) -> Callable[[Tensor], Tensor]:
    """Return a network that sees `radius` pixels far, so `much`, and zeros beyond the tile's end as convolutions do."""

    def enlarge(tile: Tensor) -> Tensor:
        values = tile.float() / 255
        size = 2 * radius + 1
        smooth = functional.avg_pool2d(values, size, stride=1, padding=radius)
        return functional.interpolate((1 - much) * values + much * smooth, scale_factor=SCALE)

    return enlarge


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, channels)).astype(np.uint8)


def steps(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("radius", [1, GUARD])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 64), (65, 200), (150, 41)])
def test_what_looks_no_further_than_the_guard_is_the_same_in_tiles(size: tuple[int, int], radius: int) -> None:
    pixels = noise(*size)
    whole = tiling.tiled(pixels, SCALE, 10_000, looking(radius))
    assert whole.shape == (size[0] * SCALE, size[1] * SCALE, 3) and whole.dtype == np.uint8
    assert steps(tiling.tiled(pixels, SCALE, SMALLEST, looking(radius)), whole) <= 1


def test_what_looks_further_shows_no_seam_on_a_gradient() -> None:
    """Each step between neighbours is what it is without tiles, though the tiles differ by more than a step."""
    y, x = np.mgrid[0:200, 0:200]
    pixels = np.repeat((x * 0.7 + y * 0.5)[..., None], 3, 2).astype(np.uint8)
    network = looking(20, 0.15)
    whole, pieces = (tiling.tiled(pixels, SCALE, tile_px, network).astype(int) for tile_px in (10_000, SMALLEST))
    assert steps(pieces, whole) >= 5, "else this proves nothing"
    for axis in (0, 1):
        assert steps(np.diff(pieces, axis=axis), np.diff(whole, axis=axis)) <= 1 + 1, "1, and 1 of rounding"


def test_the_pictures_own_edge_is_not_darkened_by_the_zeros_beyond_it() -> None:
    assert (tiling.tiled(np.full((30, 30, 3), 200, np.uint8), SCALE, 64, looking(GUARD)) == 200).all()


def test_every_tile_is_told_of() -> None:
    told: list[tuple[int, int]] = []
    tiling.tiled(noise(100, 150), SCALE, SMALLEST, looking(1), lambda done, of: told.append((done, of)))
    assert told == [(number, len(told)) for number in range(1, len(told) + 1)] and len(told) > 6


def test_half_precision_and_one_channel_work_alike() -> None:
    pixels = noise(100, 80, 1)
    half = tiling.tiled(pixels, SCALE, SMALLEST, lambda tile: looking(2)(tile).half())
    assert steps(half, tiling.tiled(pixels, SCALE, SMALLEST, looking(2))) <= 1
