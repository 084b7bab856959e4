"""Cut out what a picture is of: a picture of the same size whose background is transparent, or another."""

from collections.abc import Iterator
from typing import Annotated, Any

from PIL import Image, ImageChops, ImageColor, ImageFilter, ImageOps
from pydantic import Field

from hotfolder import images
from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import RejectedInput
from hotfolder.spec import JobSpec, Options

BLUR_PART = 0.02
"""Of the picture's longer edge: how far the blurred background's blur reaches."""

MATTING_MEGAPIXELS = 4
"""Matting solves an equation for every pixel: it takes about 1 GB and half a minute a megapixel."""

EMPTY = 16
"""A mask that is nowhere lighter than this found nothing."""


class CutoutOptions(Options):
    """What only cutout knows."""

    background: Annotated[
        str,
        Field(min_length=1, max_length=1000, description="`transparent`, `blur`, a colour, or the path of a picture"),
    ] = "transparent"
    matting: Annotated[
        bool, Field(description="soft edges, hair above all, are worked out pixel by pixel; up to 4 megapixels")
    ] = False


class Cutout(Capability):
    kind = "cutout"
    aliases = ("rembg", "birefnet", "remove_background", "cut_out")
    uses = frozenset({"image"})
    needs = frozenset({"image"})
    source_type = "algorithmicallyEnhanced"

    Options = CutoutOptions

    @classmethod
    def pictures(cls, spec: JobSpec, options: Any) -> dict[str, str]:
        """Return the background where that is a picture: neither a word that is known nor a colour."""
        is_picture = options.background not in ("transparent", "blur") and _colour(options.background) is None
        return {"background": options.background} if is_picture else {}

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        megapixels = image_size[0] * image_size[1] / 1e6 if image_size else 0
        if options.matting and megapixels > MATTING_MEGAPIXELS:
            raise RejectedInput(
                f"`matting: true` is for pictures of up to {MATTING_MEGAPIXELS} megapixels, not {megapixels:.1f}: take "
                "it out, or make the picture smaller first"
            )

    def run(self, context: Context) -> Iterator[Result]:
        """Find the mask and lay what it shows upon the background; a picture's own transparency stays."""
        assert context.image
        given, options = context.image, context.options
        colour = images.on_white(given).convert("RGB")
        mask = context.pool.attempt(context.model, lambda family: family.cutout(colour))
        if mask.getextrema()[1] < EMPTY:
            raise RejectedInput("nothing was found that stands out from its background; nothing could be cut out")
        front = _matted(colour, mask) if options.matting else colour.copy()
        if not options.matting:
            front.putalpha(mask)
        if given.mode == "RGBA":
            front.putalpha(ImageChops.darker(front.getchannel("A"), given.getchannel("A")))
        notes = []
        if options.background != "transparent":
            front = Image.alpha_composite(self._behind(context, colour), front).convert("RGB")
        elif context.spec.format == "jpeg":
            notes.append("JPEG knows no transparency: what was cut away is white; `format: png` or webp keeps it")
            front = images.on_white(front)
        yield Result(front, context.planned[0], {"notes": tuple(notes)} if notes else {})

    def _behind(self, context: Context, image: Image.Image) -> Image.Image:
        """Return the background, RGBA, of the picture's size; a picture of other proportions is cut to fit."""
        name = context.options.background
        if name == "blur":
            return image.filter(ImageFilter.GaussianBlur(BLUR_PART * max(image.size))).convert("RGBA")
        if colour := _colour(name):
            return Image.new("RGBA", image.size, colour)
        picture = images.on_white(context.pictures["background"])
        return ImageOps.fit(picture, image.size, Image.Resampling.LANCZOS).convert("RGBA")


def _colour(name: str) -> tuple[int, ...] | None:
    """Return the colour that a word or a `#rrggbb` names, None where it is none."""
    try:
        return (*ImageColor.getrgb(name)[:3], 255)
    except ValueError:
        return None


def _matted(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Return the cutout with its edges worked out: alpha in closed form, and colours without the background's.

    **Source:** pymatting (MIT) as rembg uses it: surely inside above 240, surely outside below 10, both 10 px smaller.
    """
    from rembg.bg import alpha_matting_cutout, decontaminate_cutout

    try:
        made = alpha_matting_cutout(image, mask, 240, 10, 10)
    except ValueError:  # nothing is surely inside, or outside
        made = decontaminate_cutout(image, mask)
    cutout: Image.Image = made
    return cutout
