"""Whatever prompts, names, errors and files bring along: pages show text, and addresses lead to pictures in outbox."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image

from hotfolder import status, statuspage
from hotfolder.browse import serve
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace
from tests.browse import hostile
from tests.browse.hostile import PAYLOADS, PLAIN
from tests.elements import Elements

Get = Callable[[str], Any]
FILES = ("file", "thumb", "source", "large", "preview")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[list[str]], tuple[Workspace, Get]]]:
    """Give a function that makes a workspace with some payloads, and what gets its pages."""
    ends: list[Callable[[], None]] = []

    def make(payloads: list[str]) -> tuple[Workspace, Get]:
        root = tmp_path / f"w{len(ends)}"
        root.mkdir()
        ends.append(hostile.fill(root, payloads).close)
        datasette = serve.make(Workspace(root, Settings()), review=True)
        ends.append(datasette.get_database("catalog").close)
        return Workspace(root, Settings()), lambda path: asyncio.run(datasette.client.get(f"/-/hotfolder/{path}"))

    yield make
    for end in ends:
        end()


def built(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return what a browser builds of a page: its elements and the names of their attributes. Marks are left out: a
    comparison has one at each word that differs."""
    return [(tag, tuple(sorted(given))) for tag, given in Elements(page).seen if (tag, given) != ("mark", {})]


def plain(payloads: list[str]) -> list[str]:
    """Return as many harmless texts, each another one: pages put equal ones together."""
    return [f"{PLAIN} {number}" for number in range(len(payloads))]


def leads(page: str) -> list[str]:
    """Return where a page leads and what it loads."""
    names = ("href", "src", "action", "formaction", "srcset", "poster", "data", "content")
    return [value for _, given in Elements(page).seen for name in names if (value := (given.get(name) or "").strip())]


def test_text_never_becomes_markup(opened: Any) -> None:
    """Each page is built of the same elements and attributes as with plain words."""
    payloads = [payload for payload in PAYLOADS if len(payload) < 1000]
    (_, plainly), (_, get) = opened(plain(payloads)), opened(payloads)
    for path in hostile.pages(payloads):
        same, page = plainly(path), get(path)
        assert (same.status_code, page.status_code) == (200, 200), path
        assert built(page.text) == built(same.text), path
        assert page.headers["content-type"] == "text/html; charset=utf-8"


def test_no_page_leads_or_loads_from_elsewhere(opened: Any) -> None:
    _, get = opened(PAYLOADS)
    for path in hostile.pages(PAYLOADS):
        page = get(path).text
        for target in leads(page):
            assert not target.lower().startswith(("//", "http:", "https:", "javascript:", "data:", "vbscript:")), path
        styles = [given.get("style") or "" for _, given in Elements(page).seen]
        assert not any("url(" in style or "expression" in style for style in styles), path


def test_twenty_thousand_characters_are_shown_and_escaped(opened: Any) -> None:
    _, get = opened(PAYLOADS[-1:] * 2)
    page = get("picture/bad0")
    assert page.status_code == 200
    assert "x" * 20_000 + "&lt;script&gt;alert(28)" in page.text
    for path in ("gallery", "queue", "job/101", "compare?id=bad0&id=bad1"):
        assert get(path).status_code in (200, 404), path
        assert "<script>alert" not in get(path).text, path


@pytest.mark.parametrize("path", ["gallery.json", "queue.json", "job/{}.json", "job/10{}.json", "job/20{}.json"])
def test_json_is_json_and_nothing_a_browser_runs(opened: Any, path: str) -> None:
    _, get = opened(PAYLOADS[:7])
    for number in range(1, 8 if "{" in path else 2):
        answer = get(path.format(number))
        assert answer.status_code == 200
        assert answer.headers["content-type"].split(";")[0] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "alert(" in str(answer.json()), "it is there, as text"


@pytest.mark.parametrize(
    "key", ["q", "kind", "model", "lora", "tag", "folder", "rating", "review", "job", "after", "show"]
)
def test_what_is_asked_for_is_text_too(opened: Any, key: str) -> None:
    _, get = opened([PLAIN])
    for payload in PAYLOADS:
        for path in ("gallery", "gallery.json"):
            answer = get(f"{path}?{urlencode({key: payload})}")
            assert answer.status_code in (200, 400), (path, payload)
            if path == "gallery":
                seen = Elements(answer.text).seen
                scripts = [given for tag, given in seen if tag == "script"]
                assert all((given.get("src") or "").startswith("/-/hotfolder/static/") for given in scripts)
                assert not any(name.startswith("on") for _, given in seen for name in given)
                assert not {tag for tag, _ in seen} & {"iframe", "base", "svg", "math", "object"}, payload


