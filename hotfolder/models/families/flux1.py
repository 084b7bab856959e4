"""FLUX.1: FluxPipeline with its two text encoders, at full size or as the shipped miniature.

**Source:** diffusers `FluxPipeline` (Apache-2.0) and the model card of black-forest-labs/FLUX.1-schnell: 4 steps,
guidance 0, at most 256 tokens of T5 text.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from PIL import Image, ImageOps

from hotfolder import images
from hotfolder.errors import RejectedInput
from hotfolder.models.families import FAMILIES
from hotfolder.models.flux import GRID_PX, Flux, on_grid
from hotfolder.models.loras import Lora
from hotfolder.spec import JobSpec, Planned

STRENGTH = 0.6
"""How much of a picture is changed where the job does not say."""

CUT_UNTOLD = 0.1
"""Part of a picture that is cut off without a word: snapping to the grid takes as much from small ones."""


class Flux1(Flux):
    """FLUX.1 [schnell], [dev], or a finetune of theirs: words to pictures, or words and a picture to one."""

    PIPELINE = "FluxPipeline"

    def generate(
        self,
        planned: Planned,
        spec: JobSpec,
        progress: Callable[[int, int], None],
        image: Image.Image | None = None,
        loras: Sequence[Lora] = (),
    ) -> tuple[Image.Image, dict[str, Any]]:
        """Make one picture; returns it with what was really used.

        Args:
            planned, spec, progress, loras: as `Flux.paint` takes them.
            image: the picture to begin with, any size; `spec.strength` says how much of it is changed.

        Raises:
            RejectedInput: the size or the guidance is none that the model can work with, or a LoRA does not fit.
        """
        width, height = on_grid(asked := self._asked_size(spec, image))
        given: dict[str, Any] = {"width": width, "height": height}
        facts: dict[str, Any] = {}
        if image:
            # one with Heun's sampler counts its steps twice and would begin too late; `generate.check` refuses that
            strength = STRENGTH if spec.strength is None else spec.strength
            given |= {
                "pipeline": "FluxImg2ImgPipeline",
                "image": _fitted(image, width, height),
                "strength": strength,
            }
            facts = {"strength": strength, "source_type": "compositeWithTrainedAlgorithmicMedia"}
        made, used = self.paint(planned, spec, progress, loras, **given)
        used["notes"] = (*self._changes(spec, asked, (width, height), image), *used["notes"])
        if image and (least := 1 / used["steps"]) > facts["strength"]:
            told = (
                f"`strength: {facts['strength']:g}` acted as {least:g}: of {used['steps']} steps one is made at least"
            )
            used["notes"] = (f"{told}; take more `steps` to change less", *used["notes"])
        return made, used | facts

    def _asked_size(self, spec: JobSpec, image: Image.Image | None) -> tuple[int, int]:
        """Return (width, height) in pixels as the job wants them. What it leaves open is as a picture has it, with as
        many pixels as the model makes; without one it is square."""
        edge = self.entry.defaults.edge_px
        ratio = image.width / image.height if image else 1.0
        if spec.width or spec.height:
            width = spec.width or max(round((spec.height or 0) * ratio), GRID_PX)
            height = spec.height or max(round(width / ratio), GRID_PX)
        else:
            ratio = min(max(ratio, 1 / 4), 4)
            width, height = round(edge * ratio**0.5), round(edge / ratio**0.5)
        limit = 2 * edge
        if width > limit or height > limit:
            raise RejectedInput(
                f"{self.entry.name} makes pictures of up to {limit} pixels an edge, not {width}x{height}"
            )
        return width, height

    def _changes(
        self, spec: JobSpec, asked: tuple[int, int], made: tuple[int, int], image: Image.Image | None
    ) -> Iterator[str]:
        """Yield a sentence for everything of size and picture that was done otherwise than the job says."""
        if (spec.width or spec.height) and asked != made:
            edges = f"edges of {self.entry.name} are multiples of {GRID_PX} pixels"
            yield f"{asked[0]}x{asked[1]} became {made[0]}x{made[1]}: {edges}"
        if image and (lost := _cut(image.size, made)) > CUT_UNTOLD:
            yield f"{lost:.0%} of the picture was cut off at its sides: {made[0]}x{made[1]} has other proportions"
        if spec.strength is not None and image is None:
            yield "`strength` changed nothing: it says how much of a picture is changed, and none was given"


def _cut(size: tuple[int, int], into: tuple[int, int]) -> float:
    """Return how much of a picture is cut off, 0..1, where it fills another size with its proportions kept."""
    ratio, wanted = size[0] / size[1], into[0] / into[1]
    return 1 - min(ratio, wanted) / max(ratio, wanted)


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return a picture at a size, its proportions kept: what juts out on two sides is cut off evenly."""
    return ImageOps.fit(images.on_white(image).convert("RGB"), (width, height), Image.Resampling.LANCZOS)


FAMILIES.add("flux1", Flux1)
