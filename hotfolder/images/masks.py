"""Masks: mode L, white (255) where something is to change, black where every pixel stays.

All of it works in 8 bits and, where it can, on the part of a mask that is not black: a mask may have 50 megapixels.
"""

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageChops, ImageFilter

from hotfolder.errors import RejectedInput

WHITE_FROM = 128
"""From here on a grey counts as white, where there is only yes or no."""

SAME_ASPECT = 0.01
"""How far the proportions of a mask may be from its picture's: sizes are whole pixels."""

TAIL = 3.0
"""Where a Gaussian blur ends, in standard deviations: less than half a step of 255 is left."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are outside."""


def of_picture(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture of a mask as a mask for a picture of `size`; what it leaves transparent counts as black.

    Raises:
        RejectedInput: it has other proportions than the picture.
    """
    grey = mask.convert("L")
    if mask.mode == "RGBA":
        grey = ImageChops.multiply(grey, mask.getchannel("A"))
    if grey.size == size:
        return grey
    ratio = (grey.width * size[1]) / (grey.height * size[0])
    if abs(ratio - 1) > SAME_ASPECT:
        raise RejectedInput(
            f"the mask has {grey.width}x{grey.height} pixels and the picture {size[0]}x{size[1]}: a mask of another "
            "size needs the same proportions; save it from the picture that it belongs to"
        )
    return grey.resize(size, Image.Resampling.BILINEAR)


def of_alpha(image: Image.Image) -> Image.Image:
    """Return the mask of what is transparent in a picture; black everywhere where nothing is."""
    if image.mode != "RGBA":
        return Image.new("L", image.size)
    return ImageChops.invert(image.getchannel("A"))


def of_scores(found: Sequence[Any], threshold: float | None, size: tuple[int, int]) -> Image.Image:
    """Return the mask, of `size`, of where any of some maps reaches a threshold.

    Args:
        found: (h, w) each, floating point, 0..1, for a picture of any size.
        threshold: 0..1; None for greys, how high the best score is.
        size: (width, height).
    """
    import numpy as np  # here, not above: the service imports this and never decodes

    best = np.maximum.reduce(list(found))
    scores = Image.fromarray(np.round(np.clip(best, 0, 1) * 255).astype(np.uint8))
    if threshold is None:
        return scores.resize(size, Image.Resampling.BILINEAR)
    lowest = round(255 * threshold)
    yes_or_no = [255 * (score >= lowest) for score in range(256)]
    mask = scores.resize(size, Image.Resampling.BILINEAR).point(yes_or_no)
    # what is smaller than a pixel of the map, or of the picture, is found all the same
    return (
        mask if mask.getbbox() else scores.point(yes_or_no).resize(size, Image.Resampling.BOX).point([0] + [255] * 255)
    )


def grown(mask: Image.Image, by_px: int) -> Image.Image:
    """Return a mask that reaches `by_px` pixels farther to all sides, as an octagon does; less far where negative."""
    import numpy as np  # here, not above: the service imports this and never decodes

    if by_px < 0:
        return ImageChops.invert(grown(ImageChops.invert(mask), -by_px))
    box = mask.getbbox()
    if not by_px or not box:
        return mask
    area = _around(box, by_px, mask.size)
    slanted = round(by_px * (1 - 0.5**0.5))  # of a regular octagon: sides and slants are equally long
    pixels = np.pad(np.asarray(mask.crop(area)), slanted, "edge")  # what touches the picture's edge goes on behind it
    straight = by_px - 2 * slanted
    for step, reach in (((0, 1), straight), ((1, 0), straight), ((1, 1), slanted), ((1, -1), slanted)):
        _spread(pixels, step, reach)
    height, width = pixels.shape
    result = Image.new("L", mask.size)
    result.paste(Image.fromarray(pixels[slanted : height - slanted, slanted : width - slanted]), area)
    return result


def faded(mask: Image.Image, over_px: float) -> Image.Image:
    """Return a mask whose edge fades outwards over about `over_px` pixels and a tail as long again.

    What is white stays white, so that a narrow scratch is not half mended.
    """
    box = mask.getbbox()
    if not over_px or not box:
        return mask
    area = _around(box, round(over_px * (1 + TAIL / 2)) + 1, mask.size)
    inside = mask.crop(area)
    soft = grown(inside, round(over_px)).filter(ImageFilter.GaussianBlur(over_px / 2))
    result = Image.new("L", mask.size)
    result.paste(ImageChops.lighter(soft, inside), area)
    return result


def brightest(mask: Image.Image) -> int:
    """Return the lightest grey of a mask, 0..255."""
    _, highest = mask.getextrema()
    assert isinstance(highest, int)
    return highest


def sharp(mask: Image.Image) -> Image.Image:
    """Return a mask of black and white alone."""
    return mask.point([255 * (grey >= WHITE_FROM) for grey in range(256)])


def _around(box: Box, margin_px: int, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return (
        max(left - margin_px, 0), max(top - margin_px, 0),
        min(right + margin_px, size[0]), min(bottom + margin_px, size[1]),
    )  # fmt: skip


def _spread(pixels: Any, step: tuple[int, int], reach: int) -> None:
    """Give each pixel the brightest value within `reach` steps both ways along a line; (h, w), in place."""
    import numpy as np  # here, not above: the service imports this and never decodes

    for down, right in (step, (-step[0], -step[1])):
        covered = 0
        while covered < reach:
            by = min(covered + 1, reach - covered)
            here, there = _shifted(pixels, down * by, right * by)
            np.maximum(here, there.copy(), out=here)
            covered += by


def _shifted(pixels: Any, down: int, right: int) -> tuple[Any, Any]:
    """Return two views of equal size: pixels, and those that lie so far up and left of them."""
    high, wide = (max(edge - abs(by), 0) for edge, by in zip(pixels.shape, (down, right), strict=True))
    here, there = ((max(sign * down, 0), max(sign * right, 0)) for sign in (1, -1))
    return tuple(pixels[top : top + high, left : left + wide] for top, left in (here, there))
