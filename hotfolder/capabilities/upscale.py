"""Make a picture larger: by a network that invents the detail, or by resampling (`model: lanczos`), any factor."""

import math
from collections.abc import Iterator
from typing import Annotated, Any

from PIL import Image
from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import RejectedInput
from hotfolder.metadata import write
from hotfolder.spec import JobSpec, Options

MAX_RESULT_MEGAPIXELS = 400
DEFAULT_FACTOR = 4.0


class UpscaleOptions(Options):
    """What only upscale knows. `factor`: how many times longer each edge gets."""

    factor: Annotated[
        float | None, Field(gt=0, le=64, description="how many times larger each edge gets; default the model's, 4")
    ] = None


class Upscale(Capability):
    kind = "upscale"
    aliases = ("enlarge", "esrgan", "super_resolution", "resize")
    uses = frozenset({"image"})
    needs = frozenset({"image"})
    source_type = "algorithmicallyEnhanced"

    Options = UpscaleOptions

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        if image_size is None:
            return
        size = _times(image_size, options.factor or DEFAULT_FACTOR)
        write.check_size(spec.format, *size)
        _refuse_vast(image_size, size, "use a smaller `factor`")

    def run(self, context: Context) -> Iterator[Result]:
        """Enlarge as often as the network's own scale goes into the factor, at least once; Lanczos does the rest.

        A factor of 1 or less needs no invented detail: it is resampled.
        """
        from hotfolder.images import networks

        assert context.image
        given = context.image

        def enlarge(network: Any) -> tuple[Image.Image, tuple[int, int]]:
            image, factor = given, context.options.factor or network.scale
            passes = max(1, int(math.log(factor, network.scale) + 1e-9)) if factor > 1 else 0
            _refuse_vast(image.size, _times(image.size, network.scale**passes), "use `model: lanczos`")
            for _ in range(passes):
                image = networks.enlarge(image, network.enlarge, context.progress)
            return image, _times(given.size, factor)

        if context.model:
            image, size = context.pool.attempt(context.model, enlarge)
        else:
            image, size = given, _times(given.size, context.options.factor or DEFAULT_FACTOR)
        facts = {} if image.size == size else {"sampler": "Lanczos"}
        yield Result(_resample(image, size), context.planned[0], facts)


def _times(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _refuse_vast(size: tuple[int, int], larger: tuple[int, int], instead: str) -> None:
    megapixels = larger[0] * larger[1] / 1_000_000
    if megapixels > MAX_RESULT_MEGAPIXELS:
        raise RejectedInput(
            f"{size[0]}x{size[1]} enlarged to {larger[0]}x{larger[1]} would have {int(megapixels)} megapixels; at most "
            f"{MAX_RESULT_MEGAPIXELS} can be made: {instead}"
        )


def _resample(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resample with a Lanczos window (a = 3), in alpha-premultiplied colour where the picture has alpha."""
    if image.size == size:
        return image
    if image.mode == "RGBA":
        return image.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    return image.resize(size, Image.Resampling.LANCZOS)
