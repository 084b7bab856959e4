"""Whether a folder of weights is all there. A job that starts while 33 GB are still being copied would fail.

**Source**: the layout that diffusers' `save_pretrained` writes; safetensors' format (8 bytes little-endian: the length
of a JSON header, whose `data_offsets` end where the file does).
"""

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
    return next((lacks for part in parts if (lacks := missing_of(folder, part))), None)


def missing_of(folder: Path, part: str) -> str | None:
    """Do the same for one component of a folder of diffusers."""
    if not (folder / part).is_dir() or not any((folder / part).iterdir()):
        return f"{part}/"
    weights = _weights(folder / part)
    return next((path.relative_to(folder).as_posix() for path in weights if not is_there(path)), None)


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
        length, tensors = header(path, size)
        return size == 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    except (OSError, ValueError, AttributeError, TypeError, LookupError):
        return False


def header(path: Path, size: int) -> tuple[int, dict[str, Any]]:
    """Return how long a safetensors file's header is, and what it says of each tensor: `shape`, `dtype` and others.

    Raises:
        OSError, ValueError, AttributeError: it has none.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        tensors = json.loads(file.read(min(length, size, MAX_HEADER_BYTES)))
    return length, {name: entry for name, entry in tensors.items() if name != "__metadata__"}


def fault(path: Path) -> str:
    """Say what is wrong with a file that is not there as weights: the end of a sentence that begins with its name."""
    try:
        with open(path, "rb") as file:
            begin = file.read(512)
    except OSError:
        return "is missing"
    if begin.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "is a pickle by another name, which could run any program when it is read; it has to be converted"
    if begin.lstrip()[:1] == b"<":
        return "is a web page, no weights: the download needs a login, or the link was another; download it again"
    if begin.startswith(b"version https://git-lfs"):
        return "only points to the weights, as git does for large files; download the file itself"
    return "is cut short or holds no weights at all"
