"""Which models are in memory, in parts: two models whose files are equal share the parts made of them."""

import functools
import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hotfolder.errors import JobError, OutOfMemory
from hotfolder.models import entries, load, memory, sources
from hotfolder.models.families import FAMILIES, discover
from hotfolder.models.families.base import PartClass
from hotfolder.models.placement import Offload, Placement, Precision
from hotfolder.models.sources import Source

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """One part as a model needs it. `name` is what pipelines call it."""

    name: str
    kind: PartClass
    source: Source
    precision: Precision
    offload: Offload

    def is_met_by(self, other: "Wanted") -> bool:
        """Say whether a part loaded for another model is the one that is wanted."""
        how = (self.kind, self.precision, self.offload)
        return how == (other.kind, other.precision, other.offload) and self.source.is_same(other.source)


@dataclass(eq=False)
class Part:
    """One part in memory. `users`: the models that are ready with it. `used`: when it was last asked for, counted."""

    wanted: Wanted
    module: Any
    users: set[str] = field(default_factory=set)
    used: int = 0

    @property
    def bytes(self) -> int:
        """What it takes now, with the LoRAs that hang on it."""
        return load.bytes_of(self.module)


@dataclass
class BoundPool:
    """The pool as the job of one order sees it; `placement` is None where it needs no model.

    `rung` is what had to be done for want of memory, "" for nothing.
    """

    pool: "ModelPool"
    placement: Placement | None
    rung: str = ""

    def use(self, name: str) -> Any:
        assert self.placement
        return self.pool.use(name, self.placement)

    def attempt(self, name: str, work: Callable[[Any], T]) -> T:
        """Return what `work` makes with the ready model; where memory runs out, it is done again in less.

        Raises:
            OutOfMemory: it does not fit in any way.
        """
        assert self.placement
        made, self.rung = self.pool.attempt(name, self.placement, work)
        return made


