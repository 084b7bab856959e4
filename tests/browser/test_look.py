"""Every page is readable in light and dark, at a desk and on a phone, and for whoever cannot see it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.looking import PHONE, faults, overflow, small_targets

OURS = {
    "gallery": "/-/hotfolder/gallery?q=valley",
    "gallery without a find": "/-/hotfolder/gallery?q=nosuchword",
    "picture": "/-/hotfolder/picture/{stone}",
    "picture with a long prompt": "/-/hotfolder/picture/{long}",
    "compare": "/-/hotfolder/compare?id={stone}&id={long}&id={harm}",
    "job": "/-/hotfolder/job/{job}",
    "job that failed": "/-/hotfolder/job/{failed}",
    "queue": "/-/hotfolder/queue",
}
DATASETTES = {
    "database": "/catalog",
    "images": "/catalog/images?_size=2",
    "row": "/catalog/images/{stone}",
    "saved query": "/catalog/failures",
    "query": "/catalog?sql=select+path,+prompt+from+images+limit+2",
}


def address(site: Site, page: str) -> str:
    """Fill in the ids of pictures and jobs."""
    named = {name: site.place.images(name)[0]["id"] for name in ("stone", "long", "harm")}
    named |= {"job": site.place.job("many_03")["id"], "failed": site.place.job("broken")["id"]}
    return page.format(**named)


@pytest.mark.parametrize("name", OURS)
def test_our_pages_have_no_serious_fault_in_any_form(page: Page, site: Site, name: str) -> None:
    page.goto(address(site, OURS[name]))
    assert faults(page) == []


@pytest.mark.parametrize("name", DATASETTES)
def test_datasettes_pages_have_no_serious_fault(page: Page, site: Site, name: str) -> None:
    page.goto(address(site, DATASETTES[name]))
    assert faults(page, small=False) == []


@pytest.mark.parametrize("path", ["/-/hotfolder/gallery", "/-/hotfolder/queue", "/catalog/images?_size=1"])
def test_dark_is_dark_and_light_is_light(page: Page, path: str) -> None:
    """Ground and letters of the page change places when the system's scheme does."""
    page.goto(path)
    brightness = """() => ["backgroundColor", "color"].map((name) => {
      for (let one = document.querySelector("main, section.content"); one; one = one.parentElement) {
        const [red, green, blue, alpha = 1] = getComputedStyle(one)[name].match(/[0-9.]+/g).map(Number);
        if (alpha) return (red + green + blue) / 765;
      }
    })"""
    for scheme, dark in (("light", False), ("dark", True)):
        page.emulate_media(color_scheme=scheme)
        ground, letters = page.evaluate(brightness)
        assert (ground < 0.2, ground > 0.9) == (dark, not dark)
        assert (letters > 0.8, letters < 0.2) == (dark, not dark)


def test_with_review_the_buttons_are_as_easy_to_see_and_to_hit(review: Page, site: Site) -> None:
    for page in ("picture", "compare"):
        review.goto(address(site, OURS[page]))
        assert faults(review) == []


def test_the_first_tab_leads_past_the_bar(page: Page) -> None:
    page.goto("/-/hotfolder/queue")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_nothing_moves_by_itself(page: Page, site: Site) -> None:
    """Our pages have no motion at all, Datasette's menus none for whoever wants none."""
    moving = """() => [...document.querySelectorAll("*")].filter((one) => {
      const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(one);
      return parseFloat(transitionDuration) || animationName != "none" || scrollBehavior == "smooth";
    }).length"""
    for name in ("gallery", "picture", "compare", "queue"):
        page.goto(address(site, OURS[name]))
        assert page.evaluate(moving) == 0
    for preference, count in (("no-preference", 1), ("reduce", 0)):
        page.emulate_media(reduced_motion=preference)
        page.goto("/catalog/images?_size=1")
        page.locator("th svg.dropdown-menu-icon").first.click()
        expect(page.locator(".dropdown-menu")).to_be_visible()
        assert page.evaluate(moving) == count


def test_the_whole_gallery_fits_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/-/hotfolder/gallery")
    page.mouse.wheel(0, 4000)
    assert overflow(page) == []
    assert small_targets(page) == []
