"""Find what words mean in a picture: a grey picture of its size, white where it is, and an overlay to look at."""

from collections.abc import Iterator
from typing import Annotated, Any

from PIL import ImageChops
from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import RejectedInput
from hotfolder.images import masks, overlays, sought
from hotfolder.spec import JobSpec, Options, Unit


class MaskOptions(Options):
    """What only mask knows. `threshold` is a score, 0..1."""

    threshold: Annotated[Unit, Field(description="score from which a place counts as found")] = 0.4
    soft: Annotated[bool, Field(description="greys for how sure the model is, instead of black and white")] = False


class Mask(Capability):
    kind = "mask"
    aliases = ("auto_mask", "clipseg", "segment")
    uses = frozenset({"image", "prompt", "mask_grow", "mask_blur", "mask_invert"})
    needs = frozenset({"image", "prompt"})
    ignores = frozenset({"format", "quality", "keep_exif"})
    hands_on = "mask"
    source_type = "trainedAlgorithmicMedia"

    Options = MaskOptions

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        for prompt in [spec.prompt] if isinstance(spec.prompt, str) else spec.prompt or ():
            if not sought.phrases(prompt):
                raise RejectedInput(f"`prompt: {prompt}` has no words to look for")

    def run(self, context: Context) -> Iterator[Result]:
        """Make one mask for each prompt, of all its phrases together."""
        assert context.image
        image, spec, options = context.image, context.spec, context.options
        for planned in context.planned:
            phrases = sought.phrases(planned.prompt)

            def look(family: Any, phrases: list[str] = phrases) -> list[Any]:
                return list(family.mask(image, phrases))

            maps = context.pool.attempt(context.model, look)
            missed = sought.missed(phrases, [float(one.max()) for one in maps], options.threshold)
            if len(missed) == len(phrases):
                raise RejectedInput("; ".join(missed))
            mask = masks.of_scores(maps, None if options.soft else options.threshold, image.size)
            grown = masks.grown(mask, spec.mask_grow or 0)
            if mask.getbbox() and not grown.getbbox():
                raise RejectedInput(f"`mask_grow: {spec.mask_grow}` leaves nothing of what was found; shrink it less")
            mask = masks.faded(grown, spec.mask_blur or 0)
            if spec.mask_invert:
                mask = ImageChops.invert(mask)
            facts: dict[str, Any] = {"notes": tuple(missed)} if missed else {}
            yield Result(mask, planned, facts, pictures={".overlay.png": overlays.mask(image, mask)})
