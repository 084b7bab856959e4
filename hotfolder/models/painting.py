"""What models that paint have in common: LoRAs, samplers, guidance, and how a pipeline of diffusers is run once."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from hotfolder.errors import RejectedInput
from hotfolder.metadata import facts as facts_of
from hotfolder.models import samplers
from hotfolder.models.adapters import Adapters
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families.base import PartClass
from hotfolder.models.loras import Lora
from hotfolder.spec import JobSpec, Planned

SHOWN = 60
"""Characters of what was cut from a prompt that a note shows."""


def on_grid(size: tuple[float, float], grid_px: int, max_edge_px: int | None = None) -> tuple[int, int]:
    """Return the nearest size whose edges are multiples of `grid_px`, at least one; it is made smaller, its proportions
    kept, until no edge is longer than `max_edge_px`."""
    scale = min(1.0, (max_edge_px or max(size)) / max(size))
    width, height = (max(round(edge * scale / grid_px), 1) * grid_px for edge in size)
    most = (max_edge_px or max(width, height)) // grid_px * grid_px or grid_px
    return min(width, most), min(height, most)


class Painter(ABC):
    """A pipeline of diffusers in memory; a family names its class and parts, and says what is painted."""

    PIPELINE: ClassVar[str]
    PARTS: ClassVar[Mapping[str, PartClass]]

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        """Join loaded parts. The pipeline is made anew, never by `from_pipe`: that casts what is shared to float32."""
        self.entry = entry
        self.pipeline = self.joined(self.PIPELINE, parts)
        self._own_levels = dict(self.pipeline.scheduler.config)
        self._adapters = Adapters(self.pipeline, entry.name)

    @staticmethod
    def joined(pipeline: str, parts: Mapping[str, Any]) -> Any:
        """Return a diffusers pipeline, by the name of its class, over loaded parts."""
        import diffusers

        made = getattr(diffusers, pipeline)(**parts)
        made.set_progress_bar_config(disable=True)
        return made

    def paint(
        self,
        planned: Planned,
        spec: JobSpec,
        progress: Callable[[int, int], None],
        loras: Sequence[Lora],
        pipeline: str = "",
        **given: Any,
    ) -> tuple[Image.Image, dict[str, Any]]:
        """Run the pipeline once; returns its picture with what was really used, `notes` among it: sentences on what was
        done otherwise than the job says.

        The noise is drawn on the CPU, so that a seed means the same picture on every device.

        Args:
            planned: prompts and seed. A negative prompt needs a pipeline that knows true classifier-free guidance.
            spec: the job; what it leaves open the model decides.
            progress: told each step, and of how many.
            loras: those that act.
            pipeline: the name of another diffusers class than the family's own, over the same parts.
            given: what else diffusers' pipeline takes: `width` and `height` in pixels, `image`, `strength` ...

        Raises:
            RejectedInput: the guidance is none that the model can work with, or a LoRA does not fit.
        """
        import torch

        from hotfolder.models import variation

        defaults = self.entry.defaults
        steps = spec.steps or defaults.steps
        todo = steps - int(steps - steps * given.get("strength", 1.0))
        guidance = defaults.guidance if spec.guidance is None else spec.guidance
        self._refuse_without_effect(planned, guidance)
        sampler = samplers.find(spec.sampler)
        self.pipeline.scheduler = sampler.scheduler(self._own_levels)

        def tell(pipeline: Any, step: int, time: Any, kept: dict[str, Any]) -> dict[str, Any]:
            progress(step // pipeline.scheduler.order + 1, todo)
            return kept

        run = self.joined(pipeline, self.pipeline.components) if pipeline else self.pipeline
        if planned.variation_seed is not None:
            variation.begin(run, given, planned.seed, planned.variation_seed, spec.options["variation"])
        with self._adapters.active(loras):
            done = run(
                prompt=self._read(planned.prompt or ""),
                num_inference_steps=steps,
                max_sequence_length=defaults.max_tokens,
                generator=torch.Generator("cpu").manual_seed(planned.seed),
                callback_on_step_end=tell,
                **self._guided(planned, guidance),
                **given,
            )
        return done.images[0], {
            "steps": steps,
            "guidance": guidance,
            "sampler": sampler.name,
            "prompt_tokens": len(self._tokens(planned.prompt or "")),
            "loras": tuple(facts_of.Lora(lora.name, lora.weight, lora.hash) for lora in loras),
            "notes": tuple(self._notes(planned, spec)),
        }

    @property
    @abstractmethod
    def _tokenizer(self) -> Any:
        """What the prompt is cut into tokens by."""

    @abstractmethod
    def _guided(self, planned: Planned, guidance: float) -> dict[str, Any]:
        """Return what the pipeline is told of guidance and of a negative prompt."""

    def _read(self, text: str) -> str:
        """Return a prompt as the pipeline is given it."""
        return text

    def _refuse_without_effect(self, planned: Planned, guidance: float) -> None:
        """Raise RejectedInput for a negative prompt that would do nothing."""
        if planned.negative_prompt and guidance <= 1:
            raise RejectedInput(f"a negative prompt works by `guidance` above 1; {self.entry.name} runs at {guidance}")

    def _tokens(self, text: str) -> list[int]:
        """Return a text as the encoder reads it, whole, its end mark included."""
        return list(self._tokenizer(text, truncation=False).input_ids)

    def _notes(self, planned: Planned, spec: JobSpec) -> Iterator[str]:
        name, limit = self.entry.name, self.entry.defaults.max_tokens
        for what, text in (("prompt", planned.prompt), ("negative prompt", planned.negative_prompt)):
            tokens = self._tokens(text or "")
            if len(tokens) > limit:
                cut = self._tokenizer.decode(tokens[limit - 1 :], skip_special_tokens=True)[:SHOWN].strip()
                yield f'the {what} has {len(tokens)} tokens, of which {name} reads {limit}; it was cut before "{cut}"'
