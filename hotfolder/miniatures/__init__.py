"""Small trained models in the real models' layouts, so that every capability runs for real on any machine."""

from __future__ import annotations

from pathlib import Path

_WEIGHTS = Path(__file__).parent / "weights"
LORAS = _WEIGHTS / "loras"
"""Each LoRA for the miniature generator is one file here."""


def path(name: str) -> Path:
    """The weights folder of a miniature.

    Raises:
        LookupError: No miniature has that name; the message lists those there are.
    """
    known = sorted(folder.name for folder in _WEIGHTS.iterdir() if folder.is_dir())
    if name not in known:
        raise LookupError(f"no miniature is called {name!r}; there are {', '.join(known)}")
    return _WEIGHTS / name
