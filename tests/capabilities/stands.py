"""What stands for a part of a context that a test must see unused."""

from collections.abc import Callable
from typing import Any


class NoPool:
    """Fails when a model is asked for."""

    def attempt(self, name: str, work: Callable[[Any], Any]) -> Any:
        raise AssertionError(f"no model is needed here, and {name!r} was asked for")
