"""One Chromium and one workspace with a running service for all tests here; a fresh context for each.

They live as long as this package's tests, not the session: until it ends, Playwright keeps an event loop running over
which tests elsewhere would stumble.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.watching import ARGUMENTS, find, watched
from tests.browser.workplace import fill, served, surroundings
from tests.service.living import Living, living


@dataclass(frozen=True)
class Site:
    """The workspace, and the addresses of `hotfolder browse` and `hotfolder browse --review` over it."""

    place: Living
    reading: str
    reviewing: str


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    found = find()
    if not found:
        pytest.skip("no Chromium here: `apt install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    for place in living(tmp_path_factory.mktemp("browser") / "w"):
        fill(place)
        with served(place) as reading, served(place, "--review") as reviewing:
            place.start(**surroundings(place))
            yield Site(place, reading, reviewing)
        assert place.end() == 0
        assert "Traceback" not in place.told()


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page of the site that only reads, as wide as a desk."""
    with watched(chromium, site.reading, viewport={"width": 1280, "height": 800}) as page:
        yield page


@pytest.fixture
def review(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page of the site with the buttons of the review."""
    with watched(chromium, site.reviewing, viewport={"width": 1280, "height": 800}) as page:
        yield page
