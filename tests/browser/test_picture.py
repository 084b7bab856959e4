"""The page of a picture: before and after, everything that made it, its job to copy, and the way to the next one."""

import re
from typing import Any

import yaml
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.looking import watch_jumps


def address(picture: dict[str, Any]) -> str:
    return f"/-/hotfolder/picture/{picture['id']}"


def facts(page: Page) -> dict[str, str]:
    """Return what the page says, by its labels."""
    return dict(
        page.eval_on_selector_all(
            "dl.facts dt", "all => all.map((one) => [one.textContent, one.nextElementSibling.textContent.trim()])"
        )
    )


def test_the_slider_is_moved_by_keys_and_shows_the_file_that_was_dropped(page: Page, site: Site) -> None:
    (stone,) = site.place.images("stone")
    page.goto(address(stone))
    slider = page.get_by_role("slider")
    slider.focus()
    seen = []
    for key in ("Home", "PageUp", "ArrowRight", "End"):
        page.keyboard.press(key)
        seen.append((slider.input_value(), slider.get_attribute("aria-valuetext")))
    assert seen[0] == ("0", "0 % before") and seen[-1] == ("100", "100 % before")
    assert int(seen[2][0]) == int(seen[1][0]) + 1
    page.wait_for_function("() => document.querySelector('#before').naturalWidth == 120")
    before, after = (page.locator(name).bounding_box() for name in ("#before", "#after"))
    assert before == after
    assert page.locator("#after").evaluate("(one) => getComputedStyle(one).clipPath") == "inset(0px 0px 0px 100%)"
    page.keyboard.press("Escape")
    assert page.locator("#after").evaluate("(one) => one.naturalWidth") == 360


def test_every_parameter_is_there(page: Page, site: Site) -> None:
    (wide,) = site.place.images("wide")
    page.goto(address(wide))
    expect(page.get_by_text("a wide valley in the evening").first).to_be_visible()
    said = facts(page)
    for label, text in {
        "Kind": "painting", "Model": "watercolour", "Size": "640 × 128 pixels", "Steps": "8", "Guidance": "2",
        "Sampler": "Euler", "Hot folder": "painting", "Format": "png",
    }.items():  # fmt: skip
        assert said[label].startswith(text), (label, said)
    everything = " ".join(said.values())
    for text in ("18446744073709551615", "1.25", "612", wide["path"]):
        assert text in everything, (text, said)
    assert said["Prompt's length"] == "6 tokens"


def test_the_copied_job_is_that_beside_the_picture(page: Page, site: Site) -> None:
    (wide,) = site.place.images("wide")
    page.goto(address(wide))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("status").get_by_text("Copied")).to_be_visible()
    beside = site.place.workspace.absolute(wide["path"]).with_suffix(".job.yaml").read_text()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert yaml.safe_load(copied) == yaml.safe_load(beside)
    assert yaml.safe_load(copied)["prompt"] == "a wide valley in the evening"


def test_arrows_lead_through_what_the_gallery_showed_and_escape_back(page: Page, site: Site) -> None:
    order = [
        row["id"]
        for row in site.place.rows("select id from images where tags like '%day3%' order by created_at desc, id desc")
    ]
    page.goto("/-/hotfolder/gallery?tag=day3")
    page.locator(f'#grid [data-picture="{order[1]}"]').get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/picture/{order[1]}"))
    page.wait_for_load_state()
    for key, wanted in (("ArrowRight", order[2]), ("ArrowLeft", order[1]), ("ArrowLeft", order[0])):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"/picture/{wanted}"))
        page.wait_for_load_state()
    expect(page.locator("#newer")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/gallery\?.*tag=day3"))


def test_the_siblings_are_a_click_away(page: Page, site: Site) -> None:
    first, second = site.place.images("many_04")[:2]
    page.goto(address(first))
    page.get_by_role("link", name=second["path"].rpartition("/")[2]).click()
    expect(page).to_have_url(re.compile(f"/picture/{second['id']}"))


def test_nothing_jumps_while_a_large_picture_loads(page: Page, site: Site) -> None:
    (large,) = site.place.images("large")
    jumped = watch_jumps(page)
    page.goto(address(large))
    page.wait_for_function("() => document.querySelector('#after').complete")
    assert jumped() < 0.05


def test_a_picture_that_is_not_there_is_a_page_that_says_so(page: Page) -> None:
    answer = page.request.get("/-/hotfolder/picture/nosuchpicture")
    assert answer.status == 404
    assert "hotfolder" in answer.text()