def test_the_status_page_shows_text(opened: Any) -> None:
    payloads = [payload for payload in PAYLOADS if len(payload) < 1000]
    for start in range(0, len(payloads), 5):
        some = payloads[start : start + 5]
        shown = []
        for texts in (plain(some), some):
            workspace, _ = opened(texts)
            shown.append(statuspage.render(workspace, status.gather(workspace)))
        assert built(shown[0]) == built(shown[1])
        targets = [target for target in leads(shown[1]) if not target.startswith(("./", "data:image/webp;base64,"))]
        assert not any("evil" in target or "alert" in target for target in targets), targets


@pytest.mark.parametrize(
    "image_id",
    ["../../catalog.db", "..%2f..%2fcatalog.db", "%2e%2e/%2e%2e/hotfolder.yaml", "..%5c..%5cx", "%00", "bad0%00.png",
     "//etc/passwd", "/etc/passwd", "....//....//x", "bad0/%2e%2e/bad0", "file:///etc/passwd", ".", "CON",
     "bad0%0d%0aset-cookie:%20a=b", "%ff%fe", "a" * 3000],
)  # fmt: skip
def test_no_address_is_a_path(opened: Any, image_id: str) -> None:
    _, get = opened([PLAIN])
    for what in FILES:
        answer = get(f"{what}/{image_id}")
        assert answer.status_code == 404, what
        assert "root:" not in answer.text and "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "name",
    ["../sites.py", "..%2fsites.py", "%2e%2e/sites.py", "base.css/../../sites.py", "", ".", "base.css%00", "BASE.CSS",
     "base.html", "/etc/passwd", "base.css\\", "hotfolder_base.html", "base..css", "base.js.map"],
)  # fmt: skip
def test_static_files_are_those_of_one_folder(opened: Any, name: str) -> None:
    _, get = opened([PLAIN])
    assert get(f"static/{name}").status_code == 404
    assert get("static/base.css").headers["content-type"] == "text/css; charset=utf-8"
    assert get("static/review.js").headers["content-type"] == "text/javascript; charset=utf-8"


def _directory(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _outside(path: Path) -> None:
    secret = path.parents[1] / "secret.png"
    Image.new("RGB", (4, 4)).save(secret)
    path.symlink_to(secret)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
@pytest.mark.parametrize("make", [_directory, _fifo, _socket, _device, _outside, _loop])
def test_what_is_no_plain_file_in_outbox_is_not_found_and_nothing_hangs(
    opened: Any, make: Callable[[Path], None]
) -> None:
    workspace, get = opened([PLAIN, PLAIN])
    (path,) = workspace.outbox.glob("0 *.png")
    path.unlink()
    make(path)
    for what in FILES:
        assert get(f"{what}/bad0").status_code == 404, what
    for page in ("gallery", "picture/bad0", "job/1", "compare?id=bad0&id=bad1"):
        assert get(page).status_code in (200, 404), page


@pytest.mark.parametrize(
    "content",
    [b"<html><script>alert(1)</script>", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"%PDF-1.7",
     b"GIF89a/*<script>alert(1)</script>*/", b"", b"\x89PNG\r\n\x1a\n<script>"],
)  # fmt: skip
def test_a_file_that_lies_about_itself_is_at_most_a_broken_picture(opened: Any, content: bytes) -> None:
    workspace, get = opened([PLAIN])
    (path,) = workspace.outbox.glob("*.png")
    path.write_bytes(content)
    answer = get("file/bad0")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    for what in FILES:
        answer = get(f"{what}/bad0")
        assert answer.headers["x-content-type-options"] == "nosniff", what
        assert answer.status_code == 404 or answer.headers["content-type"].startswith("image/"), what


def test_parts_and_heads_of_files(opened: Any) -> None:
    workspace, _ = opened([PLAIN])
    (path,) = workspace.outbox.glob("*.png")
    datasette = serve.make(workspace)
    for ranges in ("bytes=0-3", "bytes=-1", "bytes=99999999-", "bytes=0-0,1-1,2-2", "x"):
        answer = asyncio.run(datasette.client.get("/-/hotfolder/file/bad0", headers={"range": ranges}))
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
    head = asyncio.run(datasette.client.request("HEAD", "/-/hotfolder/file/bad0"))
    assert (head.status_code, head.headers["content-type"]) == (200, "image/png")
    assert int(head.headers["content-length"]) == path.stat().st_size
    datasette.get_database("catalog").close()
