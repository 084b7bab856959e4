"""What a job is: the words of the job language that are common to all kinds, as frozen, closed models.

A capability declares its own further keys as a subclass of `Options`. Reading YAML into a `JobSpec`, with
presets, aliases and hints, is `hotfolder.intake.language`.
"""

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
        None, description="text, or a list of texts: one picture each"
    )
    negative_prompt: Text | None = None
    seed: Seed | None = None
    variants: Annotated[int, Field(ge=1, le=1000)] = 1
    matrix: dict[str, tuple[Any, ...]] | None = None
    width: Edge | None = None
    height: Edge | None = None
    steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    guidance: Annotated[float, Field(ge=0, le=100)] | None = None
    sampler: str | None = None
    strength: Unit | None = None
    model: str | None = None
    profile: str | None = None
    loras: tuple[LoraUse, ...] = ()
    image: str | None = Field(None, description="a picture, named by its path in the workspace")
    image_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="written into .job.yaml: finds the input wherever it lies in done/"
    )
    mask: str | None = None
    mask_prompt: Text | None = None
    mask_blur: Annotated[float, Field(ge=0, le=512)] | None = None
    mask_grow: Annotated[int, Field(ge=-512, le=512)] | None = None
    mask_invert: bool = False
    control: Control | None = None
    style: Style | None = None
    face: Face | None = None
    pipeline: tuple[dict[str, Any], ...] | None = None
    upscaler: str | None = None
    format: Format = "png"
    quality: Annotated[int, Field(ge=1, le=100)] = 92
    name: Annotated[str, Field(max_length=200)] | None = Field(None, description="stem of the result's file name")
    keep_exif: bool = False
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    tags: tuple[Annotated[str, Field(max_length=200)], ...] = ()
    note: Text | None = None
    on_keep: dict[str, Any] | None = None
    options: dict[str, Any] = Field(default_factory=dict, description="the kind's own keys, validated by it")


class IntakeKeys(Strict):
    """Keys of a folder.yaml that say how files are taken; they never reach a job. Durations in seconds."""

    settle_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    sidecar_wait_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    require_sidecar: bool = False


class Planned(Strict):
    """One picture that a job will make: its prompt with wildcards expanded, and its seed."""

    prompt: str | None = None
    negative_prompt: str | None = None
    template: str | None = Field(None, description="the prompt before expansion, when it differs")
    seed: Seed
    seed_locked: bool = Field(description="the user gave the seed")
