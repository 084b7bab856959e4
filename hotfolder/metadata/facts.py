"""What is written into one picture: everything that made it, and what people will search it by."""

from dataclasses import dataclass, field
from typing import Any

from hotfolder import __version__
from hotfolder.names import display

_GENERATED = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia")
MAX_TITLE = 80
"""Characters; what a file manager's column shows."""


@dataclass(frozen=True)
class Source:
    """The picture that was worked on. `sha256` is of its file.

    `parameters` is the A1111 text that it carried itself. `exif` is its own EXIF, given only where the job says
    `keep_exif`.
    """

    name: str
    sha256: str
    parameters: str | None = None
    exif: bytes | None = None


@dataclass(frozen=True)
class Lora:
    """A LoRA as it was used. `hash` is the first ten hex digits of its file's SHA-256."""

    name: str
    weight: float = 1.0
    hash: str | None = None


@dataclass(frozen=True)
class Facts:
    """All that is written into one picture; None where a fact does not apply.

    `job` is the resolved job exactly as in .job.yaml. `source_type` is a term of IPTC's digital source types.
    `history` has the jobs of the pictures that this one was made from, the first one first, as far as they are ours.
    `created_at` is ISO-8601 with an offset. `rating` counts stars, 0 to 5. `width` and `height` are pixels.
    """

    image_id: str
    kind: str
    job: dict[str, Any]
    source_type: str
    created_at: str
    width: int
    height: int
    prompt: str | None = None
    negative_prompt: str | None = None
    template: str | None = None
    seed: int | None = None
    seed_locked: bool = False
    steps: int | None = None
    sampler: str | None = None
    guidance: float | None = None
    model: str | None = None
    model_hash: str | None = None
    profile: str | None = None
    loras: tuple[Lora, ...] = ()
    caption: str | None = None
    tags: tuple[str, ...] = ()
    rating: int | None = None
    title: str | None = None
    miniature: bool = False
    source: Source | None = None
    history: tuple[dict[str, Any], ...] = ()
    version: str = field(default=__version__)

    @property
    def is_generated(self) -> bool:
        """Whether a model invented the picture, or parts of it: then its text is `parameters`, not `postprocessing`."""
        return self.source_type in _GENERATED

    @property
    def tool(self) -> str:
        return f"hotfolder {self.version}"

    @property
    def shown_title(self) -> str:
        """The title, never empty: Explorer shows the whole parameters text where a picture has none."""
        text = self.title or self.prompt or (self.source and display(self.source.name)) or self.kind
        line = " ".join(text.split()) or self.kind
        return line if len(line) <= MAX_TITLE else f"{line[: MAX_TITLE - 1]}…"
