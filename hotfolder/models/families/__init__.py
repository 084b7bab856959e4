"""One file for each family of models, found by scanning this folder. Importing it imports no torch."""

import sys
from typing import Any

from hotfolder.registry import Registry

FAMILIES: Registry[type[Any]] = Registry("model family")


def discover() -> None:
    """Import every family once; each registers itself."""
    if not list(FAMILIES):
        FAMILIES.discover(sys.modules[__name__])
