"""Only this machine's own names are answered, every answer carries the headers, and only our own pages may write."""

import asyncio
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from datasette import hookimpl
from datasette.plugins import pm

from hotfolder.browse import plugin, serve
from hotfolder.browse.guard import answers_to, content_security_policy
from hotfolder.browse.review import DEEDS
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace
from tests.browse.reviewing import Page

PAGES = [
    "/", "/catalog", "/catalog/images", "/catalog/images/knight1", "/catalog/images.json", "/catalog/images.csv",
    "/catalog/flagged", "/catalog/failures", "/catalog?sql=select+1", "/catalog/no_such_table", "/-/versions",
    "/-/hotfolder/file/knight1", "/-/hotfolder/thumb/knight1", "/-/hotfolder/file/none", "/-/static/app.css",
    "/-/hotfolder/static/tables.css", "/favicon.ico", "/-/plugins",
]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "port", "answered"),
    [
        (b"127.0.0.1:8001", 8001, True),
        (b"localhost:8001", 8001, True),
        (b"LOCALHOST:8001", 8001, True),
        (b"[::1]:8001", 8001, True),
        (b"localhost", 80, True),
        (b"localhost", None, True),
        (b"localhost", 8001, False),
        (b"localhost:8002", 8001, False),
        (b"attacker.example", 80, False),
        (b"attacker.example:8001", 8001, False),
        (b"localhost.attacker.example:8001", 8001, False),
        (b"127.0.0.1.nip.io:8001", 8001, False),
        (b"attacker.example@localhost:8001", 8001, False),
        (b"localhost:8001\n", 8001, False),
        (b"localhost:8001, attacker.example", 8001, False),
        (b"", 80, False),
    ],
)
def test_host_allow_list(host: bytes, port: int | None, answered: bool) -> None:
    assert answers_to([host], port) is answered


def test_no_host_and_two_hosts_are_refused() -> None:
    assert not answers_to([], 80)
    assert not answers_to([b"localhost", b"localhost"], 80)


@pytest.mark.parametrize("page", PAGES)
def test_forged_host_is_refused_with_a_sentence(workplace: Any, page: str) -> None:
    answer = workplace.get(page, headers={"host": "attacker.example"})
    assert answer.status_code == 403
    assert "answers only to the machine it runs on" in answer.text
    assert "knight" not in answer.text
    assert answer.headers["content-security-policy"] == content_security_policy()


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_has_the_headers(workplace: Any, page: str) -> None:
    headers = workplace.get(page).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers


def test_only_datasettes_own_scripts_may_run() -> None:
    policy = content_security_policy()
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe" not in scripts
    assert "http" not in scripts
    assert scripts.count("sha256-") >= 3


ROUTES = sorted(
    {
        re.sub(r"\(\?P<(\w+)>[^()]*\)", lambda group: {"deed": "keep"}.get(group[1], "knight1"), pattern)
        .strip("^$")
        .replace("\\.", ".")
        for pattern, _ in plugin.ROUTES
    }
)
"""Every address of ours, with ids filled in."""
ORIGIN = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def page(workplace: Any) -> Iterator[Page]:
    one = Page(workplace.root)
    yield one
    one.close()


def kept(workplace: Any) -> bool:
    assert (workplace.outbox / "generate/2026-11-20/knight.png").is_file() or list(workplace.outbox.rglob("keep"))
    return bool(list(workplace.outbox.rglob("keep")))


@pytest.mark.parametrize(
    "host",
    ["attacker.example", "localhost.attacker.example", "127.0.0.1.nip.io", "localhost:8002", "2130706433", "0x7f.1",
     "127.1", "[::ffff:127.0.0.1]", "localhost.", "user@localhost", "localhost/", "", "0.0.0.0", "[::1%25lo]"],
)  # fmt: skip
def test_another_host_is_refused_on_every_address_of_ours(workplace: Any, page: Page, host: str) -> None:
    headers = {"host": host, **ORIGIN, **FORM}
    for method, path in itertools.product(("GET", "HEAD", "POST"), ROUTES):
        answer = asyncio.run(page.datasette.client.request(method, path, headers=headers, cookies=page.cookies))
        assert answer.status_code == 403, (method, path)
    assert not kept(workplace)


@pytest.mark.parametrize(
    "path", [*ROUTES, "/", "/catalog", "/catalog/images", "/-/logout", "/-/permissions", "/-/actor"]
)
def test_only_deeds_take_a_post_and_only_in_a_review(workplace: Any, page: Page, path: str) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "POST"):
        given = {"csrftoken": page.token, "id": "knight1"}
        headers = {**ORIGIN, "cookie": f"ds_csrftoken={page.token}"}
        for datasette in (
            workplace.datasette,
            *([page.datasette] if method != "POST" or "review/" not in path else []),
        ):
            answer = asyncio.run(datasette.client.request(method, path, data=given, headers=headers))
            assert answer.status_code == 405, (method, path, answer.text)
    assert not kept(workplace)


