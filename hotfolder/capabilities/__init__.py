"""One file a kind, found by scanning this folder, and those that HOTFOLDER_CAPABILITIES names. Importing it imports no
torch."""

import os
import sys

from hotfolder.capabilities.base import CAPABILITIES, variant_of

# only who starts hotfolder can say so: what lies in a workspace is never run
__path__.extend(filter(None, os.environ.get("HOTFOLDER_CAPABILITIES", "").split(os.pathsep)))
CAPABILITIES.discover(sys.modules[__name__])

__all__ = ["CAPABILITIES", "variant_of"]
