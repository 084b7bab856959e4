"""A name -> object table that refuses duplicates and suggests near names."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Generic, TypeVar

T = TypeVar("T")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean `x`?" for the nearest known name, or an empty text when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


class Registry(Generic[T]):
    """What is known under a name. `noun` is the word used in messages."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Register `item`; raises ValueError when the name is taken."""
        if name in self._items:
            raise ValueError(f"{self.noun} {name!r} is already registered")
        self._items[name] = item
        return item

    def __getitem__(self, name: str) -> T:
        """Return the item; raises LookupError with a hint and the known names."""
        try:
            return self._items[name]
        except KeyError:
            hint = did_you_mean(name, self._items)
            raise LookupError(f"no {self.noun} `{name}`{hint} (known: {', '.join(self)})") from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def discover(self, package: ModuleType) -> None:
        """Import every public module of `package`, in name order; each registers itself."""
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
            if info.name != "base" and not info.name.startswith("_"):
                importlib.import_module(f"{package.__name__}.{info.name}")
