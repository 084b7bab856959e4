"""Only this machine's own names are answered, and every answer carries the headers."""

from typing import Any

import pytest

from hotfolder.browse.guard import answers_to, content_security_policy

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
