"""Which models are in memory, in parts: two models whose files are equal share the parts made of them."""

import functools
import gc
import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotfolder.errors import JobError, OutOfMemory
from hotfolder.models import entries, load, sources
from hotfolder.models.families import FAMILIES, discover
from hotfolder.models.families.base import PartClass
from hotfolder.models.placement import Device, Offload, Placement, Precision
from hotfolder.models.sources import Source


@dataclass(frozen=True)
class Wanted:
    """One part as a model needs it."""

    kind: PartClass
    source: Source
    precision: Precision
    device: Device
    offload: Offload

    def is_met_by(self, other: "Wanted") -> bool:
        """Say whether a part loaded for another model is the one that is wanted."""
        how = (self.kind, self.precision, self.device, self.offload)
        return how == (other.kind, other.precision, other.device, other.offload) and self.source.is_same(other.source)


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


@dataclass(frozen=True)
class BoundPool:
    """The pool as the job of one order sees it; `placement` is None where it needs no model."""

    pool: "ModelPool"
    placement: Placement | None

    def use(self, name: str) -> Any:
        assert self.placement
        return self.pool.use(name, self.placement)


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
        entry = entries.entries()[name]
        folder = entries.weights_folder(entry, self._models)
        discover()
        began = time.monotonic()
        family_class = FAMILIES[entry.family]
        try:
            if not hasattr(family_class, "PARTS"):
                return self._whole(name, family_class, entry, folder)
            wanted = {
                part: Wanted(
                    kind,
                    sources.part_of(folder, "" if kind.at_root else part),
                    kind.precision(placement),
                    placement.device,
                    placement.offload,
                )
                for part, kind in family_class.PARTS.items()
            }
            family = self._ready_with(name, entry, wanted, placement.budget_bytes)
        except MemoryError as error:
            raise OutOfMemory(f"{name} does not fit into memory") from error
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:  # as diffusers complains
            raise JobError(
                f"the weights of {name} in {folder} cannot be loaded ({error}); download them again"
            ) from error
        finally:
            self.load_s += time.monotonic() - began
        self.resident = name
        return family

    def release(self) -> None:
        """Free everything."""
        self._parts, self._ready, self.resident = [], {}, ""
        gc.collect()

    @property
    def device_bytes(self) -> int:
        """What the models take of the device's memory. Of those that move between it and main memory, one part is
        there at a time; what is streamed layer by layer does not count."""
        whole = sum(part.bytes for part in self._parts if part.wanted.offload == "none")
        return whole + max((part.bytes for part in self._parts if part.wanted.offload == "model"), default=0)

    def _ready_with(
        self, name: str, entry: entries.ModelEntry, wanted: Mapping[str, Wanted], budget: int | None
    ) -> Any:
        """Return the model made of the parts wanted; the one in memory where they are all the same still."""
        self._uses += 1
        for other in [other for other, (parts, _) in self._ready.items() if not parts]:
            self._forget(other)
        heavy = {part: one for part, one in wanted.items() if one.kind.has_weights}
        found = {part: self._find(one) for part, one in heavy.items()}
        if name in self._ready:
            parts, family = self._ready[name]
            if parts == found:
                for part in parts.values():
                    part.used = self._uses
                return family
            self._forget(name)
        mine: dict[str, Part] = {part: one for part, one in found.items() if one}
        for part, one in heavy.items():
            if part not in mine:
                mine[part] = self._take_in(name, one, set(mine.values()), budget)
        light = {
            part: load.load(one.kind, one.source, one.precision) for part, one in wanted.items() if part not in mine
        }
        family = FAMILIES[entry.family](entry, light | {part: one.module for part, one in mine.items()})
        for one in mine.values():
            one.users.add(name)
            one.used = self._uses
        self._ready[name] = (mine, family)
        return family

    def _whole(self, name: str, family_class: Any, entry: entries.ModelEntry, folder: Path) -> Any:
        """Return a model of a family that loads itself; alone in memory."""
        if name not in self._ready:
            self.release()
            self._ready[name] = ({}, family_class(entry, folder))
        self.resident = name
        return self._ready[name][1]

    def _find(self, wanted: Wanted) -> Part | None:
        return next((part for part in self._parts if wanted.is_met_by(part.wanted)), None)

    def _take_in(self, name: str, wanted: Wanted, kept: set[Part], budget: int | None) -> Part:
        """Load a part, making room for it first. Its weights are mapped, not read, until that is done."""
        part = Part(wanted, load.load(wanted.kind, wanted.source, wanted.precision))
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
            load.put(part.module, wanted.device)
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
        gc.collect()

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
