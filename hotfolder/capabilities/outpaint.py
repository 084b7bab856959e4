"""Give a picture more around it; its own pixels stay as they are."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from PIL import Image
from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import BadSpec, NotYet, Problem, RejectedInput
from hotfolder.images import lengths, masks, on_white
from hotfolder.images.lengths import Length
from hotfolder.images.masks import Box
from hotfolder.metadata import write
from hotfolder.models import samplers
from hotfolder.models.filling import Filler, upscaling
from hotfolder.spec import Edge, JobSpec, Options, Strict

MAX_RESULT_MEGAPIXELS = 250
MAX_ASPECT = 20
LONG = 2
"""How many times longer than wide a picture is that is not painted at once: its two ends one after the other, and of
the rest only so much is shown to the model that what it sees is not longer than this."""

_ASPECT = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,6})?) ?[:/x×] ?([0-9]{1,5}(?:\.[0-9]{1,6})?)")
ANCHORS = {
    "center": (0.5, 0.5), "left": (0, 0.5), "right": (1, 0.5), "top": (0.5, 0), "bottom": (0.5, 1),
    "top left": (0, 0), "top right": (1, 0), "bottom left": (0, 1), "bottom right": (1, 1),
}  # fmt: skip


class Sides(Strict):
    """How much is added on each side: pixels, or percent of the picture's width (left, right) or height."""

    left: Length = 0
    right: Length = 0
    top: Length = 0
    bottom: Length = 0


class OutpaintOptions(Options):
    """What only outpaint knows: one of `extend`, `aspect` and a size says how far."""

    extend: Annotated[
        Length | Sides | None,
        Field(description="pixels or percent to add: on all sides, or {left, right, top, bottom}"),
    ] = None
    aspect: Annotated[str | float | None, Field(description="the result's proportions, such as 16:9")] = None
    width: Annotated[Edge | None, Field(description="of the result, in pixels; both at once: `size: 1920x1080`")] = None
    height: Annotated[Edge | None, Field(description="of the result, in pixels")] = None
    anchor: Annotated[
        Literal["center", "left", "right", "top", "bottom", "top left", "top right", "bottom left", "bottom right"],
        Field(description="where the picture lies in an aspect or size"),
    ] = "center"
    transparent: Annotated[
        Literal["fill", "keep"], Field(description="what becomes of the picture's transparent parts: painted, or kept")
    ] = "fill"


class Outpaint(Capability):
    kind = "outpaint"
    aliases = ("uncrop", "outpainting", "extend")
    uses = frozenset("prompt seed variants steps guidance sampler loras image upscaler".split())
    needs = frozenset({"image"})
    source_type = "compositeWithTrainedAlgorithmicMedia"

    Options = OutpaintOptions

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        samplers.check(spec.sampler)
        _given(options)
        if image_size:
            size, _ = canvas_of(options, image_size)
            write.check_size(spec.format, *size)

    @classmethod
    def helpers(cls, spec: JobSpec, options: Any) -> tuple[str, ...]:
        return upscaling(spec)

    def run(self, context: Context) -> Iterator[Result]:
        """Paint around the picture, in several steps where that is more than its own size."""
        assert context.image
        picture, options = context.image, context.options
        size, (left, top) = canvas_of(options, picture.size)
        own = (left, top, left + picture.width, top + picture.height)
        is_filled = options.transparent == "fill" and masks.of_alpha(picture).getbbox() is not None
        filler = Filler.of(context)
        steps = list(steps_to(own, size))
        for planned in context.planned:
            canvas, change = _begun(picture, size, own, is_filled)
            todo, facts = change.copy(), dict[str, Any]()
            for number, reached in enumerate(steps):

                def progress(step: int, of: int, number: int = number) -> None:
                    context.progress(number * of + step, len(steps) * of)

                seeded = planned.model_copy(update={"seed": (planned.seed + number) % 2**64})
                bare = todo.point([0] * 255 + [255])
                facts |= filler.paint(canvas, todo, reached, _padding(todo.crop(reached)), seeded, progress, bare)
                todo.paste(0, reached)
            if picture.mode == "RGBA" and not is_filled:
                canvas.putalpha(255)
                canvas.paste(picture, own)
            yield Result(canvas, planned, facts, pictures={".mask.png": change})