def test_a_page_of_ours_may(workplace: Any, page: Page) -> None:
    assert page.post("keep", id="knight1").json()["review"] == "keep"
    assert kept(workplace)


def test_a_program_without_a_browsers_headers_needs_the_token_all_the_same(workplace: Any, page: Page) -> None:
    form = {"id": "knight1", "csrftoken": page.token}
    assert page.raw("review/keep", {"id": "knight1"}, {}, page.cookies).status_code == 403
    assert page.raw("review/keep", form, {}, {}).status_code == 403
    assert not kept(workplace)
    assert page.raw("review/keep", form, {}, page.cookies).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://attacker.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8002"},
        {"origin": "https://localhost"},
        {"origin": "http://localhost.attacker.example"},
        {"origin": "http://127.0.0.1"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"authorization": "Bearer x"},
        {"authorization": "Basic eDp4"},
        {"x-csrftoken": "x"},
        {"content-type": "text/plain"},
        {"content-type": "application/json"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "multipart/form-data"},
        {"content-type": ""},
    ],
)
def test_what_another_page_can_send_is_refused_even_with_the_token(
    workplace: Any, page: Page, headers: dict[str, str]
) -> None:
    for deed in DEEDS:
        answer = page.post(deed, headers=headers, id="knight1", rating=1)
        assert answer.status_code in (403, 415), (deed, answer.text)
        assert answer.text.endswith(".\n") and answer.headers["x-content-type-options"] == "nosniff"
    assert not kept(workplace) and not list(workplace.root.rglob("*.yaml"))


@pytest.mark.parametrize("form", ["id=knight1", "id=knight1&csrftoken=", "id=knight1&csrftoken=x"])
@pytest.mark.parametrize("cookies", [{}, {"other": "1"}, {"ds_csrftoken": "x"}, {"ds_csrftoken": ""}])
def test_no_token_or_another_is_refused(workplace: Any, page: Page, form: str, cookies: dict[str, str]) -> None:
    for given in (cookies, page.cookies):
        answer = page.raw("review/keep", form, {**ORIGIN, **FORM}, given)
        assert answer.status_code == 403
    answer = page.raw("review/keep", f"id=knight1&csrftoken={page.token}", {**ORIGIN, **FORM}, cookies)
    assert answer.status_code == 403
    assert not kept(workplace)


def test_another_plugin_that_turns_datasettes_protection_off_does_not_turn_ours_off(workplace: Any, page: Page) -> None:
    class Careless:
        @hookimpl
        def skip_csrf(self, datasette: Any, scope: Any) -> bool:
            return True

    pm.register(careless := Careless())
    try:
        for form in ("id=knight1", "id=knight1&csrftoken=x"):
            answer = page.raw("review/keep", form, {**ORIGIN, **FORM}, page.cookies)
            assert answer.status_code == 403 and "load it again" in answer.text
    finally:
        pm.unregister(careless)
    assert not kept(workplace)


def test_the_token_of_another_server_is_stale(workplace: Any, page: Page) -> None:
    earlier = Page(workplace.root)
    old = dict(earlier.cookies), earlier.token
    earlier.close()
    page.cookies, page.token = old
    assert page.post("keep", id="knight1").status_code == 403
    assert not kept(workplace)
    page.load()
    assert page.post("keep", id="knight1").status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"id=" + b"x" * 5000, b"\xff\xfe", b"csrftoken=%C3%BC&id=knight1", b"csrftoken=%00&id=%ff", b"", b"&&&=&", b"[]"],
)
def test_a_form_that_is_none_is_refused(workplace: Any, page: Page, body: bytes) -> None:
    answer = page.raw("review/keep", body, {**ORIGIN, **FORM}, page.cookies)
    assert answer.status_code in (403, 413)
    assert not kept(workplace)


def test_no_other_page_is_told_the_token(page: Page) -> None:
    answer = asyncio.run(page.datasette.client.get("/-/hotfolder/review/token", headers={"origin": "http://a.example"}))
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "samesite=lax" in answer.headers["set-cookie"].lower()


def test_without_a_review_nothing_gives_a_token_or_offers_a_button(workplace: Any) -> None:
    assert workplace.get("/-/hotfolder/review/token").status_code == 405
    assert workplace.get("/-/hotfolder/review/keep").status_code == 405
    for path in ("gallery", "picture/knight1", "compare?id=knight1&id=cutout1", "job/1", "queue"):
        page = workplace.get(f"/-/hotfolder/{path}").text
        assert "data-deed" not in page and "review.js" not in page and "csrf" not in page, path


def test_with_a_review_pages_load_what_writes(workplace: Any) -> None:
    datasette = serve.make(Workspace(workplace.root, Settings()), review=True)
    for path in ("gallery", "picture/knight1"):
        page = asyncio.run(datasette.client.get(f"/-/hotfolder/{path}")).text
        assert "static/review.js" in page and 'data-csrf="' in page, path
    for database in datasette.databases.values():
        database.close()
