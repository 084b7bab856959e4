"""The gallery while things happen: pictures come, answers come late, files are gone, no script runs."""

import contextlib
from typing import Any

from playwright.sync_api import Browser, Error, Page, Route, expect

from tests.browser.conftest import Site
from tests.browser.test_gallery import CELLS, GALLERY, ids, shown
from tests.browser.watching import watched
from tests.service.living import poll

WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}


def test_an_answer_that_comes_late_never_replaces_a_newer_one(page: Page, site: Site) -> None:
    held: list[Route] = []
    page.route("**/gallery.json?q=hills", lambda route: held.append(route))
    page.goto(GALLERY)
    page.evaluate("AbortController.prototype.abort = () => {}")  # so that the late answer does come
    search = page.locator("[name=q]")
    search.fill("hills")
    poll(lambda: page.wait_for_timeout(30) or held, "question about hills")
    search.fill("valley")
    expect(page.locator(CELLS)).to_have_count(2)
    with page.expect_response("**/gallery.json?q=hills"):
        held[0].continue_()
    page.evaluate("new Promise((done) => setTimeout(done, 100))")  # the page has read it by then
    assert shown(page) == ids(site, "prompt like '%valley%'")
    assert page.url.endswith("?q=valley")
    for route in held[1:]:
        with contextlib.suppress(Error):
            route.continue_()


def test_new_pictures_come_by_themselves_and_wait_for_whoever_scrolled_down(page: Page, site: Site) -> None:
    page.goto(GALLERY)
    site.place.drop("painting/first.yaml", "prompt: a first newcomer\n")
    first = page.locator(CELLS, has_text="a first newcomer")
    expect(first).to_be_in_viewport()
    assert shown(page)[0] == first.get_attribute("data-picture")
    page.mouse.move(640, 500)
    page.mouse.wheel(0, 1200)
    poll(lambda: page.evaluate("scrollY") > 300, "scrolling")
    site.place.drop("painting/second.yaml", "prompt: a second newcomer\n")
    more = page.get_by_role("button", name="1 new")
    expect(more).to_be_visible()
    assert page.evaluate("scrollY") > 300, "nothing moved under the reader"
    more.click()
    expect(page.locator(CELLS, has_text="a second newcomer")).to_be_in_viewport()
    expect(more).to_be_hidden()
    assert shown(page)[:2] == ids(site)[:2]


def test_a_picture_without_its_file_says_so(chromium: Browser, site: Site) -> None:
    lost = ids(site)[1]
    with watched(chromium, site.reading, expected="404", **WIDE) as page:
        page.route(f"**/thumb/{lost}", lambda route: route.fulfill(status=404))
        page.goto(GALLERY)
        expect(page.locator(f'[data-picture="{lost}"]')).to_contain_text("file is missing")
        expect(page.get_by_text("file is missing")).to_have_count(1)


def test_everything_is_found_without_a_script(chromium: Browser, site: Site) -> None:
    with watched(chromium, site.reading, java_script_enabled=False, **WIDE) as page:
        page.goto(GALLERY)
        page.locator("#filters [name=tag]").fill("series")
        more = page.get_by_role("button", name="More")
        with page.expect_navigation():  # until the whole page is there
            page.get_by_role("button", name="Show").click()
        seen = shown(page)
        while more.is_visible():
            with page.expect_navigation():
                more.click()
            seen += shown(page)
        assert seen == ids(site, "tags like '%series%'")
        with page.expect_navigation():
            page.get_by_role("link", name="To the newest").click()
        assert page.locator(CELLS).first.get_attribute("data-picture") == seen[0]
