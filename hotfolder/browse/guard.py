"""What stands between a web page in the user's browser and the catalog: a Host allow-list, strict headers, no writing.

Datasette answers any Host header, so a hostile page whose name is re-pointed at 127.0.0.1 (DNS rebinding) could read
everything. The catalog answers to this machine's own names only.

With --review the few addresses of `review` take a POST, as one of our own pages sends it: a short form, same-origin.
Datasette's protection against forged requests (asgi-csrf 0.11) then compares the form's token with the signed cookie;
what it would let pass, a request without cookies or with an Authorization header, never reaches it.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote_to_bytes

from hotfolder.browse import sites
from hotfolder.browse.pages import ROOT
from hotfolder.browse.review import DEEDS

App = Callable[[Any, Any, Any], Awaitable[None]]

_HOST = re.compile(rb"(?:127\.0\.0\.1|localhost|\[::1\])(?::(\d{1,5}))?", re.IGNORECASE)
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_OTHER_HOST = (
    "This catalog answers only to the machine it runs on: open it as http://127.0.0.1:PORT/ with the port that "
    "`hotfolder browse` printed. From another machine, forward the same port: ssh -L PORT:127.0.0.1:PORT.\n"
)
_READ_ONLY = "Nothing here can be changed from a browser.\n"
_DEEDS = {f"/{ROOT}review/{deed}" for deed in DEEDS}
_FORM = b"application/x-www-form-urlencoded"
_MAX_FORM_BYTES = 4096


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
    """Wrap Datasette's application: another host gets 403, a method that writes 405 or, in a review, what `refusal`
    says; every answer gets the headers."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        site = sites.of(datasette)
        if scope["type"] != "http" or site is None:
            await app(scope, receive, send)
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                ours = _headers()
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
                message = {**message, "headers": [*kept, *ours.items()]}
            await send(message)

        if not answers_to(_values(scope, b"host"), (scope.get("server") or (None, None))[1]):
            await _say(send_guarded, 403, _OTHER_HOST)
        elif scope["method"] in ("GET", "HEAD"):
            await app(scope, receive, send_guarded)
        elif scope["method"] != "POST" or not site.review or scope["path"] not in _DEEDS:
            await _say(send_guarded, 405, _READ_ONLY)
        elif (refused := refusal(scope)) or (form := await _form(receive)) is None:
            await _say(send_guarded, *(refused or (413, "This is no form of ours.\n")))
        else:
            await app(scope, _giving(form), send_guarded)

    return guarded


def refusal(scope: Any) -> tuple[int, str] | None:
    """Return status and sentence for a deed that none of our pages can have sent; None where one may have.

    A browser says itself where a request comes from, and no page can make it lie: `Origin` with each POST, newer ones
    `Sec-Fetch-Site` too. Pages of other ports of this machine are other origins, though they share our cookies.
    """
    (host,) = _values(scope, b"host")
    origins, senders = _values(scope, b"origin"), _values(scope, b"sec-fetch-site")
    own = f"{scope.get('scheme', 'http')}://".encode() + host.lower()
    if any(origin.lower() != own for origin in origins) or any(sender != b"same-origin" for sender in senders):
        return 403, "Another page sent this; only the catalog's own pages may.\n"
    if [value.partition(b";")[0].strip().lower() for value in _values(scope, b"content-type")] != [_FORM]:
        return 415, "A deed of the review is sent as a form.\n"
    cookies, others = _values(scope, b"cookie"), _values(scope, b"authorization") + _values(scope, b"x-csrftoken")
    if others or len(cookies) != 1 or not cookies[0].isascii():
        return 403, "The token of the page is missing: load the page again, then press once more.\n"
    return None


def _values(scope: Any, name: bytes) -> list[bytes]:
    return [value for given, value in scope["headers"] if given.lower() == name]


async def _form(receive: Any) -> bytes | None:
    """Return a request's whole body; None where it is too long, or no form that a browser writes."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _MAX_FORM_BYTES:
            return None
    return body if unquote_to_bytes(body).isascii() else None


def _giving(form: bytes) -> Callable[[], Awaitable[Any]]:
    async def receive() -> Any:
        return {"type": "http.request", "body": form, "more_body": False}

    return receive


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
