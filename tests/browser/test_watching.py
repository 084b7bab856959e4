"""What watches the pages sees what it is there to see."""

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Site
from tests.browser.watching import watched


@pytest.mark.parametrize(
    ("script", "event", "complaint"),
    [
        ("document.head.append(Object.assign(document.createElement('script'), {text: '1'}))", "console", "script-src"),
        ("fetch('http://example.com/').catch(() => 0)", "console", "connect-src"),
        ("fetch('/-/hotfolder/static/none.css')", "console", "404"),
        ("setTimeout(() => { throw new Error('thrown in a page') })", "pageerror", "thrown in a page"),
        ("console.error('said in a page')", "console", "said in a page"),
        ("alert('asked in a page')", "dialog", "asked in a page"),
    ],
)
def test_what_goes_wrong_in_a_page_fails_its_test(
    chromium: Browser, site: Site, script: str, event: Any, complaint: str
) -> None:
    with pytest.raises(AssertionError, match=complaint), watched(chromium, site.reading) as page:
        page.goto("/-/hotfolder/queue")
        with page.expect_event(event):
            page.evaluate(script)


def test_no_other_machine_is_asked_unseen(chromium: Browser) -> None:
    refused = pytest.raises(AssertionError, match=r"asked elsewhere: http://example\.com/x\.png")
    with refused, watched(chromium, "http://127.0.0.1") as page, page.expect_event("requestfailed"):
        page.set_content("<img src='http://example.com/x.png'>")
