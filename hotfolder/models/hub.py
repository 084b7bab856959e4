"""The Hugging Face hub and its cache on this machine, in the layout that every program of the field reads.

**Source**: huggingface.co/docs/huggingface_hub, "Understand caching": `blobs/<digest>` hold the bytes,
`snapshots/<commit>/<path>` point to them, `refs/main` names the commit. Nothing here needs torch; huggingface_hub is
imported only where the network is used.
"""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hotfolder import __version__, atomic
from hotfolder.errors import NotYet
from hotfolder.models import download
from hotfolder.models.download import Remote


def cache() -> Path:
    """Return the folder of the hub's cache, as its own library finds it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    given = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or Path(home, "hub")
    return Path(os.path.expandvars(given)).expanduser()


def storage(repo: str) -> Path:
    """Return the folder of a repository in the cache."""
    return cache() / f"models--{repo.replace('/', '--')}"


def endpoint() -> str:
    """Return the address of the hub, or of the mirror that HF_ENDPOINT names."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def page(repo: str) -> str:
    """Return the address where people read about a repository and accept its licence."""
    return f"{endpoint()}/{repo}"


@dataclass(frozen=True)
class Listing:
    """What is wanted of a repository: one commit's files by their path in it."""

    commit: str
    files: dict[str, Remote]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())


def listing(
    name: str, repo: str, revision: str, patterns: tuple[str, ...], rest: Callable[[float], None] = time.sleep
) -> Listing:
    """Ask the hub which files of a repository fit the patterns (fnmatch), and for their sizes and digests; `name` is
    how messages call it.

    Raises:
        NotYet: it does not say; a sentence.
    """
    for broken in range(download.TRIES):
        try:
            info = _ask(name, repo, revision)
            break
        except download.Broken as error:
            why = str(error)
            rest(2.0**broken)
    else:
        raise NotYet(f"{name} cannot be fetched: {why}")
    files = {}
    for file in info.siblings:
        if any(fnmatchcase(file.rfilename, pattern) for pattern in patterns):
            url = f"{page(repo)}/resolve/{info.sha}/{file.rfilename}"
            digest = file.lfs.sha256 if file.lfs else file.blob_id
            files[file.rfilename] = Remote(url, f"{repo}/{file.rfilename}", file.size, digest, page(repo))
    for pattern in patterns:
        if not any(fnmatchcase(path, pattern) for path in files):
            raise NotYet(f"{pattern} is not at {page(repo)} any more")
    return Listing(info.sha, files)


def _ask(name: str, repo: str, revision: str) -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    try:
        return HfApi(endpoint(), library_name="hotfolder", library_version=__version__).model_info(
            repo, revision=revision, files_metadata=True, timeout=download.TIMEOUT_S
        )
    except OfflineModeIsEnabled:
        raise NotYet(f"{name} is not fetched while HF_HUB_OFFLINE is set; take that away") from None
    except HfHubHTTPError as error:
        download.refuse(error.response, name, page(repo))
        raise
    except HTTPError as error:
        why = download.unreachable(page(repo), error)
        if download.no_answer(error):  # mostly no network: seconds do not mend that
            raise NotYet(f"{name} cannot be fetched: {why}") from None
        raise download.Broken(why) from None
    except (ValueError, LookupError, TypeError):  # no JSON, or another's
        raise NotYet(download.web_page(f"the list of files of {repo}")) from None


def headers() -> dict[str, str]:
    """Return what goes with a request for a file: who asks, and HF_TOKEN or what `hf auth login` left."""
    from huggingface_hub.utils import build_hf_headers

    return build_hf_headers(library_name="hotfolder", library_version=__version__)


def blob(repo: str, file: Remote) -> Path:
    """Return where the bytes of a file lie in the cache."""
    return storage(repo) / "blobs" / file.digest


def snapshot(repo: str, found: Listing) -> Path:
    """Return the folder in which the files of a commit have their names."""
    return storage(repo) / "snapshots" / found.commit


def missing(repo: str, found: Listing) -> list[Remote]:
    """Return the files of a commit that are not here yet, or not all of them, each content once."""
    lacking = {}
    for path, file in found.files.items():
        places = blob(repo, file), snapshot(repo, found) / path
        if not any(place.is_file() and place.stat().st_size == file.bytes for place in places):
            lacking[file.digest] = file
    return list(lacking.values())


def link(repo: str, revision: str, found: Listing) -> Path:
    """Give fetched files their names; returns the snapshot."""
    folder = snapshot(repo, found)
    for path, file in found.files.items():
        pointer, lies_at = folder / path, blob(repo, file)
        atomic.make_folders(pointer.parent)
        if pointer.is_file():
            continue
        with contextlib.suppress(FileNotFoundError):
            pointer.unlink()  # a link to nothing
        try:
            pointer.symlink_to(os.path.relpath(lies_at, pointer.parent))
        except OSError:  # Windows, where links need a right, and some disks: then the bytes themselves lie here
            os.replace(lies_at, pointer)
    ref = storage(repo) / "refs" / revision
    atomic.make_folders(ref.parent)
    atomic.write(ref, found.commit.encode())
    return folder
