"""Repaint a part of a picture from words; every pixel outside the mask stays the picture's own."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from PIL import Image, ImageChops
from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import BadSpec, Problem, RejectedInput
from hotfolder.images import masks, sought
from hotfolder.images.lengths import Length
from hotfolder.models import samplers
from hotfolder.models.filling import Filler, upscaling
from hotfolder.spec import JobSpec, Options, Unit

BLUR_PX = 4.0
MASKS = (
    "put one beside the picture (photo.mask.png for photo.png, white where something is to change), write "
    "`mask_prompt:` with words for that place, or erase it in the picture"
)


class InpaintOptions(Options):
    """What only inpaint knows."""

    only_masked: Annotated[
        bool, Field(description="show the model the masked part and its surroundings alone, as large as it likes")
    ] = True
    padding: Annotated[
        Length,
        Field(description="surroundings shown on each side: pixels, or percent of the masked part's longer edge"),
    ] = "30%"
    threshold: Annotated[Unit, Field(description="score from which `mask_prompt` counts as found")] = 0.4


class Inpaint(Capability):
    kind = "inpaint"
    aliases = ("fill", "inpainting")
    uses = frozenset(
        "prompt seed variants steps guidance sampler loras image mask mask_prompt mask_blur mask_grow "
        "mask_invert upscaler".split()
    )
    needs = frozenset({"image", "prompt"})
    source_type = "compositeWithTrainedAlgorithmicMedia"

    Options = InpaintOptions

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        samplers.check(spec.sampler)
        if spec.mask_prompt and not sought.phrases(spec.mask_prompt):
            problem = Problem(
                "the job", None, "mask_prompt", f"`mask_prompt: {spec.mask_prompt}` has no words to look for"
            )
            raise BadSpec([problem])

    @classmethod
    def lacks(cls, spec: JobSpec, options: Any, has_alpha: bool) -> str | None:
        return None if spec.mask or spec.mask_prompt or has_alpha else f"needs a mask: {MASKS}"

    @classmethod
    def helpers(cls, spec: JobSpec, options: Any) -> tuple[str, ...]:
        return (*(("mask",) if spec.mask_prompt and not spec.mask else ()), *upscaling(spec))

    def run(self, context: Context) -> Iterator[Result]:
        """Repaint what the mask says: an image, what was found for `mask_prompt`, or what is transparent."""
        assert context.image
        spec, options = context.spec, context.options
        mask, notes = self._mask(context)
        change = _changed(mask, spec)
        start, bare = context.image, None
        if "mask" not in context.pictures and not spec.mask_prompt and not spec.mask_invert:
            # what is transparent is painted, as opaque as the rest; whatever colour stood there shows nowhere
            alpha = masks.of_alpha(context.image)
            change = ImageChops.lighter(change, alpha)
            bare = alpha.point([0] * 255 + [255])
            start = context.image.convert("RGB")
            start.paste(0, mask=bare)
        filler = Filler.of(context)
        padding = options.padding if options.only_masked else None
        for planned in context.planned:
            result = start.copy()
            facts = filler.paint(result, change, (0, 0, *change.size), padding, planned, context.progress, bare)
            facts["notes"] = (*notes, *facts.get("notes", ()))
            yield Result(result, planned, facts, pictures={".mask.png": change})

    def _mask(self, context: Context) -> tuple[Image.Image, tuple[str, ...]]:
        """Return the mask as it was given, not all black, and notes on it."""
        assert context.image
        spec, size = context.spec, context.image.size
        notes: tuple[str, ...] = ()
        if "mask" in context.pictures:
            mask, what = masks.of_picture(context.pictures["mask"], size), "the mask"
            if spec.mask_prompt:
                notes = (f"`mask_prompt` changed nothing: {what} says where to paint",)
        elif spec.mask_prompt:
            mask, notes = _found(context, spec.mask_prompt, context.options.threshold)
            what = "what was found"
        else:
            mask, what = masks.of_alpha(context.image), "the picture"
            if not mask.getbbox():
                raise RejectedInput(f"nothing of the picture is transparent, and there is no mask: {MASKS}")
        brightest = masks.brightest(mask)
        if spec.mask_invert:
            mask = mask.point([255 - grey for grey in range(256)])
            if masks.brightest(mask) < masks.WHITE_FROM:
                raise RejectedInput(f"{what}, inverted, leaves nothing to paint; take `mask_invert` out")
        elif brightest < masks.WHITE_FROM:
            how = "black all over" if not brightest else f"too dark: its brightest grey is {brightest} of 255"
            raise RejectedInput(f"{what} is {how}; make white what is to be painted anew")
        return mask, notes


def _changed(mask: Image.Image, spec: JobSpec) -> Image.Image:
    """Return how much of each pixel becomes new: the mask grown and its edge faded."""
    grown = masks.grown(mask, spec.mask_grow or 0)
    if masks.brightest(grown) < masks.WHITE_FROM:
        raise RejectedInput(f"`mask_grow: {spec.mask_grow}` leaves nothing of the mask; shrink it less")
    return masks.faded(grown, BLUR_PX if spec.mask_blur is None else spec.mask_blur)


def _found(context: Context, words: str, threshold: float) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the mask of what was found of some phrases, with a note on each that was not."""
    assert context.image
    phrases = sought.phrases(words)
    found: Sequence[Any] = context.ask("mask", lambda family: family.mask(context.image, phrases))
    missed = sought.missed(phrases, [float(scores.max()) for scores in found], threshold)
    if len(missed) == len(phrases):
        raise RejectedInput("; ".join(missed))
    return masks.of_scores(found, threshold, context.image.size), tuple(missed)
