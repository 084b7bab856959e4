"""Make a picture from words, or from words and a picture."""

from collections.abc import Iterator
from typing import Any

from PIL import Image

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import BadSpec, Problem
from hotfolder.models import samplers
from hotfolder.spec import JobSpec, Planned, Variation


class Generate(Capability):
    kind = "generate"
    aliases = ("txt2img", "text2img", "t2i", "text_to_image", "imagine", "img2img", "i2i", "image_to_image")
    uses = frozenset(
        "prompt negative_prompt seed variants width height steps guidance sampler loras image strength".split()
    )
    needs = frozenset({"prompt"})
    source_type = "trainedAlgorithmicMedia"

    Options = Variation

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        """Refuse a sampler that does not fit, and to change nothing of a picture."""
        try:
            sampler = samplers.find(spec.sampler)
        except LookupError as error:
            raise _wrong("sampler", error.args[0]) from None
        if image_size and sampler.solver == "Heun":
            raise _wrong("sampler", "Heun cannot begin with a picture; Euler, DPM++ 2M and UniPC can")
        if spec.strength == 0:
            raise _wrong("strength", "`strength: 0` would change nothing; 0.3 is a little, 0.9 nearly all")
        if options.variation_seed is not None and not options.variation:
            raise _wrong("variation_seed", "it acts by `variation`: 0.05 is a little, 0.5 much")

    def run(self, context: Context) -> Iterator[Result]:
        """Run the model once for each planned picture; the family decides what the job leaves open."""
        for planned in context.planned:

            def make(family: Any, planned: Planned = planned) -> tuple[Image.Image, dict[str, Any]]:
                return family.generate(planned, context.spec, context.progress, context.image, context.loras)

            image, facts = context.pool.attempt(context.model, make)
            chosen = {} if planned.variation_seed is None else {"variation_seed": planned.variation_seed}
            yield Result(image, planned, facts, job=chosen)


def _wrong(key: str, message: str) -> BadSpec:
    return BadSpec([Problem("the job", None, key, message)])
