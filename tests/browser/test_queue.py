"""The queue and the page of a job follow a job that runs, without a reload, and say what waits and what failed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.workplace import pace
from tests.service.living import poll

PACED = "prompt: a slow sunrise over hills\nsteps: 8\npaced: true\n"
AT_WORK = "select 1 from jobs where state in ('queued', 'running', 'publishing')"


@pytest.fixture
def steps(site: Site) -> Iterator[Path]:
    """The file that says up to which step the running job may go; at the end all go on to their ends."""
    file = pace(site.place)
    file.write_text("0")
    yield file
    file.write_text("999")
    poll(lambda: not site.place.rows(AT_WORK), "end of all jobs")


def test_the_queue_follows_a_job_from_its_drop_to_its_picture(page: Page, site: Site, steps: Path) -> None:
    page.goto("/-/hotfolder/queue")
    page.evaluate("window.stays = true")
    running = page.get_by_role("region", name="Running")
    expect(running).to_have_count(0)
    site.place.drop("painting/slow.yaml", PACED)
    expect(running).to_contain_text("slow")
    site.place.drop("painting/next.yaml", "prompt: after the sunrise\n")
    expect(page.get_by_role("region", name="Queued")).to_contain_text("next")
    for step in (1, 5):
        steps.write_text(str(step))
        expect(running).to_contain_text(f"step {step} of 8")
        share = float(running.get_by_role("progressbar").get_attribute("value") or 0)
        assert share == pytest.approx(step / 8)
    steps.write_text("999")
    done = page.get_by_role("region", name="Done lately")
    expect(done).to_contain_text("slow")
    expect(done).to_contain_text("next")
    expect(running).to_have_count(0)
    made = done.get_by_role("listitem").filter(has_text="slow").locator("img").first
    assert made.evaluate("(one) => one.decode().then(() => one.naturalWidth)") > 0
    assert page.evaluate("window.stays")


def test_what_has_the_focus_keeps_it_while_the_page_changes(page: Page, site: Site, steps: Path) -> None:
    page.goto("/-/hotfolder/queue")
    waiting = page.get_by_role("region", name="Waiting, and for what").get_by_role("link").first
    waiting.focus()
    site.place.drop("painting/focus.yaml", PACED)
    expect(page.get_by_role("region", name="Running")).to_contain_text("focus")
    expect(waiting).to_be_focused()


def test_what_waits_and_what_failed_say_why(page: Page) -> None:
    page.goto("/-/hotfolder/queue")
    waiting = page.get_by_role("region", name="Waiting, and for what")
    expect(waiting).to_contain_text("dark")
    expect(waiting.locator(".wait")).to_contain_text("prompt")
    failed = page.get_by_role("region", name="Failed, and how to mend it")
    expect(failed).to_contain_text("did you mean prompt?")
    failed.get_by_role("link").first.click()
    expect(page.get_by_role("status")).to_contain_text(re.compile("failed", re.IGNORECASE))


def test_the_page_of_a_job_follows_it_to_its_end(page: Page, site: Site, steps: Path) -> None:
    site.place.drop("painting/followed.yaml", PACED)
    job = site.place.job("followed", "running")
    page.goto(f"/-/hotfolder/job/{job['id']}")
    page.evaluate("window.stays = true")
    steps.write_text("3")
    expect(page.get_by_text("step 3 of 8")).to_be_visible()
    steps.write_text("999")
    picture = page.get_by_role("link", name="followed.png")
    expect(picture).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text(re.compile("done"))
    assert page.evaluate("window.stays")
    picture.click()
    expect(page.get_by_role("heading", name="followed.png")).to_be_visible()
