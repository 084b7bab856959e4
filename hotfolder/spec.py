"""What a job is: the words of the job language that are common to all kinds, as frozen, closed models.

A capability declares its own further keys as a subclass of `Options`. Reading YAML into a `JobSpec`, with
presets, aliases and hints, is `hotfolder.intake.language`.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, le=2**64 - 1)]
Edge = Annotated[int, Field(ge=16, le=65_535, description="pixels")]
Text = Annotated[str, Field(max_length=16_384)]
Unit = Annotated[float, Field(ge=0, le=1)]
Format = Literal["png", "jpeg", "webp"]


class Strict(BaseModel):
    """Base of everything a user writes: unknown keys are errors, nothing changes after validation."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)


class Options(Strict):
    """Base of a capability's own keys."""


class Variation(Options):
    """The keys of kinds that make several pictures which are nearly the same."""

    variation: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="how far the seed's noise is moved towards another's: 0.05 a little, 0.5 much"
    )
    variation_seed: Seed | None = Field(
        default=None, description="towards whose noise; of several variants the first one's; default any"
    )


class LoraUse(Strict):
    name: str
    weight: Annotated[float, Field(ge=-10, le=10)] = 1.0


class Control(Strict):
    type: Literal["canny", "depth", "pose"]
    image: str | None = None
    scale: Annotated[float, Field(ge=0, le=2)] = 0.7


class Style(Strict):
    image: str | None = None
    weight: Annotated[float, Field(ge=0, le=2)] = 0.7


class Face(Strict):
    image: str | None = None
    strength: Annotated[float, Field(ge=0, le=3)] = 1.0


class JobSpec(Strict):
    """One resolved job. `None` means "not given": the profile and the model then decide."""

    kind: str
    prompt: Text | Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        default=None, description="text, or a list of texts: one picture each"
    )
    negative_prompt: Text | None = Field(
        default=None, description="what the picture should not show, for models that know it"
    )
    seed: Seed | None = Field(
        default=None, description="the same seed gives the same picture; without it each picture has its own"
    )
    variants: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="how many pictures, from successive seeds"
    )
    matrix: dict[str, tuple[Any, ...]] | None = Field(
        default=None, description="keys and lists of values: a labelled grid of pictures"
    )
    contact_sheet: bool = Field(
        default=True, description="with several pictures, one more that shows all of them small, with labels"
    )
    width: Edge | None = Field(default=None, description="pixels; width and height at once: `size: 1024x768`")
    height: Edge | None = Field(default=None, description="pixels")
    steps: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="denoising steps; default the model's"
    )
    guidance: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="how closely the prompt is followed; default the model's"
    )
    sampler: str | None = Field(default=None, description="the noise scheduler; default the model's")
    strength: Unit | None = Field(default=None, description="how much of the input picture is changed")
    model: str | None = Field(default=None, description="a name that `hotfolder models` lists; default the profile's")
    profile: str | None = Field(default=None, description="which models at which precision; default the settings'")
    loras: tuple[LoraUse, ...] = Field(default=(), description="names of files in models/loras/, or {name, weight}")
    image: str | None = Field(default=None, description="a picture, named by its path in the workspace")
    image_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None, description="written into .job.yaml: finds the input wherever it lies in done/"
    )
    mask: str | None = Field(default=None, description="a picture, white where something is to change")
    mask_prompt: Text | None = Field(default=None, description="words that say where something is to change")
    mask_blur: Annotated[float, Field(ge=0, le=512)] | None = Field(
        default=None, description="pixels over which the mask's edge fades"
    )
    mask_grow: Annotated[int, Field(ge=-512, le=512)] | None = Field(
        default=None, description="pixels by which the mask grows, or shrinks when negative"
    )
    mask_invert: bool = Field(default=False, description="change what the mask leaves out")
    control: Control | None = Field(default=None, description="a map the picture has to follow")
    style: Style | None = Field(default=None, description="a picture whose style is taken")
    face: Face | None = Field(default=None, description="a picture whose face is taken")
    pipeline: tuple[dict[str, Any], ...] | None = Field(
        default=None, description="steps, each a job that works on the last one's picture"
    )
    upscaler: str | None = Field(
        default=None, description="how a result worked on smaller gets its size: lanczos or a model"
    )
    format: Format = Field(default="png", description="the kind of file that is written")
    quality: Annotated[int, Field(ge=1, le=100)] = Field(default=92, description="of JPEG and WebP")
    name: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="stem of the result's file name"
    )
    keep_exif: bool = Field(default=False, description="copy the input's EXIF, its place and camera too")
    priority: Annotated[int, Field(ge=-1000, le=1000)] = Field(default=0, description="higher goes first")
    tags: tuple[Annotated[str, Field(max_length=200)], ...] = Field(
        default=(), description="words for the catalog, and keywords in the picture"
    )
    note: Text | None = Field(default=None, description="a remark for the catalog")
    on_keep: dict[str, Any] | None = Field(default=None, description="a job to run on pictures that are moved to keep/")
    options: dict[str, Any] = Field(default_factory=dict, description="the kind's own keys, validated by it")

    def helper(self, kind: str) -> "JobSpec":
        """Return a job that stands for the help of another kind's model: the profile's, or the `upscaler` named."""
        return JobSpec(kind=kind, profile=self.profile, model=self.upscaler if kind == "upscale" else None)


class IntakeKeys(Strict):
    """Keys of a folder.yaml that say how files are taken; they never reach a job. Durations in seconds."""

    settle_s: Annotated[float, Field(ge=0, le=3600)] | None = Field(
        default=None, description="seconds without a change after which a file is taken; default the settings'"
    )
    sidecar_wait_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=0.0, description="seconds a picture waits for its sidecar"
    )
    require_sidecar: bool = Field(default=False, description="a picture waits until its sidecar is there")


class Planned(Strict):
    """One picture that a job will make: its prompt with wildcards expanded, and its seed."""

    prompt: str | None = None
    negative_prompt: str | None = None
    template: str | None = Field(default=None, description="the prompt before expansion, when it differs")
    seed: Seed
    seed_locked: bool = Field(description="the user gave the seed")
    variation_seed: Seed | None = Field(default=None, description="the seed whose noise its own is moved towards")


def literal(text: str) -> str:
    """Return the prompt that expands to `text` itself, whatever braces and underscores it has."""
    return re.sub(r"([{}|]|__)", r"\\\1", text) if "{" in text or "__" in text else text
