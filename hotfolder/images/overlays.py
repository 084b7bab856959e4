"""What was found in a picture, drawn over it for people to look at: never larger than a screen."""

from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from hotfolder.images.colour import on_white
from hotfolder.images.lengths import within

EDGE_PX = 2048
"""The longest edge of what is drawn."""

TINT = (255, 0, 110)
COLOURS = (
    (230, 25, 75), (0, 130, 200), (60, 180, 75), (245, 130, 48), (145, 30, 180), (0, 128, 128), (170, 110, 40),
    (240, 50, 230),
)  # fmt: skip
"""Of the boxes, by their label: told apart from each other, and readable under white letters."""


def mask(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Return a picture, RGB, with a mask of its size (mode L) laid over it: tinted where it is white, and outlined."""
    under, scale = _small(image)
    over = mask.resize(under.size, Image.Resampling.BILINEAR) if scale < 1 else mask
    tinted = Image.composite(Image.blend(under, Image.new("RGB", under.size, TINT), 0.45), under, over)
    width = 2 * max(1, round(max(under.size) / 700)) + 1
    sharp = over.point([255 * (grey > 127) for grey in range(256)])
    outline = ImageChops.subtract(sharp.filter(ImageFilter.MaxFilter(width)), sharp)
    tinted.paste(TINT, mask=outline)
    return tinted


def boxes(image: Image.Image, found: Sequence[tuple[str, float, tuple[float, float, float, float]]]) -> Image.Image:
    """Return a picture, RGB, with boxes and their labels.

    Args:
        image: mode L, RGB or RGBA.
        found: label, score (0..1) and box (x0, y0, x1, y1 in pixels of the picture); the first is drawn on top.
    """
    drawn, scale = _small(image)
    draw = ImageDraw.Draw(drawn)
    line = max(1, round(max(drawn.size) / 350))
    font = ImageFont.load_default(max(10, round(max(drawn.size) / 55)))
    colours = {label: COLOURS[n % len(COLOURS)] for n, label in enumerate(dict.fromkeys(one[0] for one in found))}
    for label, score, box in reversed(found):
        left, top, right, bottom = (scale * value for value in box)
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colours[label], width=line)
        text = f" {label} {score:.2f} "
        size = draw.textbbox((0, 0), text, font=font)
        wide, high = size[2], size[3] + size[1]
        x = max(0, min(left, drawn.width - wide))
        y = top - high if top >= high else top  # inside, where there is no room above
        draw.rectangle((x, y, x + wide, y + high), fill=colours[label])
        draw.text((x, y), text, fill="white", font=font)
    return drawn


def _small(image: Image.Image) -> tuple[Image.Image, float]:
    """Return a copy no larger than EDGE_PX, RGB on white, and its scale to the picture."""
    scale = min(1.0, EDGE_PX / max(image.size))
    small = image.resize(within(image.size, EDGE_PX), Image.Resampling.BOX) if scale < 1 else image.copy()
    return on_white(small).convert("RGB"), scale
