"""One file for each family of models, found by scanning this folder. Importing it imports no torch."""

import functools
import sys
from typing import Any

from hotfolder.registry import Registry

FAMILIES: Registry[type[Any]] = Registry("model family")


@functools.cache
def discover() -> None:
    """Import every family once; each registers itself."""
    FAMILIES.discover(sys.modules[__name__])
