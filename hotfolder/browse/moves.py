"""Keeping and rejecting: a picture and what lies beside it move into keep/ or reject/ of their folder, and back."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hotfolder import atomic, images, names
from hotfolder.browse.files import base, named
from hotfolder.catalog.pictures import review_of

_BESIDE = (".job.yaml", ".txt", ".json", ".xmp", ".mask.png", ".overlay.png")


def move(outbox: Path, picture: Path, to: str | None) -> Path:
    """Move a picture into `keep` or `reject`, or out of them for None; returns where it is then.

    What lies beside it goes along. Nothing is overwritten: where a name is taken, all get a number.

    Raises:
        OSError: a file cannot be moved.
    """
    path = PurePosixPath(named(outbox, picture))
    if review_of(str(path)) == to:
        return picture
    folder = outbox.resolve() / base(path).relative_to("outbox") / (to or "")
    atomic.make_folders(folder)
    group = [picture, *_beside(picture)]
    targets = next(
        targets
        for targets in _targets(picture, group, folder)
        if not any(os.path.lexists(target) for target in targets)
    )
    for source, target in zip(group, targets, strict=True):
        atomic.rename_new(source, target)
    atomic.fsync_folders({folder, picture.parent})
    return targets[0]


def _targets(picture: Path, group: list[Path], folder: Path) -> Iterator[list[Path]]:
    """Yield the names that the files of a group may get in a folder, the numbers rising."""
    number = 1
    while True:
        stem = Path(names.numbered(picture.name, number)).stem
        yield [folder / f"{stem}{file.name[len(picture.stem) :]}" for file in group]
        number += 1


def _beside(picture: Path) -> list[Path]:
    """Return the files that belong to a picture; where another one shares its stem, only what has its whole name."""
    folder, stem = picture.parent, picture.stem
    others = [folder / f"{stem}{suffix}" for suffix in images.SUFFIXES - {picture.suffix.lower()}]
    # os.path, not the methods: those raise where a name has no room for its ending
    endings = () if any(os.path.isfile(other) for other in others) else _BESIDE
    beside = [*(folder / f"{stem}{ending}" for ending in endings), folder / f"{picture.name}.xmp"]
    return [file for file in beside if os.path.isfile(file) and not file.is_symlink()]
