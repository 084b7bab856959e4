"""Weights brought to this machine: what a model lacks is asked for, room is looked for, file after file fetched.

Only `hotfolder models pull` and the fetching process come here; the service and the worker never use the network.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from hotfolder import atomic
from hotfolder.errors import NotYet
from hotfolder.models import download, hub
from hotfolder.models.download import Remote
from hotfolder.models.entries import ModelEntry
from hotfolder.models.hub import Listing

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # before huggingface_hub is imported: it asks once

ROOM_TO_SPARE = 500_000_000
"""Bytes that fetching leaves free on the disk, for everybody else."""
LEDGER = ".hotfolder"
"""In a repository's folder of the cache: the files there that hotfolder made, one a line. What other programs brought
is theirs, and `models prune` leaves it."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are here, and those wanted altogether."""


def fetch(
    entry: ModelEntry, progress: Progress, limit_bytes: int | None = None, rest: Callable[[float], None] = time.sleep
) -> Path:
    """Fetch what is missing of a model's files into the cache of the hub; returns its snapshot.

    Args:
        limit_bytes: more than this is not begun.
        rest: waits the given seconds before another try.

    Raises:
        NotYet: it cannot be had now; a sentence. What has come is kept for the next time.
    """
    assert entry.repo
    with alone(entry):
        found = hub.listing(entry.name, entry.repo, entry.revision, entry.files, rest)
        _compare(entry, found)
        try:
            _bring(entry, found, progress, limit_bytes, rest)
            snapshot = hub.link(entry.repo, entry.revision, found)
        except OSError as error:
            if error.errno in download.FULL:
                raise NotYet(no_room(entry, _to_come(entry, found))) from None
            raise NotYet(f"{entry.name} cannot be fetched: {error.filename or hub.cache()}: {error.strerror}") from None
    progress(found.bytes, found.bytes)
    return snapshot


def _bring(
    entry: ModelEntry, found: Listing, progress: Progress, limit_bytes: int | None, rest: Callable[[float], None]
) -> None:
    """Get the files of a commit that are not here."""
    assert entry.repo
    _note(entry.repo, found)
    missing = [file for file in hub.missing(entry.repo, found) if not _link_twin(hub.blob(entry.repo, file), file)]
    size = sum(file.bytes for file in missing)
    if limit_bytes is not None and size > limit_bytes:
        raise NotYet(too_large(entry, size, limit_bytes))
    n = _to_come(entry, found)
    if n and shutil.disk_usage(hub.cache()).free < n + ROOM_TO_SPARE:
        raise NotYet(no_room(entry, n))
    here = found.bytes - size
    for file in missing:
        place = hub.blob(entry.repo, file)
        download.download(file, place, _counted(progress, here, found.bytes), hub.headers(), rest)
        here += file.bytes


def _counted(progress: Progress, before: int, of: int) -> Callable[[int], None]:
    """Return what tells of one file's bytes as a part of the whole."""
    return lambda n: progress(before + n, of)


def too_large(entry: ModelEntry, n: int, limit_bytes: int) -> str:
    """Return the sentence for weights that are not fetched without being asked for."""
    return (
        f"the weights of {entry.name} are not on this machine: {download.gigabytes(n)}, more than is fetched unasked "
        f"(fetch_limit_gb: {limit_bytes / 1e9:g}); fetch them: hotfolder models pull {entry.name}"
    )


def no_room(entry: ModelEntry, n: int) -> str:
    """Return the sentence for a disk that is too full for the bytes that are missing."""
    return (
        f"the disk of {hub.cache()} has no room for {entry.name}: {download.gigabytes(n)} are still to come; make room "
        "(`hotfolder models prune`), or set HF_HOME to a folder on another disk; what has come is kept"
    )


@contextlib.contextmanager
def alone(entry: ModelEntry) -> Iterator[None]:
    """Be the only one on this machine that writes into a model's folder of the cache.

    Raises:
        NotYet: another one does.
    """
    assert entry.repo
    folder = hub.cache() / ".locks"
    lock = FileLock(folder / f"hotfolder--{hub.storage(entry.repo).name}.lock", timeout=0)
    try:
        atomic.make_folders(folder)
        lock.acquire()
    except Timeout:
        raise NotYet(f"{entry.name} is being fetched by another hotfolder on this machine") from None
    except OSError as error:
        raise NotYet(f"{entry.name} cannot be fetched: {folder}: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()


def _compare(entry: ModelEntry, found: Listing) -> None:
    """Refuse files that are not those the registry knows."""
    for path, digest in entry.sha256.items():
        if path in found.files and found.files[path].digest != digest:
            raise NotYet(
                f"{found.files[path].name} is another file than the one this version of hotfolder knows (its checksum "
                "differs), and is not fetched; a newer version of hotfolder may know it"
            )


def _to_come(entry: ModelEntry, found: Listing) -> int:
    """Return how many bytes of a commit's files are not here, not even in a part."""
    assert entry.repo
    missing = hub.missing(entry.repo, found)
    return sum(file.bytes - download.size_of(download.part_of(hub.blob(entry.repo, file))) for file in missing)


def _note(repo: str, found: Listing) -> None:
    """Write down which files of a commit are made by us, before they are."""
    folder = hub.storage(repo)
    places = [hub.blob(repo, file) for file in found.files.values()]
    places += [hub.snapshot(repo, found) / path for path in found.files]
    atomic.make_folders(folder)
    with open(folder / LEDGER, "a", encoding="utf-8") as lines:
        lines.writelines(f"{place.relative_to(folder).as_posix()}\n" for place in places if not place.exists())


def _link_twin(place: Path, file: Remote) -> bool:
    """Use the same content that another repository brought: text encoders and VAE of the FLUX models are the same
    bytes, 9.9 GB of them."""
    for twin in hub.cache().glob(f"models--*/blobs/{file.digest}"):
        if twin != place and download.size_of(twin) == file.bytes:
            with contextlib.suppress(OSError):
                atomic.make_folders(place.parent)
                os.link(twin, place)
                return True
    return False
