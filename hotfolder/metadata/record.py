"""Our own record inside a picture: its facts and its job as one JSON text, under the key `hotfolder`."""

import json
import re
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeGuard

from hotfolder.metadata.facts import Facts
from hotfolder.names import display

KEY = "hotfolder"
_IMAGE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")
_LONG = ("prompt", "negative_prompt")
"""Texts that are kept once where the job says the same: JPEG has room for 60,000 bytes."""
_TEXTS = set("kind negative_prompt template sampler model model_hash profile caption title version prompt".split())
_COUNTS = {"seed": 2**64, "steps": 2**31, "prompt_tokens": 2**31}
_NUMBERS = ("guidance", "peak_vram_mb", "energy_wh")
_SPILLED = "too large to embed; it is in the .job.yaml beside the picture"


def build(facts: Facts, limit: int) -> str:
    """Return the JSON, at most `limit` bytes in UTF-8; what is too large is replaced by a word of where it is.

    First the source's parameters and the history go, then the job, then prompts and tags.
    """
    content = {key: value for key, value in asdict(facts).items() if value not in (None, (), "")}
    for key in _LONG:
        if content.get(key) == facts.job.get(key):
            content.pop(key, None)
    if facts.source:
        content["source"] = {"name": display(facts.source.name), "sha256": facts.source.sha256}
        if facts.is_generated and facts.source.parameters:
            content["source"]["parameters"] = facts.source.parameters
    text = _dump(content)
    for spill in (
        {"source", "history"},
        {"job"},
        {"prompt", "negative_prompt", "template", "caption", "tags", "loras", "title"},
    ):
        if len(text.encode()) <= limit:
            break
        for key in spill & content.keys():
            if key == "source":
                content["source"].pop("parameters", None)
            elif key == "job":
                content |= {key: getattr(facts, key) for key in _LONG if getattr(facts, key)}
                content |= {"job": None, "job_is": _SPILLED}
            else:
                del content[key]
        text = _dump(content)
    return text


def _dump(content: dict[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        return json.dumps(content, separators=(",", ":"))
    return text


def parse(text: str | None) -> dict[str, Any] | None:
    """Return the record, None where the text is none of ours (no JSON, no mapping, no image id).

    Anybody may have written it: a fact that is not what such a fact can be is left out.
    """
    if not text:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("image_id"), str):
        return None
    if not _IMAGE_ID.fullmatch(content["image_id"]):
        return None
    content = {key: value for key, value in content.items() if _can_be(key, value)}
    job = content.get("job")
    if not isinstance(job, dict):
        return content | {"job": None}
    return {key: job[key] for key in _LONG if key in job and _can_be(key, job[key])} | content


def _can_be(key: str, value: Any) -> bool:
    """Say whether a fact of this name can have this value."""
    if key in _TEXTS:
        return is_text(value)
    if key in _COUNTS:
        return isinstance(value, int) and 0 <= value < _COUNTS[key]
    if key in _NUMBERS:
        return isinstance(value, int | float) and 0 <= value < 1e12
    if key == "created_at":
        return is_text(value) and _is_time(value)
    if key == "loras":
        return isinstance(value, list) and all(isinstance(one, dict) and is_text(one.get("name")) for one in value)
    return True


def is_text(value: Any) -> TypeGuard[str]:
    """Say whether a value of somebody's JSON is a text that can be written down: JSON's escapes make others too."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
