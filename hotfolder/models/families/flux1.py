"""FLUX.1: FluxPipeline with its two text encoders, at full size or as the shipped miniature.

**Source:** diffusers `FluxPipeline` (Apache-2.0) and the model card of black-forest-labs/FLUX.1-schnell: 4 steps,
guidance 0, at most 256 tokens of T5 text; CLIP reads the first 77 tokens, for the pooled vector alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image, ImageOps

from hotfolder import images
from hotfolder.errors import RejectedInput
from hotfolder.metadata import facts as facts_of
from hotfolder.models import samplers
from hotfolder.models.adapters import Adapters
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass
from hotfolder.models.loras import Lora
from hotfolder.spec import JobSpec, Planned

GRID_PX = 16

STRENGTH = 0.6
"""How much of a picture is changed where the job does not say."""

CUT_UNTOLD = 0.1
"""Part of a picture that is cut off without a word: snapping to the grid takes as much from small ones."""

SHOWN = 60
"""Characters of what was cut from a prompt that a note shows."""


class Flux1:
    """A FLUX.1 pipeline in memory."""

    PARTS: ClassVar = {
        "transformer": PartClass("diffusers", "FluxTransformer2DModel", nf4=True),
        "text_encoder": PartClass("transformers", "CLIPTextModel"),
        "text_encoder_2": PartClass("transformers", "T5EncoderModel", is_text=True, nf4=True),
        "vae": PartClass("diffusers", "AutoencoderKL"),
        "tokenizer": PartClass("transformers", "CLIPTokenizer", has_weights=False),
        "tokenizer_2": PartClass("transformers", "T5Tokenizer", has_weights=False),
        "scheduler": PartClass("diffusers", "FlowMatchEulerDiscreteScheduler", has_weights=False),
    }

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        """Join loaded parts. The pipeline is made anew, never by `from_pipe`: that casts what is shared to float32."""
        from diffusers import FluxPipeline

        self.entry = entry
        self.pipeline = FluxPipeline(**parts)
        self.pipeline.set_progress_bar_config(disable=True)
        self._own_levels = dict(self.pipeline.scheduler.config)
        self._adapters = Adapters(self.pipeline, entry.name)

    def generate(
        self,
        planned: Planned,
        spec: JobSpec,
        progress: Callable[[int, int], None],
        image: Image.Image | None = None,
        loras: Sequence[Lora] = (),
    ) -> tuple[Image.Image, dict[str, Any]]:
        """Make one picture; returns it with what was really used, `notes` among it: sentences on what was changed.

        The noise is drawn on the CPU, so that a seed means the same picture on every device.

        Args:
            planned: prompts and seed.
            spec: the job; what it leaves open the model decides.
            progress: told each step, and of how many.
            image: the picture to begin with, any size; `spec.strength` says how much of it is changed.
            loras: those that act.

        Raises:
            RejectedInput: the size or the guidance is none that the model can work with, or a LoRA does not fit.
        """
        import torch

        defaults = self.entry.defaults
        width, height = asked = self._asked_size(spec, image)
        width, height = (max(edge // GRID_PX, 1) * GRID_PX for edge in asked)
        steps = todo = spec.steps or defaults.steps
        guidance = defaults.guidance if spec.guidance is None else spec.guidance
        uses_cfg = bool(planned.negative_prompt)
        if uses_cfg and guidance <= 1:
            raise RejectedInput(f"a negative prompt works by `guidance` above 1; {self.entry.name} runs at {guidance}")
        sampler = samplers.find(spec.sampler)
        self.pipeline.scheduler = sampler.scheduler(self._own_levels)
        pipeline, facts = self.pipeline, {"steps": steps, "guidance": guidance, "sampler": sampler.name}
        begin: dict[str, Any] = {}
        if image:
            strength = STRENGTH if spec.strength is None else spec.strength
            pipeline, begin = self._from_picture(), {"image": _fitted(image, width, height), "strength": strength}
            todo = steps - int(steps - steps * strength)
            facts |= {"strength": strength, "source_type": "compositeWithTrainedAlgorithmicMedia"}

        def tell(pipeline: Any, step: int, time: Any, kept: dict[str, Any]) -> dict[str, Any]:
            progress(step // pipeline.scheduler.order + 1, todo)
            return kept

        with self._adapters.active(loras):
            done = pipeline(
                prompt=planned.prompt or "",
                negative_prompt=planned.negative_prompt if uses_cfg else None,
                true_cfg_scale=guidance if uses_cfg else 1.0,
                guidance_scale=1.0 if uses_cfg else guidance,  # embedded: two guidances at once would be too much
                width=width,
                height=height,
                num_inference_steps=steps,
                max_sequence_length=defaults.max_tokens,
                generator=torch.Generator("cpu").manual_seed(planned.seed),
                callback_on_step_end=tell,
                **begin,
            )
        return done.images[0], facts | {
            "prompt_tokens": len(self._tokens(planned.prompt or "")),
            "loras": tuple(facts_of.Lora(lora.name, lora.weight, lora.hash) for lora in loras),
            "notes": (*self._notes(planned, spec, asked, (width, height), image),),
        }

    def _from_picture(self) -> Any:
        """Return the pipeline that begins with a picture, over the same parts. One with Heun's sampler counts its
        steps twice and would begin too late; `generate.check` refuses that."""
        from diffusers import FluxImg2ImgPipeline

        pipeline = FluxImg2ImgPipeline(**self.pipeline.components)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

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

    def _tokens(self, text: str) -> list[int]:
        """Return a text as T5 reads it, whole, its end mark included."""
        return list(self.pipeline.tokenizer_2(text, truncation=False).input_ids)

    def _notes(
        self,
        planned: Planned,
        spec: JobSpec,
        asked: tuple[int, int],
        made: tuple[int, int],
        image: Image.Image | None,
    ) -> Iterator[str]:
        """Yield a sentence for everything of a job that was done otherwise than it says."""
        name, limit = self.entry.name, self.entry.defaults.max_tokens
        if (spec.width or spec.height) and asked != made:
            yield f"{asked[0]}x{asked[1]} became {made[0]}x{made[1]}: edges of {name} are multiples of {GRID_PX} pixels"
        if image and (lost := _cut(image.size, made)) > CUT_UNTOLD:
            yield f"{lost:.0%} of the picture was cut off at its sides: {made[0]}x{made[1]} has other proportions"
        if spec.guidance and not planned.negative_prompt and not self.pipeline.transformer.config.guidance_embeds:
            yield f"`guidance` changed nothing: without a negative prompt {name} has none"
        if spec.strength is not None and not spec.image:
            yield "`strength` changed nothing: it says how much of a picture is changed, and none was given"
        for what, text in (("prompt", planned.prompt), ("negative prompt", planned.negative_prompt)):
            tokens = self._tokens(text or "")
            if len(tokens) > limit:
                cut = self.pipeline.tokenizer_2.decode(tokens[limit - 1 :], skip_special_tokens=True)[:SHOWN].strip()
                yield f'the {what} has {len(tokens)} tokens, of which {name} reads {limit}; it was cut before "{cut}"'


def _cut(size: tuple[int, int], into: tuple[int, int]) -> float:
    """Return how much of a picture is cut off, 0..1, where it fills another size with its proportions kept."""
    ratio, wanted = size[0] / size[1], into[0] / into[1]
    return 1 - min(ratio, wanted) / max(ratio, wanted)


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return a picture at a size, its proportions kept: what juts out on two sides is cut off evenly."""
    return ImageOps.fit(images.on_white(image).convert("RGB"), (width, height), Image.Resampling.LANCZOS)


FAMILIES.add("flux1", Flux1)
