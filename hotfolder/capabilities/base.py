"""What a capability is: a kind of job in one file.

A capability sees only its context and returns results; it opens no file and no database. It is imported by the
service too, so torch, diffusers and transformers are imported inside `run`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from PIL import Image

from hotfolder.models.loras import Lora
from hotfolder.registry import Registry
from hotfolder.spec import JobSpec, Options, Planned

T = TypeVar("T")
CAPABILITIES: Registry[type["Capability"]] = Registry("kind")


class Pool(Protocol):
    """Hands out models by name, loading them when they are not in memory."""

    def attempt(self, name: str, work: Callable[[Any], T]) -> T:
        """Return what `work` makes with the ready family wrapper of a registry entry; where memory runs out it is
        called again, with less there.

        Raises JobError, and OutOfMemory when it fits in no way.
        """
        ...


@dataclass(frozen=True)
class Helper:
    """The model of another kind that a job asks too, as its profile serves that kind; `pool` hands it out."""

    model: str
    pool: Pool


@dataclass(frozen=True)
class Context:
    """Everything a run may touch. `progress(step, of)` tells how far the current picture is.

    `image` is what the job works on, `max_edge_px` the longest edge that its model may work on, None for as it likes.
    `pictures` are the further ones it was given, by their key (`mask` ...), modes L, RGB or RGBA. `caption` is what the
    input came with: the text file beside it, else the description in it. `loras` are those that the job names, or its
    profile. `helpers` has the kinds that the capability asked for.
    """

    spec: JobSpec
    options: Any
    planned: tuple[Planned, ...]
    model: str
    pool: Pool
    progress: Callable[[int, int], None]
    image: Image.Image | None = None
    max_edge_px: int | None = None
    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    caption: str | None = None
    loras: tuple[Lora, ...] = ()
    helpers: Mapping[str, Helper] = field(default_factory=dict)

    def ask(self, kind: str, work: Callable[[Any], T]) -> T:
        """Return what `work` makes with the family wrapper of the model that serves another kind."""
        helper = self.helpers[kind]
        return helper.pool.attempt(helper.model, work)


@dataclass(frozen=True)
class Detection:
    """A thing that was found. `box` is (x0, y0, x1, y1) in pixels of the job's picture; `score` 0..1."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Result:
    """One finished picture: sRGB, mode RGB, RGBA or L, 8 bits a channel.

    Without an `image` it is the input's own file, copied with its pixels untouched; where there is no input either, the
    result is its texts alone. `facts` holds what was really used or found (steps, guidance, sampler, prompt_tokens,
    caption, tags ...), in catalog names; its `notes` are sentences on what was done otherwise than the job says.
    `texts` are written beside it, by the ending of their file's name; so are `pictures`, as PNG (`.mask.png` ...).
    `detections` become rows of the catalog. `job` has the keys that the job which makes this again says otherwise.
    """

    image: Image.Image | None
    planned: Planned
    facts: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, Image.Image] = field(default_factory=dict)
    detections: tuple[Detection, ...] = ()
    job: dict[str, Any] = field(default_factory=dict)


class Capability(ABC):
    """A kind of job. Subclasses set the class variables and register themselves by being defined."""

    kind: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[Options]] = Options
    uses: ClassVar[frozenset[str]]
    """The common keys that mean something to this kind, besides those that mean something to every kind."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """The common keys without which a job waits: `prompt`, `image`."""
    ignores: ClassVar[frozenset[str]] = frozenset()
    """The keys for every kind that mean nothing to this one."""
    hands_on: ClassVar[Literal["image", "mask", "prompt"]] = "image"
    """What the next step of a chain gets of its result: the picture, a mask for the picture it worked on itself, or a
    prompt (its caption, or its text) beside that picture."""
    source_type: ClassVar[str]
    """IPTC digital source type of its pictures: trainedAlgorithmicMedia, algorithmicallyEnhanced ...; empty where they
    stay the input's."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in vars(cls):
            CAPABILITIES.add(cls.kind, cls)

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        """Refuse before the GPU runs what cannot work; raises RejectedInput. `image_size` is (width, height), None
        without a picture, and where the step of a chain before is still to make it."""

    @classmethod
    def lacks(cls, spec: JobSpec, options: Any, has_alpha: bool) -> str | None:
        """Return what a job waits for besides its `needs`, as a sentence; `has_alpha` says whether its picture may have
        transparent parts."""
        return None

    @classmethod
    def pictures(cls, spec: JobSpec, options: Any) -> dict[str, str]:
        """Return the further pictures that a job names, by key; each path is as the user wrote it."""
        return {"mask": spec.mask} if spec.mask and "mask" in cls.uses else {}

    @classmethod
    def helpers(cls, spec: JobSpec, options: Any) -> tuple[str, ...]:
        """Return the other kinds whose models this job asks too, such as `mask` where a mask is found from words."""
        return ()

    @classmethod
    def variant(cls, spec: JobSpec, options: Any) -> str | None:
        """Return which of a profile's `variants` serves this job, None for its usual model."""
        return None

    @abstractmethod
    def run(self, context: Context) -> Iterator[Result]:
        """Yield the results one by one; raises JobError."""


def variant_of(spec: JobSpec) -> str | None:
    """Return what `Capability.variant` says of a job."""
    capability = CAPABILITIES[spec.kind]
    return capability.variant(spec, capability.Options(**spec.options))


class Recipe(Capability):
    """A kind that is made of jobs of other kinds: they are put into the queue in its place, so it never runs itself."""

    source_type = ""

    def run(self, context: Context) -> Iterator[Result]:
        raise AssertionError(f"{self.kind} was not taken apart")
