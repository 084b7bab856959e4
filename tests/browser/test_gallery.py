"""The gallery: every picture once, newest first, found by filters and words without a reload."""

import re
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.looking import watch_jumps
from tests.service.living import poll

GALLERY = "/-/hotfolder/gallery"
CELLS = "#grid [data-picture]"
AHEAD = """() => {
    const below = document.documentElement.scrollHeight - scrollY - innerHeight;
    return document.getElementById("more").hidden || below > 1500;
}"""
AT_THE_END = "document.querySelector('#more').hidden && scrollY + innerHeight + 9 > document.body.scrollHeight"
ORDER = "order by created_at desc, id desc"


def shown(page: Page) -> list[str]:
    """Return the ids of the pictures in the grid, in order."""
    return page.eval_on_selector_all(CELLS, "all => all.map((one) => one.dataset.picture)")


def ids(site: Site, where: str = "true", *values: Any) -> list[str]:
    """Return the ids that the catalog has for it, as the gallery orders them."""
    return [row["id"] for row in site.place.rows(f"select id from images where {where} {ORDER}", *values)]


def scroll_to_the_end(page: Page, waits: bool = False) -> None:
    """Turn the wheel until there is nothing more to come; who waits never comes near what has not come yet."""
    page.mouse.move(640, 500)
    while not page.evaluate(AT_THE_END):
        if waits:
            page.wait_for_function(AHEAD)
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(0)


def test_it_shows_all_pictures_once_newest_first_to_whoever_scrolls(page: Page, site: Site) -> None:
    page.goto(GALLERY)
    assert shown(page) == ids(site)[: page.locator(CELLS).count()]
    assert page.locator(CELLS).count() < 200
    scroll_to_the_end(page)
    assert shown(page) == ids(site)
    assert len(ids(site)) > 300
    assert page.evaluate("[...document.images].every((one) => !one.complete || one.naturalWidth > 0)")


def test_the_first_picture_of_each_day_says_which_day_it_is(page: Page, site: Site) -> None:
    page.goto(GALLERY)
    scroll_to_the_end(page)
    wanted, last = {}, ""
    for row in site.place.rows(f"select id, created_at from images {ORDER}"):
        made = datetime.fromisoformat(row["created_at"]).astimezone()
        day = made.strftime("%a %-d %b" if made.year == datetime.now().year else "%a %-d %b %Y")
        if day != last:
            wanted[row["id"]] = last = day
    assert len(wanted) > 1
    days = "all => all.map((one) => [one.closest('[data-picture]').dataset.picture, one.dataset.day])"
    said = dict(page.eval_on_selector_all("#grid [data-day]", days))
    assert {key: day.replace("Sept", "Sep") for key, day in said.items()} == wanted, "browsers write either"


def test_nothing_jumps_while_300_pictures_load_and_scroll_by(page: Page) -> None:
    jumped = watch_jumps(page)
    page.goto(GALLERY)
    scroll_to_the_end(page, waits=True)
    assert jumped() < 0.05
    assert page.locator(CELLS).count() > 300


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("show", "week", "datetime(created_at) >= datetime('now', '-7 days')"),
        ("show", "locked", "seed_locked = 1"),
        ("kind", "upscale", "kind = 'upscale'"),
        ("model", "watercolour", "model = 'watercolour'"),
        ("folder", "upscale", "hot_folder = 'upscale'"),
        ("tag", "day4", "tags like '%day4%'"),
        ("tag", "<i>tag</i>", "path like '%/harm%'"),
    ],
)
def test_a_filter_finds_what_the_catalog_finds(page: Page, site: Site, name: str, value: str, where: str) -> None:
    page.goto(GALLERY)
    page.evaluate("window.stays = true")
    field = page.locator(f"#filters [name={name}]")
    if name == "tag":
        field.fill(value)
        field.press("Enter")
    else:
        field.select_option(value)
    expect(page).to_have_url(re.compile(rf"[?&]{name}="))
    wanted = ids(site, where)
    poll(lambda: shown(page) == wanted[:96], "these pictures")
    assert page.evaluate("window.stays")
    page.reload()
    assert shown(page) == wanted[:96]


def test_the_search_finds_while_one_types_and_is_undone_by_going_back(page: Page, site: Site) -> None:
    page.goto(GALLERY)
    page.evaluate("window.stays = true")
    everything = shown(page)
    page.keyboard.press("/")
    page.keyboard.type("vall")
    expect(page.locator(CELLS)).to_have_count(2)
    assert shown(page) == ids(site, "prompt like '%valley%'")
    page.keyboard.type("ey evening")
    expect(page.locator(CELLS)).to_have_count(1)
    assert shown(page) == ids(site, "path like '%/wide%'")
    page.keyboard.type(" nosuchword")
    expect(page.locator(CELLS)).to_have_count(0)
    expect(page.locator("#nothing")).to_be_visible()
    page.get_by_role("link", name="Clear").click()
    expect(page.locator(CELLS)).to_have_count(len(everything))
    assert shown(page) == everything
    page.go_back()
    expect(page.locator(CELLS)).to_have_count(0)


def test_going_back_from_a_picture_leads_to_the_same_place(page: Page) -> None:
    page.goto(f"{GALLERY}?tag=series")
    scroll_to_the_end(page)
    page.locator(CELLS).nth(250).scroll_into_view_if_needed()
    last = shown(page)[250]
    page.locator(CELLS).nth(250).get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/picture/{last}"))
    page.go_back()
    expect(page.locator(f'#grid [data-picture="{last}"]')).to_be_in_viewport()
    assert page.locator("#filters [name=tag]").input_value() == "series"


def test_arrows_walk_and_enter_opens(page: Page) -> None:
    page.goto(GALLERY)
    first, second, third = shown(page)[:3]
    current = "document.activeElement.closest('[data-picture]')?.dataset.picture"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(current) == first
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(current) == third
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(current) == second
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/picture/{second}"))


def test_two_chosen_by_keys_are_compared(page: Page) -> None:
    page.goto(GALLERY)
    first, second = shown(page)[:2]
    for key in ("ArrowRight", "c", "ArrowRight", "c", "Shift+C"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(f"/compare.*{first}.*{second}"))


def test_what_is_written_in_a_prompt_is_never_read_as_html(page: Page, site: Site) -> None:
    """The bold word would be an element, and the picture that does not exist a complaint."""
    (harm,) = ids(site, "path like '%/harm%'")
    for path in (f"{GALLERY}?q=bold", f"/-/hotfolder/picture/{harm}", "/catalog/images?_search=bold"):
        page.goto(path)
        expect(page.get_by_text("<b>bold</b>").first).to_be_attached()
        assert page.locator("b:text('bold'), img[src=x]").count() == 0
