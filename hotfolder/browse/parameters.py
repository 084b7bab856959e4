"""Everything that made one picture, as rows of a table: a key, what it is called, what it says."""

import json
from dataclasses import dataclass
from typing import Any

from hotfolder import statuswords
from hotfolder.browse import words

_ROW = (
    ("kind", "Kind"), ("model", "Model"), ("profile", "Profile"), ("loras", "LoRAs"), ("seed", "Seed"),
    ("steps", "Steps"), ("guidance", "Guidance"), ("sampler", "Sampler"), ("size", "Size"), ("format", "Format"),
)  # fmt: skip
_ABOUT = (
    ("tags", "Tags"), ("rating", "Rating"), ("review", "Review"), ("hot_folder", "Hot folder"),
    ("created_at", "Made"), ("prompt_tokens", "Prompt's length"),
)  # fmt: skip
_ELSEWHERE = {key for key, _ in (*_ROW, *_ABOUT)} | set(
    "prompt negative_prompt width height image image_sha256 variants note name priority pictures columns rows".split()
)
"""Keys of a job that are shown as columns of the picture's row, or in places of their own."""
_REVIEWS = {"keep": "kept", "reject": "rejected"}


@dataclass(frozen=True)
class Parameter:
    key: str
    label: str
    text: str


def of(image: dict[str, Any], values: dict[str, Any]) -> list[Parameter]:
    """Return what is known of a picture: from its row, and from its job's `values` what the row has no column for."""
    own = [Parameter(key, label, text) for key, label in _ROW if (text := _text(key, image))]
    further = [
        Parameter(key, key.replace("_", " ").capitalize(), _plain(value))
        for key, value in values.items()
        if key not in _ELSEWHERE and value not in (None, "", [], {})
    ]
    about = [Parameter(key, label, text) for key, label in _ABOUT if (text := _text(key, image))]
    return own + further + about


def stars(rating: int | None) -> str:
    """Return a rating as stars, empty where there is none."""
    return "★" * rating + "☆" * (5 - rating) if rating and 1 <= rating <= 5 else ""


def _text(key: str, image: dict[str, Any]) -> str:
    if key == "size":
        return f"{image['width']} × {image['height']} pixels"
    value = image[key]
    if value in (None, ""):
        return ""
    if key == "model" and "miniature" in value:
        return f"{value} (a miniature, for demonstrations)"
    if key == "seed":
        return f"{value}, locked" if image["seed_locked"] else f"{value}, drawn at random"
    if key == "loras":
        return _loras(value)
    if key == "rating":
        return stars(value) if isinstance(value, int) else ""
    if key == "created_at":
        return words.when(value)
    if key == "prompt_tokens":
        return statuswords.several(value, "token")
    return _REVIEWS.get(value, value) if key == "review" else _plain(value)


def _loras(text: str) -> str:
    """Return the LoRAs of a row, `tarot at 0.8`; as it stands where it is no JSON of ours."""
    try:
        return ", ".join(f"{use['name']} at {words.number(use.get('weight', 1))}" for use in json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError):
        return text


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return words.number(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    return ", ".join(_plain(one) for one in value) if isinstance(value, list) else str(value)
