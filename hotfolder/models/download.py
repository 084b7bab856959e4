"""One file by HTTP: taken up again where it broke off, checked when it is whole, then moved into its place.

huggingface_hub 2.4 begins a file anew whenever the process that fetched it has ended, checks its length alone, and
leaves what it had behind: for files of 24 GB on a home connection that is not enough. Of the library, the client is
used (proxies, certificates, HF_TOKEN).

**Source**: RFC 9110, sections 14 and 15.5.17 (ranges, 416). The hub's digests: SHA-256 for large files, the id git
gives its blobs (SHA-1 over a header with the length) for small ones.
"""

import errno
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from hotfolder import atomic
from hotfolder.errors import NotYet

TRIES = 5
"""How often in a row a connection may break without a byte having come."""
TIMEOUT_S = 30
"""Seconds of silence after which a connection counts as broken."""
PART = ".part"
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True)
class Remote:
    """A file to fetch. `bytes` is its exact size; `digest`, in hex digits, its SHA-256 (64) or its id in git (40).

    `name` is how messages call it, `page` where people read about it.
    """

    url: str
    name: str
    bytes: int
    digest: str
    page: str


class Broken(Exception):
    """A connection ended early or could not be had: worth another try at once."""


def part_of(place: Path) -> Path:
    """Return where the beginning of a file lies while the rest is missing."""
    return place.with_name(place.name + PART)


def size_of(path: Path) -> int:
    """Return a file's bytes, 0 where there is none."""
    return path.stat().st_size if path.is_file() else 0


def download(
    remote: Remote,
    place: Path,
    progress: Callable[[int], None],
    headers: dict[str, str],
    rest: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch what is missing of a file.

    Args:
        place: where it will lie; until it is whole and checked, what there is of it lies beside, as `.part`.
        progress: called with the bytes of it that are here.
        headers: for the server alone that `remote.url` names; another that it redirects to does not see a token.
        rest: waits the given seconds between two tries.

    Raises:
        NotYet: it could not be had; a sentence. What came so far is kept, unless it was the wrong content.
        OSError: the disk refused it.
    """
    part = part_of(place)
    atomic.make_folders(place.parent)
    part.touch()
    broken = 0
    while (have := size_of(part)) < remote.bytes:
        progress(have)
        try:
            _fetch_rest(remote, part, have, headers, progress)
            why = "its server ended it early"
        except Broken as error:
            why = str(error)
        broken = 0 if size_of(part) > have else broken + 1
        if broken >= TRIES:
            raise NotYet(f"{remote.name} cannot be fetched: {why}")
        if size_of(part) < remote.bytes:
            rest(2.0**broken)
    _check(remote, part)
    atomic.fsync_file(part)
    os.replace(part, place)


def _fetch_rest(
    remote: Remote, part: Path, have: int, headers: dict[str, str], progress: Callable[[int], None]
) -> None:
    """Ask for a file from byte `have` on and write what comes."""
    from huggingface_hub import get_session
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled

    asked = headers | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with get_session().stream(
            "GET", remote.url, headers=asked, timeout=TIMEOUT_S, follow_redirects=True
        ) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                part.unlink()
                raise NotYet(
                    f"{remote.name} cannot be fetched: its server has a shorter file than the one begun (HTTP 416), "
                    "which is thrown away"
                )
            refuse(response, remote.name, remote.page)
            if response.headers.get("content-type", "").startswith("text/html") and not remote.name.endswith(".html"):
                raise NotYet(web_page(remote.name))
            continues = response.headers.get("content-range", "").startswith(f"bytes {have}-")
            with open(part, "ab" if have and continues else "wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    file.flush()  # what is said to be here survives a kill
                    progress(file.tell())
                    if file.tell() > remote.bytes:
                        break
    except OfflineModeIsEnabled:
        raise NotYet(f"{remote.name} is not fetched while HF_HUB_OFFLINE is set; take that away") from None
    except HTTPError as error:
        raise Broken(unreachable(remote.url, error)) from None


def _check(remote: Remote, part: Path) -> None:
    """Compare size and digest; wrong content is thrown away, the next try begins anew."""
    size = part.stat().st_size
    with open(part, "rb") as file:
        if len(remote.digest) == 64:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            # git's own name for the content, not a protection against anybody
            header = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
            found = hashlib.file_digest(file, lambda: header).hexdigest()
    if size != remote.bytes or found != remote.digest:
        part.unlink()
        raise NotYet(
            f"what came for {remote.name} is not that file: {size} bytes with the checksum {found[:12]}, not "
            f"{remote.bytes} with {remote.digest[:12]}; it was thrown away"
        )


def refuse(response: Any, name: str, page: str) -> None:
    """Raise what an answer that is no success means, as a sentence; `response` is a client's Response.

    Raises:
        NotYet: the server will not give it.
        Broken: it could not this moment.
    """
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        return
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING:
        raise Broken(f"{response.url.host} is in trouble (HTTP {status})")
    log_in = "log in with `hf auth login`, or set HF_TOKEN, to an account that may read it"
    gated = response.headers.get("x-error-code") == "GatedRepo"
    says = {
        HTTPStatus.UNAUTHORIZED: f"{response.url.host} does not know you, or has no {page} (HTTP 401): {log_in}",
        HTTPStatus.FORBIDDEN: f"{response.url.host} does not let you have it (HTTP 403): {log_in}",
        HTTPStatus.NOT_FOUND: f"it is not at {page} any more (HTTP 404)",
    }.get(status, f"{response.url.host} answered with HTTP {status}")
    raise NotYet(f"{name} cannot be fetched: {gated_sentence(page) if gated else says}")


def gated_sentence(page: str) -> str:
    """Return how one comes by weights whose licence has to be accepted first."""
    return (
        f"accept the licence at {page} (once, in a browser), then log in on this machine with `hf auth login`, or "
        "set HF_TOKEN"
    )


def web_page(name: str) -> str:
    """Return the sentence for a page of HTML where something else was to come."""
    return f"a web page came instead of {name}; does this network want a login or go through a proxy?"


def no_answer(error: Exception) -> bool:
    """Say whether a client's error is that no connection came about: no name, no route, or nobody there."""
    return type(error).__name__ in ("ConnectError", "ConnectTimeout")  # httpx's


def unreachable(url: str, error: Exception) -> str:
    """Return the sentence for a connection that failed."""
    from urllib.parse import urlsplit

    server, cause = urlsplit(url).netloc, f"({type(error).__name__}: {error})"
    if no_answer(error):
        return f"{server} does not answer; is there a network? {cause}"
    return f"the connection to {server} broke {cause}"


def gigabytes(n: int, beside: int = 0) -> str:
    """Return a number of bytes as people say it; of two that stand together, the smaller in the unit of the larger,
    without naming it."""
    unit, name = (1e9, "GB") if max(n, beside) >= 100_000_000 else (1e6, "MB")
    return f"{n / unit:.1f}" + ("" if beside else f" {name}")
