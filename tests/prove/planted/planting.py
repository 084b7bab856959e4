"""What can be planted into hotfolder's processes, by name."""

import sys
import traceback
from collections.abc import Callable

PLANTS: dict[str, Callable[[str], None]] = {}


def planted(function: Callable[[str], None]) -> Callable[[str], None]:
    """Register a function that patches hotfolder; it is called with what follows `=` after its name."""
    PLANTS[function.__name__] = function
    return function


def plant(names: str) -> None:
    """Plant each of `a;b=argument`, in this order; a process in which that fails ends at once, with a traceback."""
    try:
        for item in names.split(";"):
            name, _, argument = item.partition("=")
            PLANTS[name](argument)
    except Exception:
        traceback.print_exc()
        sys.exit(70)
