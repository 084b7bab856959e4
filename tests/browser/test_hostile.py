"""A catalog that means harm, in a real Chromium: nothing runs, nothing is asked of any other machine."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from hotfolder import status, statuspage
from tests.browse import hostile
from tests.browser.watching import watched
from tests.browser.workplace import served
from tests.service.living import Living

EACH = 6
SHORT = [payload for payload in hostile.PAYLOADS if len(payload) < 1000]
TOGETHER = [" ".join(SHORT[first : first + EACH]) for first in range(0, len(SHORT), EACH)]
"""Several payloads in each text, so that a few pages show them all."""
FLAGS = "() => [window.alert.toString().includes('native'), document.querySelectorAll('[onerror], [onload]').length]"


def test_no_page_runs_or_loads_what_data_brought_along(chromium: Browser, tmp_path: Path) -> None:
    place = Living(tmp_path / "w")
    hostile.fill(place.root, TOGETHER).close()
    with served(place, "--review") as address, watched(chromium, address) as page:
        for path in hostile.pages(TOGETHER):
            page.goto(f"/-/hotfolder/{path}")
            assert page.evaluate(FLAGS) == [True, 0], path
            assert page.url == f"{address}/-/hotfolder/{path}"
        page.goto("/-/hotfolder/gallery")
        first = page.locator("#grid [data-picture]").first
        first.get_by_role("link").first.focus()
        page.keyboard.press("4")
        expect(page.locator(".said")).to_contain_text("has 4 stars")
        for table in ("images", "jobs", "drops", "detections"):
            page.goto(f"/catalog/{table}")
            assert page.evaluate(FLAGS) == [True, 0], table


def test_the_status_page_runs_and_loads_nothing(chromium: Browser, tmp_path: Path) -> None:
    place = Living(tmp_path / "w")
    hostile.fill(place.root, TOGETHER).close()
    html = statuspage.render(place.workspace, status.gather(place.workspace))
    assert "alert(" in html
    with watched(chromium, "http://127.0.0.1") as page:
        page.set_content(html)
        assert page.evaluate(FLAGS) == [True, 0]
