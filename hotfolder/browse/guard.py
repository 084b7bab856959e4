"""What stands between a web page in the user's browser and the catalog: a Host allow-list and strict headers.

Datasette answers any Host header, so a hostile page whose name is re-pointed at 127.0.0.1 (DNS rebinding) could read
everything. The catalog answers to this machine's own names only.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Any

from hotfolder.browse import sites

App = Callable[[Any, Any, Any], Awaitable[None]]

_HOST = re.compile(rb"(?:127\.0\.0\.1|localhost|\[::1\])(?::(\d{1,5}))?", re.IGNORECASE)
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_OTHER_HOST = (
    "This catalog answers only to the machine it runs on: open it as http://127.0.0.1:PORT/ with the port that "
    "`hotfolder browse` printed. From another machine, forward the same port: ssh -L PORT:127.0.0.1:PORT.\n"
)
_READ_ONLY = "Nothing here can be changed from a browser.\n"


@cache
def content_security_policy() -> str:
    """Return the policy: nothing from elsewhere, no script but Datasette's own.

    Datasette 0.65 writes a few fixed scripts into its pages. Each is allowed by the hash of its text, read from the
    installed templates, so that a script which data smuggled into a page still does not run.
    """
    hashes = set()
    for template in (files("datasette") / "templates").iterdir():
        if not template.name.endswith(".html"):
            continue
        for script in _INLINE_SCRIPT.findall(template.read_text("utf-8")):
            for allowed in ("true", "false"):
                text = script.replace("{{ datasette_allow_facet }}", allowed)
                if "{{" not in text and "{%" not in text:
                    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
                    hashes.add(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {' '.join(sorted(hashes))}",
            "style-src 'self' 'unsafe-inline'",  # Datasette's pages carry style attributes
            "img-src 'self' data:",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )


def answers_to(hosts: list[bytes], port: int | None) -> bool:
    """Whether a request with these Host headers is meant for a server of this machine that listens on `port`."""
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return match is not None and int(match[1] or 80) == (port or 80)


def guard(app: App, datasette: Any) -> App:
    """Wrap Datasette's application: another host gets 403, a method that writes 405, every answer the headers."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or sites.of(datasette) is None:
            await app(scope, receive, send)
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                ours = _headers()
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
                message = {**message, "headers": [*kept, *ours.items()]}
            await send(message)

        hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
        if answers_to(hosts, (scope.get("server") or (None, None))[1]):
            if scope["method"] in ("GET", "HEAD"):
                await app(scope, receive, send_guarded)
            else:
                await _say(send_guarded, 405, _READ_ONLY)
        else:
            await _say(send_guarded, 403, _OTHER_HOST)

    return guarded


async def _say(send: Any, status: int, sentence: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})


def _headers() -> dict[bytes, bytes]:
    return {
        b"content-security-policy": content_security_policy().encode(),
        b"x-content-type-options": b"nosniff",
        b"x-frame-options": b"DENY",
        b"referrer-policy": b"no-referrer",
        b"cross-origin-resource-policy": b"same-origin",  # no other page may show our pictures
    }
