"""A page of a real Chromium that is watched: what its console, its network and its policy complain about."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

HERE = "127.0.0.1"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {HERE}",
]  # fmt: skip
"""Chromium itself keeps silent too, and finds no other host if it should not."""
DEADLINE_MS = 100_000
expect.set_options(timeout=DEADLINE_MS)
STAYS = """{ const later = setTimeout;
  window.setTimeout = (deed, ms, ...given) => ms >= 6000 ? 0 : later(deed, ms, ...given); }"""
"""What a page says for some seconds stays: a test may be slower than a reader."""


def find() -> str | None:
    """Return the Chromium of this machine."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def watched(chromium: Browser, address: str, expected: str | None = None, **options: Any) -> Iterator[Page]:
    """Give an empty page in a context of its own; AssertionError at the end if anything complained, or asked any other
    machine for anything. `page.goto("/path")` is relative to `address`. One complaint may be `expected`: a part of it,
    then it must come."""
    with chromium.new_context(base_url=address, **options) as context:
        context.set_default_timeout(DEADLINE_MS)
        context.add_init_script(STAYS)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
        page.on("requestfailed", lambda one: complaints.extend(_failure(one)))
        page.on("request", lambda one: complaints.extend(_elsewhere(one.url)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        yield page
        if expected:
            complaints.remove(next(one for one in complaints if expected in one))
        assert not complaints, "\n".join(complaints)


def _failure(request: Any) -> list[str]:
    """A page that is left lets go of the pictures it still waits for; that is no failure."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"{request.url}: {request.failure}"]


def _elsewhere(url: str) -> list[str]:
    parts = urlsplit(url)
    return [] if parts.hostname == HERE or parts.scheme == "data" else [f"asked elsewhere: {url}"]
