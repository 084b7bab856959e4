"""Disk freed: weights that hotfolder fetched and nothing here names, what was begun and never finished, and NF4 copies
of weights that are gone.

What other programs brought into the hub's cache, and what else lies in a workspace's models/, is never touched.
"""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hotfolder.models import download, fetch, hub, quantized
from hotfolder.models.entries import ModelEntry, entries


@dataclass(frozen=True)
class Unneeded:
    """What can go of one model: files in the hub's cache, and the bytes of the disk that this frees. Without an `entry`
    they are NF4 copies in a workspace."""

    entry: ModelEntry | None
    files: tuple[Path, ...]
    bytes: int

    @property
    def name(self) -> str:
        return self.entry.name if self.entry else "models/quantized"


def find(kept: Collection[str]) -> list[Unneeded]:
    """Return what hotfolder fetched, but for the models that are kept."""
    going: dict[str, list[Path]] = {}
    for entry in entries().values():
        if entry.repo and entry.name not in kept and (files := _fetched(hub.storage(entry.repo))):
            going[entry.name] = files
    # content that two repositories share is freed when the last name of it goes
    names = Counter(_identity(path) for files in going.values() for path in files if not path.is_symlink())
    found = []
    for name, files in going.items():
        solid = {_identity(path): path.stat() for path in files if not path.is_symlink()}
        freed = sum(status.st_size // names[each] for each, status in solid.items() if names[each] == status.st_nlink)
        found.append(Unneeded(entries()[name], tuple(files), freed))
    return found


def find_copies(models: Path) -> list[Unneeded]:
    """Return the NF4 copies in a workspace's `models` whose source is gone or has changed."""
    files = quantized.orphans(models)
    return [Unneeded(None, tuple(files), sum(path.stat().st_size for path in files))] if files else []


def remove(one: Unneeded) -> None:
    """Delete what was found of a model; of its folder nothing is left unless another program has files there.

    Raises:
        NotYet: it is being fetched this moment.
    """
    if one.entry is None:
        for path in one.files:
            path.unlink(missing_ok=True)
        return
    assert one.entry.repo
    folder = hub.storage(one.entry.repo)
    with fetch.alone(one.entry):
        for path in one.files:
            path.unlink(missing_ok=True)
        for inner in sorted(folder.rglob("*/"), reverse=True):
            with contextlib.suppress(OSError):  # there is something in it
                inner.rmdir()
        if not (folder / "blobs").exists() and not (folder / "snapshots").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _fetched(folder: Path) -> list[Path]:
    """Return the files in a repository's folder that hotfolder made, as its ledger there says; parts too."""
    try:
        lines = set((folder / fetch.LEDGER).read_text(encoding="utf-8").split("\n")) - {""}
    except OSError:
        return []
    places = [folder / line for line in sorted(lines) if ".." not in PurePosixPath(line).parts and line[0] != "/"]
    return [path for place in places for path in (place, download.part_of(place)) if os.path.lexists(path)]


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
