"""Values out of other programs' JSON: of any type and size, and nothing to rely on. Nothing here raises."""

import json
import math
import re
from typing import Any

from hotfolder.metadata.text import clean

MAX_CHARACTERS = 1 << 20
"""Longer texts are not read: a graph of a thousand nodes has a tenth of that."""
MAX_WHOLE = 2**64 - 1
MAX_LORAS = 100


def mapping(text: str) -> dict[str, Any] | None:
    """Return a JSON text that is a mapping; None for any other."""
    if len(text) > MAX_CHARACTERS or not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def inner(value: object) -> dict[str, Any]:
    """Return a mapping, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a list, of at most MAX_LORAS items; an empty one for anything else."""
    return value[:MAX_LORAS] if isinstance(value, list) else []


def words(value: object) -> str | None:
    """Return a text that says something, without what no file may hold; None for anything else."""
    return (clean(value).strip() or None) if isinstance(value, str) else None


def whole(value: object) -> int | None:
    """Return a whole number from 0 to MAX_WHOLE, given as a number or in digits; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,20}\s*", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_WHOLE else None


def decimal(value: object) -> float | None:
    """Return a finite number below a billion, given as a number or in digits; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,9}(\.[0-9]{0,18})?\s*", value):
        value = float(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and abs(value) < 1e9 else None


def said(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a tool's file really says: nothing that is None or empty."""
    return {key: value for key, value in found.items() if value not in (None, "", [], ())}
