"""Which models are in memory, in parts: two models whose files are equal share the parts made of them."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hotfolder.errors import JobError, OutOfMemory
from hotfolder.models import entries, fit, load, memory, sources
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
    """One part in memory. `users`: the models that are ready with it. `used`: when it was last asked for, counted.

    `leaves`: it is in the device only while it works, though nothing of its model is offloaded otherwise.
    """

    wanted: Wanted
    module: Any
    users: set[str] = field(default_factory=set)
    used: int = 0
    leaves: bool = False

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

    Other models make room for a model and for what its work takes besides. Whether it fits alone was decided when it
    was placed; only weights that are larger than the budget are refused.

    `load_s` sums the seconds spent loading since it was last read, `peak_bytes` is the most that models took of the
    device's memory since then. `upcoming` names the models of the next jobs in the order they will run, as far as that
    is known: what is needed latest makes room first.
    """

    def __init__(self, models: Path) -> None:
        self._models = models
        self._parts: list[Part] = []
        self._ready: dict[str, tuple[dict[str, Part], Any]] = {}
        self._uses = 0
        self._stands: dict[tuple[str, Placement], int] = {}
        self.upcoming: tuple[str, ...] = ()
        self.load_s = 0.0
        self.peak_bytes = 0

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
                    sources.find(entry, "" if kind.at_root else part, folder, self._models),
                    kind.precision(placement),
                    placement.offload,
                )
                for part, kind in FAMILIES[entry.family].PARTS.items()
            }
            return self._ready_with(name, entry, wanted, placement)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:  # as diffusers complains
            raise JobError(
                f"the weights of {name} in {folder} cannot be loaded ({error}); download them again"
            ) from error

    def attempt(self, name: str, placement: Placement, work: Callable[[Any], T]) -> tuple[T, str]:
        """Return what `work` makes with a ready model, and the rung of the ladder (memory.rungs) on which it could.

        The next attempt begins on that rung.

        Raises:
            OutOfMemory: it does not fit on any.
        """
        discover()
        ladder = list(memory.rungs(placement, FAMILIES[entries.known(self._models)[name].family].PARTS))
        for number in range(self._stands.get((name, placement), 0), len(ladder)):
            rung, lower = ladder[number]
            if rung == memory.FREED:
                self._drop_all_but(name)
            try:
                made = work(self.use(name, lower))
                self._weigh()  # with the LoRAs that were loaded for it
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
        self._parts, self._ready = [], {}
        memory.tidy()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The models that are ready, the one used last at the end."""
        return tuple(self._ready)

    @property
    def device_bytes(self) -> int:
        """What the models take of the device's memory at most. Of parts that come and go, one is there at a time."""
        return self._bytes_at_most(0, 0)

    def _bytes_at_most(self, encoding_bytes: int, headroom_bytes: int) -> int:
        """Return what is in the device at most, as fit.need counts it for one model: while a text is read, with what
        that takes above the weights, or while the picture is painted, with what that takes."""
        from hotfolder.models import offload

        stay, reading, painting = 0, [0], [0]
        for part in self._parts:
            how, reads = part.wanted.offload, part.wanted.name in offload.ENCODERS
            visits = reading if reads else painting
            if how == "sequential" or (how == "group" and part.wanted.name == offload.DENOISER):
                visits.append(min(part.bytes, fit.STREAMED[how]))
            elif part.leaves or how == "model" or (how == "group" and reads):
                visits.append(part.bytes)
            else:
                stay += part.bytes
        return stay + max(max(reading) + encoding_bytes, max(painting) + headroom_bytes)

    def _weigh(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self.device_bytes)

    def _ready_with(
        self, name: str, entry: entries.ModelEntry, wanted: Mapping[str, Wanted], placement: Placement
    ) -> Any:
        """Return the model made of the parts wanted; the one in memory where they are all the same still."""
        from hotfolder.models import offload

        began, leaves = time.monotonic(), offload.ENCODERS if placement.encoders_leave else ()
        self._uses += 1
        heavy = {part: one for part, one in wanted.items() if one.kind.has_weights}
        found = {part: self._find(one) for part, one in heavy.items()}
        if name in self._ready and self._ready[name][0] != found:
            self._forget(name)
        mine: dict[str, Part] = {part: one for part, one in found.items() if one}
        for part, mate in mine.items():
            mate.used, mate.leaves = self._uses, part in leaves
        if placement.offload != "none":  # what rests in main memory is that model alone
            self._drop_all_but(name, set(mine.values()))
        for part, one in heavy.items():
            if part not in mine:
                fresh = Part(one, self._load(one, placement), used=self._uses, leaves=part in leaves)
                mine[part] = self._take_in(name, fresh, set(mine.values()), placement)
        self._make_room(name, set(mine.values()), placement)
        if name not in self._ready:
            light = {part: self._load(one, placement) for part, one in wanted.items() if part not in mine}
            family = FAMILIES[entry.family](entry, light | {part: one.module for part, one in mine.items()})
            for mate in mine.values():
                mate.users.add(name)
            self._ready[name] = (mine, family)
            self.load_s += time.monotonic() - began
        offload.arrange({part: one.module for part, one in mine.items()}, placement)
        self._weigh()
        self._ready[name] = self._ready.pop(name)  # the last of all
        return self._ready[name][1]

    def _find(self, wanted: Wanted) -> Part | None:
        return next((part for part in self._parts if wanted.is_met_by(part.wanted)), None)

    def _load(self, wanted: Wanted, placement: Placement) -> Any:
        return load.load(wanted.kind, wanted.source, wanted.precision, placement.device, self._models)

    def _take_in(self, name: str, part: Part, kept: set[Part], placement: Placement) -> Part:
        """Make room on the device for a part that is in main memory, and bring it there."""
        from hotfolder.models import offload

        self._parts.append(part)
        try:
            self._make_room(name, {part, *kept}, placement)
            if placement.device == "cpu":
                load.own(part.module)
            offload.put(part.wanted.name, part.module, placement)
        except BaseException:
            self._parts.remove(part)
            raise
        return part

    def _make_room(self, name: str, kept: set[Part], placement: Placement) -> None:
        """Free parts until those kept, and the work with them, have room.

        Raises:
            OutOfMemory: those kept alone take more than there is.
        """
        budget = placement.budget_bytes
        if budget is None:
            return
        while self._bytes_at_most(placement.encoding_bytes, placement.headroom_bytes) > budget:
            if spare := [one for one in self._parts if one not in kept]:
                self._drop(max(spare, key=self._next_use))
            elif self.device_bytes > budget:
                raise OutOfMemory(
                    f"{name} takes {self.device_bytes / 1e9:.1f} GB of memory, more than the {budget / 1e9:.1f} GB "
                    "that models may have here"
                )
            else:
                return

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
