"""A server that speaks the hub's protocol as far as fetching needs it, counts what it sends, and misbehaves on demand.

**Source** of the protocol: the requests that huggingface_hub 2.4 makes, and its reading of the answers
(`HfApi.model_info`, `file_download.get_hf_file_metadata`, `utils.hf_raise_for_status`).
"""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1000
"""Files from this size in bytes on are large ones: named by their SHA-256 and sent by the content network."""


def digest(content: bytes) -> str:
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Hub:
    """What the server has and how it behaves. `sent` counts the bytes of each path's content that it sends.

    `drops`: connections that break after so many bytes of a large file, one for each request. `answers`: statuses
    for paths that begin so, instead of content; a page of HTML for 200. `pace`: what a file of 100 kB or more waits for
    when half of it is sent. `no_ranges`: Range is ignored.
    """

    repos: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    token: str = "hf_right"
    drops: list[int] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    pace: threading.Event | None = None
    no_ranges: bool = False
    lies: dict[str, bytes] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Of each request: path, Range, Authorization."""
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def serving(hub: Hub) -> Iterator[Hub]:
    """Serve until the generator is closed."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        if hub.pace:
            hub.pace.set()
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.asked.append((path, self.headers.get("Range", ""), self.headers.get("Authorization", "")))
        for beginning, statuses in self.hub.answers.items():
            if path.startswith(beginning) and statuses:
                self._answer(statuses.pop(0))
                return
        if path.startswith("/api/models/"):
            self._list(path.removeprefix("/api/models/").partition("/revision/")[0])
        elif path.startswith("/cdn/"):
            contents = {digest(content): content for files in self.hub.repos.values() for content in files.values()}
            self._send(path, contents[path.removeprefix("/cdn/")])
        else:
            repo, _, place = path.removeprefix("/").partition("/resolve/")
            self._resolve(repo, place.partition("/")[2])

    def _list(self, repo: str) -> None:
        if repo not in self.hub.repos:
            self._answer(401, {"X-Error-Code": "RepoNotFound"})
            return
        siblings: list[dict[str, Any]] = []
        for name, content in self.hub.repos[repo].items():
            file: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": digest(content)[:40]}
            if len(content) >= LARGE:
                file["lfs"] = {"sha256": digest(content), "size": len(content), "pointerSize": 130}
            siblings.append(file)
        body = json.dumps({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings}).encode()
        self._start(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _resolve(self, repo: str, name: str) -> None:
        content = self.hub.repos[repo].get(name)
        if content is None:
            self._answer(404, {"X-Error-Code": "EntryNotFound"})
        elif repo in self.hub.gated and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            known = self.headers.get("Authorization")
            self._answer(403 if known else 401, {"X-Error-Code": "GatedRepo"})
        elif len(content) >= LARGE:
            where = f"http://localhost:{self.hub.port}/cdn/{digest(content)}"
            self._answer(302, {"Location": where, "X-Linked-Etag": f'"{digest(content)}"', "X-Repo-Commit": COMMIT})
        else:
            self._send(self.path, content)

    def _send(self, path: str, content: bytes) -> None:
        content = self.hub.lies.get(digest(content), content)
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if self.hub.no_ranges:
            start = 0
        if start >= len(content) > 0:
            self._answer(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        rest = content[start:]
        extra = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self._start(206 if start else 200, {"Content-Length": str(len(rest)), "ETag": f'"{digest(content)}"', **extra})
        upto = self.hub.drops.pop(0) if self.hub.drops and len(content) >= LARGE else len(rest)
        if self.hub.pace and len(content) >= 100 * LARGE:
            self._write(path, rest[: len(rest) // 2])
            self.hub.pace.wait(120)
            rest, upto = rest[len(rest) // 2 :], upto - len(rest) // 2
        self._write(path, rest[:upto])
        if upto < len(rest):
            self.close_connection = True
            self.connection.close()

    def _write(self, path: str, content: bytes) -> None:
        self.hub.sent[path.rpartition("/")[2]] += len(content)  # first: who has the last byte may look at once
        self.wfile.write(content)
        self.wfile.flush()

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        body = b"<!doctype html><title>Sign in</title>" if status == 200 else b""
        kind = {"Content-Type": "text/html; charset=utf-8"} if body else {}
        self._start(status, {"Content-Length": str(len(body)), **kind, **(headers or {})})
        self.wfile.write(body)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass
