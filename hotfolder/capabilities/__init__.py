"""One file a kind, found by scanning this folder. Importing it imports no torch."""

import sys

from hotfolder.capabilities.base import CAPABILITIES, variant_of

CAPABILITIES.discover(sys.modules[__name__])

__all__ = ["CAPABILITIES", "variant_of"]