class ModelPool:
    """Loads models for the worker, within the budget of bytes that each placement names.

    `load_s` sums the seconds spent loading since it was last read. `upcoming` names the models of the next jobs in the
    order they will run, as far as that is known: what is needed latest makes room first. `resident` is the model that
    was used last.
    """

    def __init__(self, models: Path) -> None:
        self._models = models
        self._parts: list[Part] = []
        self._ready: dict[str, tuple[dict[str, Part], Any]] = {}
        self._uses = 0
        self._stands: dict[tuple[str, Placement], int] = {}
        self.upcoming: tuple[str, ...] = ()
        self.resident = ""
        self.load_s = 0.0

    def use(self, name: str, placement: Placement) -> Any:
        """Return the ready model of a registry entry, loading what of it is not in memory.

        Raises:
            NotYet: its weights are not here.
            OutOfMemory: it does not fit.
            JobError: they cannot be used.
        """
        entry = entries.known(self._models)[name]
        folder = entries.weights_folder(entry, self._models)
        discover()
        try:
            wanted = {
                part: Wanted(
                    part,
                    kind,
                    sources.part_of(folder, "" if kind.at_root else part),
                    kind.precision(placement),
                    placement.offload,
                )
                for part, kind in FAMILIES[entry.family].PARTS.items()
            }
            family = self._ready_with(name, entry, wanted, placement)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:  # as diffusers complains
            raise JobError(
                f"the weights of {name} in {folder} cannot be loaded ({error}); download them again"
            ) from error
        self.resident = name
        return family

    def attempt(self, name: str, placement: Placement, work: Callable[[Any], T]) -> tuple[T, str]:
        """Return what `work` makes with a ready model, and the rung of the ladder (memory.rungs) on which it could.

        The next attempt begins on that rung.

        Raises:
            OutOfMemory: it does not fit on any.
        """
        ladder = list(memory.rungs(placement))
        for number in range(self._stands.get((name, placement), 0), len(ladder)):
            rung, lower = ladder[number]
            if rung == memory.FREED:
                self._drop_all_but(name)
            try:
                made = work(self.use(name, lower))
            except Exception as error:
                if not memory.ran_out(error):
                    raise
                said = str(error)
            else:
                if rung != memory.FREED:  # that is done; the next time there may be room
                    self._stands[name, placement] = number
                return made, rung
            memory.tidy()  # only here, where the exception is gone, and with it what its frames held
        raise OutOfMemory(
            f"{name} did not fit into memory, though it was tried step by step to {ladder[-1][0]} ({said}); "
            "try a smaller `size`"
        )

    def release(self) -> None:
        """Free everything."""
        self._parts, self._ready, self.resident = [], {}, ""
        memory.tidy()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The models that are ready."""
        return tuple(self._ready)

    @property
    def device_bytes(self) -> int:
        """What the models take of the device's memory. Of parts that come and go, one is there at a time; what is
        streamed layer by layer does not count."""
        stay = sum(part.bytes for part in self._parts if part.wanted.offload == "none")
        return stay + max((part.bytes for part in self._parts if part.wanted.offload == "model"), default=0)

    def _ready_with(
        self, name: str, entry: entries.ModelEntry, wanted: Mapping[str, Wanted], placement: Placement
    ) -> Any:
        """Return the model made of the parts wanted; the one in memory where they are all the same still."""
        from hotfolder.models import offload

        began = time.monotonic()
        self._uses += 1
        heavy = {part: one for part, one in wanted.items() if one.kind.has_weights}
        found = {part: self._find(one) for part, one in heavy.items()}
        if name in self._ready and self._ready[name][0] != found:
            self._forget(name)
        mine: dict[str, Part] = {part: one for part, one in found.items() if one}
        if placement.offload != "none":  # what rests in main memory is that model alone
            self._drop_all_but(name, set(mine.values()))
        for part, one in heavy.items():
            if part not in mine:
                mine[part] = self._take_in(name, one, set(mine.values()), placement)
        for mate in mine.values():
            mate.used = self._uses
        if name not in self._ready:
            light = {part: self._load(one, placement) for part, one in wanted.items() if part not in mine}
            family = FAMILIES[entry.family](entry, light | {part: one.module for part, one in mine.items()})
            for mate in mine.values():
                mate.users.add(name)
            self._ready[name] = (mine, family)
            self.load_s += time.monotonic() - began
        offload.arrange({part: one.module for part, one in mine.items()}, placement)
        return self._ready[name][1]

    def _find(self, wanted: Wanted) -> Part | None:
        return next((part for part in self._parts if wanted.is_met_by(part.wanted)), None)

    def _load(self, wanted: Wanted, placement: Placement) -> Any:
        return load.load(wanted.kind, wanted.source, wanted.precision, placement.device, self._models)

    def _take_in(self, name: str, wanted: Wanted, kept: set[Part], placement: Placement) -> Part:
        """Load a part into main memory, make room for it on the device, and bring it there."""
        from hotfolder.models import offload

        part = Part(wanted, self._load(wanted, placement))
        budget = placement.budget_bytes
        self._parts.append(part)
        try:
            while budget is not None and self.device_bytes > budget:
                spare = [one for one in self._parts if one is not part and one not in kept]
                if not spare:
                    raise OutOfMemory(
                        f"{name} takes {self.device_bytes / 1e9:.1f} GB of memory, more than the {budget / 1e9:.1f} GB "
                        "that models may have here"
                    )
                self._drop(max(spare, key=self._next_use))
            if placement.device == "cpu":
                load.own(part.module)
            offload.put(wanted.name, part.module, placement)
        except BaseException:
            self._parts.remove(part)
            raise
        return part

    def _next_use(self, part: Part) -> tuple[float, int]:
        """Return when a part will be needed, the latest greatest; among those never needed, the longest unused."""
        turns = [turn for turn, name in enumerate(self.upcoming) if name in part.users]
        return min(turns, default=math.inf), -part.used

    def _drop(self, part: Part) -> None:
        for name in tuple(part.users):
            self._forget(name)
        self._parts.remove(part)
        memory.tidy()

    def _drop_all_but(self, name: str, kept: set[Part] | None = None) -> None:
        """Free every part that is not of this model, nor among those kept."""
        for part in [part for part in self._parts if name not in part.users and part not in (kept or ())]:
            self._drop(part)

    def _forget(self, name: str) -> None:
        """Let go of a model; its parts stay until their room is needed."""
        self._ready.pop(name)
        for part in self._parts:
            part.users.discard(name)


@functools.cache
def model_hash(folder: Path) -> str:
    """Return ten hex digits that name a model's weights: of the SHA-256 over the hashes of its .safetensors files.

    A1111 writes the first ten digits of the single checkpoint's hash; a diffusers folder has several files.
    """
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:10]
