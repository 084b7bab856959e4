"""Every page is readable in light and dark, at a desk and on a phone, and for whoever cannot see it."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.browser.looking import PHONE, forms, overflow, small_targets, violations

OURS = {
    "gallery": "/-/hotfolder/gallery",
    "gallery without a find": "/-/hotfolder/gallery?q=nosuchword",
    "picture": "/-/hotfolder/picture/{stone}",
    "picture with a long prompt": "/-/hotfolder/picture/{long}",
    "compare": "/-/hotfolder/compare?id={stone}&id={long}&id={harm}",
    "job": "/-/hotfolder/job/{job}",
    "job that failed": "/-/hotfolder/job/{failed}",
    "queue": "/-/hotfolder/queue",
}
DATASETTES = {
    "databases": "/",
    "database": "/catalog",
    "images": "/catalog/images?_size=8",
    "jobs": "/catalog/jobs?_size=8",
    "row": "/catalog/images/{stone}",
    "saved query": "/catalog/locked_seeds?_size=8",
    "query": "/catalog?sql=select+path,+prompt+from+images+limit+8",
}


def address(site: Site, page: str) -> str:
    """Fill in the ids of pictures and jobs."""
    named = {name: site.place.images(name)[0]["id"] for name in ("stone", "long", "harm")}
    named |= {"job": site.place.job("many_03")["id"], "failed": site.place.job("broken")["id"]}
    return page.format(**named)


@pytest.mark.parametrize("name", OURS)
def test_our_pages_have_no_serious_fault_in_any_form(page: Page, site: Site, name: str) -> None:
    page.goto(address(site, OURS[name]))
    assert forms(page, violations) == {}
    assert forms(page, overflow) == {}
    page.set_viewport_size(PHONE)
    assert small_targets(page) == []


@pytest.mark.parametrize("name", DATASETTES)
def test_datasettes_pages_have_no_serious_fault(page: Page, site: Site, name: str) -> None:
    page.goto(address(site, DATASETTES[name]))
    assert forms(page, violations) == {}
    assert forms(page, overflow) == {}
