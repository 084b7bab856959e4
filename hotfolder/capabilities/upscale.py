"""Make a picture larger: `model: lanczos` resamples it, any factor, without a GPU."""

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
        assert image_size
        width, height = _size(image_size, options)
        write.check_size(spec.format, width, height)
        if width * height > MAX_RESULT_MEGAPIXELS * 1_000_000:
            raise RejectedInput(
                f"{image_size[0]}x{image_size[1]} enlarged to {width}x{height} would have "
                f"{width * height // 1_000_000} megapixels; at most "
                f"{MAX_RESULT_MEGAPIXELS} can be made: use a smaller `factor`"
            )

    def run(self, context: Context) -> Iterator[Result]:
        """Resample with a Lanczos window (a = 3), in alpha-premultiplied colour where the picture has alpha."""
        assert context.image
        size = _size(context.image.size, context.options)
        yield Result(_resample(context.image, size), context.planned[0], {"sampler": "Lanczos"})


def _size(size: tuple[int, int], options: Any) -> tuple[int, int]:
    factor = options.factor or DEFAULT_FACTOR
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _resample(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.mode == "RGBA":
        return image.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    return image.resize(size, Image.Resampling.LANCZOS)
