"""Where rembg keeps its models, so that a file it once downloaded need not be downloaded again. Imports no rembg.

**Source:** rembg 2.0.86 (MIT), `BaseSession.rembg_home` and `legacy_home`.
"""

import os
from pathlib import Path


def homes(name: str) -> list[Path]:
    """Return the folders in which rembg looks for a model of its own: the model's own, and the older one of all."""
    environ = os.environ
    old = environ.get("U2NET_HOME") or os.path.join(environ.get("XDG_DATA_HOME", "~"), ".u2net")
    default = os.path.join(environ["XDG_DATA_HOME"], "rembg") if environ.get("XDG_DATA_HOME") else "~/.rembg"
    home = environ.get("U2NET_HOME") or environ.get("REMBG_HOME", default)
    return [Path(home).expanduser() / "models" / name, Path(old).expanduser()]