def canvas_of(options: Any, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the result's (width, height), and where in it the left upper corner of a picture of `size` lies.

    Raises:
        NotYet: the job does not say how far.
        BadSpec, RejectedInput: what it says cannot be done.
    """
    key = _given(options)
    if options.extend is not None:
        return _extended(options.extend, size)
    wide, high = (options.width or size[0], options.height or size[1]) if key == "size" else _with_aspect(options, size)
    shown = f"{wide}x{high}"
    if wide < size[0] or high < size[1]:
        raise _wrong(
            "size", f"{shown} is smaller than the picture, {size[0]}x{size[1]}, and nothing is cut off here; give a "
            "larger `size`, or its proportions as `aspect`"
        )  # fmt: skip
    # a pixel's difference is what whole pixels make of the same proportions
    if (wide, high) == size or (key == "aspect" and wide - size[0] <= 1 and high - size[1] <= 1):
        raise _wrong(key, f"the picture, {size[0]}x{size[1]}, has that {key} already: nothing is to be added")
    _refuse_vast((wide, high))
    across, down = ANCHORS[options.anchor]
    return (wide, high), (round((wide - size[0]) * across), round((high - size[1]) * down))


def _given(options: Any) -> str:
    """Return which of the keys says how far to go; raises NotYet without any, BadSpec with two."""
    has_size = options.width is not None or options.height is not None
    said = {"extend": options.extend is not None, "aspect": options.aspect is not None, "size": has_size}
    given = [key for key, is_given in said.items() if is_given]
    if not given:
        raise NotYet(
            "needs to know how far to go: write `extend: 25%` (or {left: 200, top: 10%}), `aspect: 16:9` or a `size`"
        )
    if len(given) > 1:
        raise _wrong(given[-1], f"`{given[0]}` and `{given[1]}` both say how far; keep one, or leave one of them empty")
    return given[0]


def _extended(extend: Any, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    sides = extend if isinstance(extend, Sides) else Sides(left=extend, right=extend, top=extend, bottom=extend)
    left, right = (lengths.pixels(length, size[0]) for length in (sides.left, sides.right))
    top, bottom = (lengths.pixels(length, size[1]) for length in (sides.top, sides.bottom))
    if not any((left, right, top, bottom)):
        raise _wrong("extend", "`extend` adds nothing; give at least one side some pixels, or percent of its edge")
    wide, high = size[0] + left + right, size[1] + top + bottom
    _refuse_vast((wide, high))
    return (wide, high), (left, top)


def _with_aspect(options: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest size of an aspect that a picture fits into."""
    written = str(options.aspect).strip()
    match = _ASPECT.fullmatch(written)
    try:
        ratio = float(match[1]) / float(match[2]) if match else float(written)
    except (ValueError, ZeroDivisionError):
        ratio = 0.0
    if not 1 / MAX_ASPECT <= ratio <= MAX_ASPECT:
        raise _wrong("aspect", f"`aspect` must be like 16:9 or 1.5, from 1:{MAX_ASPECT} to {MAX_ASPECT}:1, "
                     f"not `{written[:40]}`")  # fmt: skip
    return max(size[0], round(size[1] * ratio)), max(size[1], round(size[0] / ratio))


def _refuse_vast(size: tuple[int, int]) -> None:
    megapixels = size[0] * size[1] / 1_000_000
    if megapixels > MAX_RESULT_MEGAPIXELS:
        raise RejectedInput(
            f"the result would have {size[0]}x{size[1]} pixels, {megapixels:,.0f} million; at most "
            f"{MAX_RESULT_MEGAPIXELS} can be made"
        )


def steps_to(own: Box, size: tuple[int, int]) -> Iterator[Box]:
    """Yield how far the picture reaches after each step of painting, the whole canvas last.

    No step more than doubles an edge: painted at once, little of what the model sees would be the picture. Where a
    picture gets long, its two ends are painted one after the other, so that each is seen large.
    """
    left, top, right, bottom = own
    while (left, top, right, bottom) != (0, 0, *size):
        ends = [*_reach(left, right, size[0]), *_reach(top, bottom, size[1])]
        wide, high = ends[1] - ends[0], ends[3] - ends[2]
        if wide > LONG * high and ends[0] < left and ends[1] > right:
            ends[1] = right
        elif high > LONG * wide and ends[2] < top and ends[3] > bottom:
            ends[3] = bottom
        left, right, top, bottom = ends
        yield left, top, right, bottom


def _padding(todo: Image.Image) -> int | None:
    """Return how many pixels beside what is to be painted the model is shown; None for all that is there.

    It should see what the prompt names: else it paints that once more.
    """
    hole = todo.getbbox()
    assert hole
    short, long = sorted(todo.size)
    if long <= LONG * short:
        return None
    axis = todo.size.index(long)
    return max(LONG * short - (hole[axis + 2] - hole[axis]), 0)


def _reach(begin: int, end: int, edge: int) -> tuple[int, int]:
    """Return a span grown to the whole edge, or to twice its length with both ends in their proportions."""
    missing, most = edge - (end - begin), end - begin
    if missing <= most:
        return 0, edge
    before = begin * most // missing
    return begin - before, end + most - before


def _begun(picture: Image.Image, size: tuple[int, int], own: Box, is_filled: bool) -> tuple[Image.Image, Image.Image]:
    """Return a canvas with the picture on it, L or RGB and black where there is nothing, and the mask of what is to be
    painted."""
    change = Image.new("L", size, 255)
    if is_filled:
        mask = masks.of_alpha(picture)
        if mask.getextrema()[0] == 255:
            raise RejectedInput("all of the picture is transparent: there is nothing to go on from")
        colours = picture.convert("RGB")
        colours.paste(0, mask=mask.point([0] * 255 + [255]))
        change.paste(mask, own)
    else:
        colours = on_white(picture)
        change.paste(0, own)
    canvas = Image.new(colours.mode, size)
    canvas.paste(colours, own)
    return canvas, change


def _wrong(key: str, message: str) -> BadSpec:
    return BadSpec([Problem("the job", None, key, message)])
