"""Whether a folder of weights is all there. A job that starts while 33 GB are still being copied would fail.

**Source**: the layout that diffusers' `save_pretrained` writes; safetensors' format (8 bytes little-endian: the length
of a JSON header, whose `data_offsets` end where the file does).
"""

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

MAX_HEADER_BYTES = 100_000_000
"""safetensors' own limit."""


def missing(folder: Path, wanted: Sequence[str] = ()) -> str | None:
    """Return the first file, relative to the folder, that is missing or cut short; None when all is there.

    `wanted`: patterns that each name a file at least (fnmatch). A folder of diffusers knows itself what it needs.
    """
    for pattern in wanted:
        if not any(path.is_file() and path.stat().st_size for path in folder.glob(pattern)):
            return pattern
    if (folder / "model_index.json").exists():
        return _missing_part(folder)
    weights = list(_weights(folder)) or [folder / "*.safetensors"]
    return next((path.relative_to(folder).as_posix() for path in weights if not is_there(path)), None)


def _missing_part(folder: Path) -> str | None:
    """Do the same for a folder of diffusers, whose index names its components."""
    try:
        index = json.loads((folder / "model_index.json").read_bytes())
        parts = [name for name, value in index.items() if isinstance(value, list) and value and value[0]]
    except (OSError, ValueError, AttributeError):
        return "model_index.json"
    for part in parts:
        if not (folder / part).is_dir() or not any((folder / part).iterdir()):
            return f"{part}/"
        for path in _weights(folder / part):
            if not is_there(path):
                return path.relative_to(folder).as_posix()
    return None


def _weights(part: Path) -> Iterator[Path]:
    """Yield the weight files that a component has and should have: those of its shard lists, and one at least."""
    lists = sorted(part.glob("*.safetensors.index.json"))
    for path in lists:
        try:
            shards = json.loads(path.read_bytes())["weight_map"].values()
        except (OSError, ValueError, KeyError, AttributeError):
            yield path
        else:
            yield from (part / name for name in sorted(set(shards)))
    single = sorted(part.glob("*.safetensors"))
    yield from single
    has_weights = (part / "config.json").is_file()  # tokenizers and noise schedulers call theirs otherwise
    if has_weights and not single and not lists:
        yield part / "*.safetensors"


def is_there(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return path.suffix == ".safetensors" and _is_whole(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _is_whole(path: Path, size: int, mtime_ns: int) -> bool:
    """Say whether a safetensors file is as long as its header says; looked at once as long as it does not change."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, size, MAX_HEADER_BYTES)))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except (OSError, ValueError, AttributeError, TypeError, LookupError):
        return False
    return size == 8 + length + max(ends, default=0)
