"""What is known and what of it is on this machine: the table of `hotfolder models`, and the catalog's."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from hotfolder.errors import NotYet
from hotfolder.models import download, fit, hub
from hotfolder.models.entries import ModelEntry, known, weights_folder
from hotfolder.models.placement import Placement


@dataclass(frozen=True)
class Known:
    """One model of the registry. `bytes` is the size of its files, `here_bytes` what of them is on this machine;
    `path` is None until it is all there. `vram` is the bytes of a card's memory it takes at its own picture size, by
    precision; empty where that is not told apart from its size."""

    name: str
    family: str
    kinds: tuple[str, ...]
    lora_for: tuple[str, ...]
    licence: str
    commercial: bool
    gated: bool
    packaged: bool
    bytes: int | None
    here_bytes: int
    path: str | None
    sha256: str | None
    vram: dict[str, int]


def take_stock(models: Path) -> list[Known]:
    """Return every model that has weights, also those put into `models`, the workspace's folder of that name."""
    return [_known(entry, models) for entry in known(models).values() if entry.is_loaded]


def as_json(stock: list[Known]) -> str:
    """Return the table for programs."""
    return json.dumps([asdict(one) for one in stock], indent=2)


def _known(entry: ModelEntry, models: Path) -> Known:
    try:
        path = weights_folder(entry, models)
    except NotYet:
        path = None
    here = _bytes_in(path) if path else _bytes_begun(entry)
    return Known(
        name=entry.name,
        family=entry.family,
        kinds=entry.kinds,
        lora_for=entry.lora_for,
        licence=entry.licence,
        commercial=entry.commercial,
        gated=entry.gated,
        packaged=entry.is_miniature,
        bytes=here if path else entry.bytes,
        here_bytes=here,
        path=str(path) if path else None,
        sha256=next(iter(entry.sha256.values())) if len(entry.sha256) == 1 == len(entry.files) else None,
        vram=_vram(entry),
    )


def _bytes_in(path: Path) -> int:
    files = [path] if path.is_file() else [inner for inner in path.rglob("*") if inner.is_file()]
    return sum(file.stat().st_size for file in files)


def _bytes_begun(entry: ModelEntry) -> int:
    """Return what lies in the cache of a model that is not all there: files that are whole, and parts."""
    return sum(map(download.size_of, (hub.storage(entry.repo) / "blobs").glob("*"))) if entry.repo else 0


def _vram(entry: ModelEntry) -> dict[str, int]:
    """Return the peak of a model that lies whole on a card, its text encoders gone while it samples, in bytes."""
    if "transformer" not in entry.parts:
        # of captioners and upscalers; their files hold 32 bits
        return {entry.half: entry.bytes // 2 + fit.WORK_BYTES} if entry.kinds and entry.bytes else {}
    pixels = entry.defaults.edge_px**2
    placed = [
        Placement(device="cuda", precision=each, text_precision=each, encoders_leave=True) for each in ("nf4", "bf16")
    ]
    return {placement.precision: fit.need(entry, placement, pixels).peak for placement in placed}
