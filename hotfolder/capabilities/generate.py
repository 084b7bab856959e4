"""Make a picture from words, or from words and a picture."""

from collections.abc import Iterator
from typing import Any

from PIL import Image
from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import BadSpec, Problem
from hotfolder.models import rewriting, samplers
from hotfolder.spec import JobSpec, Planned, Variation


class GenerateOptions(Variation):
    """What only generate knows, besides the noise of `vary`."""

    expand: bool = Field(default=False, description="a language model makes the prompt longer first")


class Generate(Capability):
    kind = "generate"
    aliases = ("txt2img", "text2img", "t2i", "text_to_image", "imagine", "img2img", "i2i", "image_to_image")
    uses = frozenset(
        "prompt negative_prompt seed variants width height steps guidance sampler loras image strength".split()
    )
    needs = frozenset({"prompt"})
    source_type = "trainedAlgorithmicMedia"

    Options = GenerateOptions

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        """Refuse a sampler that does not fit, and to change nothing of a picture."""
        sampler = samplers.check(spec.sampler)
        if image_size and sampler.solver == "Heun":
            raise _wrong("sampler", "Heun cannot begin with a picture; Euler, DPM++ 2M and UniPC can")
        if spec.strength == 0:
            raise _wrong("strength", "`strength: 0` would change nothing; 0.3 is a little, 0.9 nearly all")
        if options.variation_seed is not None and not options.variation:
            raise _wrong("variation_seed", "it acts by `variation`: 0.05 is a little, 0.5 much")

    @classmethod
    def helpers(cls, spec: JobSpec, options: Any) -> tuple[str, ...]:
        return ("expand",) if options.expand else ()

    def run(self, context: Context) -> Iterator[Result]:
        """Run the model once for each planned picture; the family decides what the job leaves open.

        A prompt that is made longer first is recorded as the prompt, and the short one as what it was made of; the job
        written beside the picture says the long one and makes it no longer.
        """
        for given in context.planned:
            planned, note = _expanded(context, given) if context.options.expand else (given, None)

            def make(family: Any, planned: Planned = planned) -> tuple[Image.Image, dict[str, Any]]:
                return family.generate(planned, context.spec, context.progress, context.image, context.loras)

            image, facts = context.pool.attempt(context.model, make)
            chosen: dict[str, Any] = {}
            if planned.variation_seed is not None:
                chosen["variation_seed"] = planned.variation_seed
            if note:
                facts = {**facts, "notes": (*facts.get("notes", ()), note)}
            if context.options.expand:
                chosen["expand"] = False
            yield Result(image, planned, facts, job=chosen)


def _expanded(context: Context, planned: Planned) -> tuple[Planned, str | None]:
    """Return a planned picture with its prompt made longer by its seed, and a sentence where that was mended."""
    short = planned.prompt or ""
    said = context.ask("expand", lambda family: family.rewrite(short, rewriting.WORDS, planned.seed))
    text, note = rewriting.checked(short, said)
    return planned.model_copy(update={"prompt": text, "template": planned.template or short}), note


def _wrong(key: str, message: str) -> BadSpec:
    return BadSpec([Problem("the job", None, key, message)])
