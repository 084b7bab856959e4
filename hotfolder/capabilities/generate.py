"""Make a picture from words."""

from collections.abc import Iterator

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import BadSpec, Problem


class Generate(Capability):
    kind = "generate"
    aliases = ("txt2img", "text2img", "t2i", "text_to_image", "imagine")
    uses = frozenset("prompt negative_prompt seed variants width height steps guidance sampler".split())
    needs = frozenset({"prompt"})
    source_type = "trainedAlgorithmicMedia"

    def run(self, context: Context) -> Iterator[Result]:
        """Run the model once for each planned picture; the family decides what the job leaves open."""
        spec = context.spec
        family = context.pool.use(context.model)
        if spec.sampler and spec.sampler.casefold() != family.sampler.casefold():
            message = f"`{context.model}` samples with {family.sampler} only; take `sampler: {spec.sampler}` out"
            raise BadSpec([Problem("the job", None, "sampler", message)])
        for planned in context.planned:
            image, facts = family.generate(planned, spec, context.progress)
            yield Result(image, planned, facts)
