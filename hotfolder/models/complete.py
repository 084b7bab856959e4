"""Whether a folder of weights is all there. A job that starts while 33 GB are still being copied would fail.

**Source**: the layout that diffusers' `save_pretrained` writes; safetensors' format (8 bytes little-endian: the length
of a JSON header, whose `data_offsets` end where the file does).
"""

import functools
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

MAX_HEADER_BYTES = 100_000_000
"""safetensors' own limit."""


PICKLE = "pytorch_model.bin"
"""Weights as they were published before there was safetensors. Since torch 1.6 such a file is a zip archive."""


def missing(folder: Path, wanted: Sequence[str] = (), may_be_pickle: bool = False) -> str | None:
    """Return the first file, relative to the folder, that is missing or cut short; None when all is there.

    `wanted`: patterns that each name a file at least (fnmatch). A folder of diffusers knows itself what it needs.
    `may_be_pickle`: PICKLE will do where there is no .safetensors.
    """
    for pattern in wanted:
        if not any(path.is_file() and path.stat().st_size for path in folder.glob(pattern)):
            return pattern
    if (folder / "model_index.json").exists():
        return _missing_part(folder)
    if may_be_pickle and not list(folder.glob("*.safetensors*")) and (folder / PICKLE).is_file():
        return None if zipfile.is_zipfile(folder / PICKLE) else PICKLE
    weights = list(_weights(folder)) or [folder / "*.safetensors"]
    return next((path.relative_to(folder).as_posix() for path in weights if not is_there(path)), None)


def files(folder: Path) -> list[Path]:
    """Return the files of weights in a folder and those below it."""
    kinds = ("*.safetensors", PICKLE, "*.onnx")
    return next((found for kind in kinds if (found := sorted(folder.rglob(kind)))), [])


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
    if path.suffix == ".onnx":
        return _is_onnx(path, status.st_size, status.st_mtime_ns)
    return path.suffix == ".safetensors" and _is_whole(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _is_onnx(path: Path, size: int, mtime_ns: int) -> bool:
    """Say whether a file is an ONNX model to its end: fields of protobuf, the first of them `ir_version`.

    **Source:** onnx.proto (ModelProto) and protobuf's encoding: a field is its number and wire type, then a number (0),
    8 bytes (1), a length and as many bytes (2), or 4 bytes (5).
    """
    try:
        with open(path, "rb") as file:
            if file.read(1) != b"\x08":
                return False
            file.seek(0)
            while file.tell() < size:
                wire = _number(file) & 7
                skip = {1: 8, 5: 4}.get(wire, 0)
                value = _number(file) if wire in (0, 2) else 0
                file.seek(value if wire == 2 else skip, 1)
            return file.tell() == size
    except (OSError, ValueError):
        return False


def _number(file: IO[bytes]) -> int:
    """Read one of protobuf's numbers: seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends in the middle of a number")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("no number")


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
    if path.name != PICKLE and begin.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "is a pickle by another name, which could run any program when it is read; it has to be converted"
    if begin.lstrip()[:1] == b"<":
        return "is a web page, no weights: the download needs a login, or the link was another; download it again"
    if begin.startswith(b"version https://git-lfs"):
        return "only points to the weights, as git does for large files; download the file itself"
    return "is cut short or holds no weights at all"
