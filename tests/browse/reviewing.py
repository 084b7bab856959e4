"""A Datasette that may write, spoken to as one of its pages does."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from hotfolder.browse import serve
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace


class Page:
    """A page that is open in a browser: it has the cookie and the token of the server it came from."""

    def __init__(self, root: Path, settings: Settings | None = None) -> None:
        self.datasette = serve.make(Workspace(root, settings or Settings()), review=True)
        self.load()

    def load(self) -> None:
        answer = asyncio.run(self.datasette.client.get("/-/hotfolder/review/token"))
        self.token = answer.json()["csrf"]
        self.cookies = dict(answer.cookies)

    def post(self, deed: str, headers: dict[str, str] | None = None, **form: Any) -> httpx.Response:
        """Send one deed as base.js does; what `headers` and `form` say counts more."""
        given = {"origin": "http://localhost", "sec-fetch-site": "same-origin"} | (headers or {})
        return self.raw(f"review/{deed}", {"csrftoken": self.token} | form, given, self.cookies)

    def raw(self, path: str, data: Any, headers: dict[str, str], cookies: dict[str, str]) -> httpx.Response:
        content = {"data": data} if isinstance(data, dict) else {"content": data}
        sent = headers | ({"cookie": "; ".join(f"{key}={value}" for key, value in cookies.items())} if cookies else {})
        return asyncio.run(self.datasette.client.post(f"/-/hotfolder/{path}", headers=sent, **content))

    def close(self) -> None:
        for database in self.datasette.databases.values():
            database.close()
