"""Buttons and keys of the review: the file is moved or starred, and the catalog follows."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from hotfolder.metadata import read
from tests.browser.conftest import Site
from tests.browser.watching import watched
from tests.service.living import poll

SAID = ".said"


def row(site: Site, picture: dict[str, Any]) -> dict[str, Any]:
    return site.place.rows("select * from images where id = ?", picture["id"])[0]


def file_of(site: Site, picture: dict[str, Any]) -> Path:
    return site.place.workspace.absolute(row(site, picture)["path"])


def follows(site: Site, picture: dict[str, Any], **wanted: object) -> dict[str, Any]:
    """Return the row of the picture once the catalog says what is wanted."""

    def look() -> dict[str, Any] | None:
        rows = site.place.rows("select * from images where id = ?", picture["id"])
        return next((one for one in rows if wanted.items() <= one.items()), None)

    return poll(look, f"row with {wanted}")


def test_keys_rate_keep_and_reject_the_picture_shown(review: Page, site: Site) -> None:
    picture = site.place.images("many_02")[0]
    this = review.locator(f'article[data-picture="{picture["id"]}"]')
    review.goto(f"/-/hotfolder/picture/{picture['id']}")
    review.keyboard.press("4")
    expect(review.locator(SAID)).to_contain_text("4 stars")
    expect(review.locator("button[data-deed=rate][aria-pressed=true]")).to_have_count(4)
    assert read.read(file_of(site, picture)).rating == 4
    follows(site, picture, rating=4)
    review.keyboard.press("k")
    expect(this).to_have_count(0)
    kept = follows(site, picture, review="keep", rating=4)
    assert re.fullmatch(r"outbox/painting/[\d-]+/keep/many_02_01\.png", kept["path"])
    assert site.place.workspace.absolute(kept["path"]).is_file()
    review.goto(f"/-/hotfolder/picture/{picture['id']}")
    expect(review.get_by_role("button", name="Keep")).to_have_attribute("aria-pressed", "true")
    review.keyboard.press("x")
    expect(this).to_have_count(0)
    assert "/reject/" in follows(site, picture, review="reject")["path"]
    review.goto(f"/-/hotfolder/picture/{picture['id']}")
    expect(review.get_by_role("button", name="Reject")).to_have_attribute("aria-pressed", "true")
    review.keyboard.press("u")
    expect(review.get_by_role("button", name="Reject")).to_have_attribute("aria-pressed", "false")
    assert follows(site, picture, review=None)["path"] == picture["path"]
    review.reload()
    expect(review.locator("button[data-deed=rate][aria-pressed=true]")).to_have_count(4)


def test_one_key_for_each_picture_is_enough_to_choose(review: Page, site: Site) -> None:
    """Keep, reject, reject by mistake, undo, and keep instead; a key that is pressed twice decides once."""
    review.goto(f"/-/hotfolder/gallery?job={site.place.images('many_05')[0]['job_id']}&kind=painting&review=open")
    shown = review.locator("#grid [data-picture]").evaluate_all("all => all.map((one) => one.dataset.picture)")
    review.locator("#grid a").first.click()
    first, second, third, fourth = shown[:4]
    at = review.locator("article[data-picture]")
    expect(at).to_have_attribute("data-picture", first)
    review.wait_for_load_state()
    held: list[Route] = []  # the second press comes before the first is answered
    review.route("**/review/keep", lambda route: held.append(route))
    review.keyboard.press("k")
    review.keyboard.press("k")
    poll(lambda: review.wait_for_timeout(30) or held, "the deed")
    held[0].continue_()
    review.unroute("**/review/keep")
    expect(at).to_have_attribute("data-picture", second)
    expect(review.locator(SAID)).to_contain_text("lies in keep/ now.")
    review.keyboard.press("x")
    expect(at).to_have_attribute("data-picture", third)
    expect(review.locator(SAID)).to_contain_text("lies in reject/ now.")
    review.keyboard.press("x")
    expect(at).to_have_attribute("data-picture", fourth)
    expect(review.locator(SAID)).to_contain_text("lies in reject/ now.")
    review.keyboard.press("u")
    expect(at).to_have_attribute("data-picture", third)
    review.wait_for_load_state()
    expect(review.get_by_role("button", name="Reject")).to_have_attribute("aria-pressed", "false")
    review.keyboard.press("k")
    expect(at).to_have_attribute("data-picture", fourth)
    review.locator(SAID).get_by_role("button", name="Undo").click()
    expect(at).to_have_attribute("data-picture", third)
    for one, said in ((first, "keep"), (second, "reject"), (third, None), (fourth, None)):
        follows(site, {"id": one}, review=said)
    review.wait_for_load_state()
    review.keyboard.press("Escape")
    expect(review.locator(f'#grid [data-picture="{third}"] a')).to_be_focused()
    expect(review.locator(f'#grid [data-picture="{first}"]')).to_have_count(0)


def test_pictures_that_are_ticked_are_kept_at_once_and_that_is_undone_at_once(review: Page, site: Site) -> None:
    review.goto(f"/-/hotfolder/gallery?job={site.place.images('many_04')[0]['job_id']}&kind=painting")
    cells = review.locator("#grid [data-picture]")
    chosen = [{"id": cells.nth(place).get_attribute("data-picture")} for place in range(10)]
    cells.nth(0).get_by_role("checkbox").check()
    cells.nth(9).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(review.locator("#count")).to_have_text("10 chosen")
    expect(review.get_by_role("button", name="Compare", exact=True)).to_be_disabled()
    review.locator("#chosen").get_by_role("button", name="Keep").click()
    expect(review.locator(SAID)).to_contain_text("10 pictures lie in keep/ now.")
    expect(review.locator("#chosen")).to_be_hidden()
    for one in chosen:
        follows(site, one, review="keep")
    expect(cells.nth(9).locator(".mark")).to_have_text("kept")
    review.locator(SAID).get_by_role("button", name="Undo").click()
    for one in chosen:
        follows(site, one, review=None)
    expect(review.locator(".mark", has_text="kept")).to_have_count(0)


def test_buttons_do_the_same(review: Page, site: Site) -> None:
    picture = site.place.images("many_02")[1]
    review.goto(f"/-/hotfolder/picture/{picture['id']}")
    review.get_by_role("button", name="5 stars").click()
    follows(site, picture, rating=5)
    assert read.read(file_of(site, picture)).rating == 5
    review.get_by_role("button", name="Keep").click()
    follows(site, picture, review="keep")


def test_in_the_gallery_keys_act_on_the_picture_that_has_the_focus(review: Page, site: Site) -> None:
    pictures = site.place.images("many_03")
    job = pictures[0]["job_id"]
    review.goto(f"/-/hotfolder/gallery?job={job}&kind=painting")
    first, second = review.locator("#grid [data-picture]").nth(0), review.locator("#grid [data-picture]").nth(1)
    ids = [one.get_attribute("data-picture") for one in (first, second)]
    for key in ("ArrowRight", "3", "ArrowRight", "x"):
        review.keyboard.press(key)
    expect(first.locator(".stars")).to_have_text("★★★")
    expect(second.locator(".mark")).to_have_text("rejected")
    chosen = [next(one for one in pictures if one["id"] == wanted) for wanted in ids]
    follows(site, chosen[0], rating=3, review=None)
    follows(site, chosen[1], rating=None, review="reject")


def test_the_best_of_some_is_kept_and_the_others_rejected(review: Page, site: Site) -> None:
    best, *others = site.place.images("many_06")[:4]
    review.goto(f"/-/hotfolder/compare?{'&'.join('id=' + one['id'] for one in (best, *others))}")
    review.locator(f'[data-picture="{best["id"]}"]').get_by_role("button", name="Keep").click()
    expect(review.locator(SAID)).to_contain_text("lies in keep/ now.")
    review.get_by_role("button", name="Reject all but the kept").click()
    expect(review.locator(SAID)).to_contain_text("3 pictures lie in reject/ now.")
    follows(site, best, review="keep")
    for one in others:
        follows(site, one, review="reject")


def test_upscale_is_asked_for_by_a_button_and_made(review: Page, site: Site) -> None:
    (picture,) = site.place.images("long")
    review.goto(f"/-/hotfolder/picture/{picture['id']}")
    (site.place.workspace.inbox / "upscale" / "folder.yaml").write_text("model: lanczos\n")
    review.get_by_role("button", name="Upscale").click()
    expect(review.locator(SAID)).to_contain_text("inbox/upscale/")
    poll(lambda: site.place.rows("select 1 from images where parent_path = ?", picture["path"]), "larger picture")
    review.reload()
    expect(review.get_by_role("heading", name="Made from it")).to_be_visible()


def test_without_review_there_is_no_button_and_no_key_that_writes(page: Page, site: Site) -> None:
    picture = site.place.images("many_02")[2]
    page.goto(f"/-/hotfolder/picture/{picture['id']}")
    expect(page.locator("[data-deed]")).to_have_count(0)
    for key in ("5", "k", "x"):
        page.keyboard.press(key)
    assert row(site, picture) == picture
    assert page.request.post("/-/hotfolder/review/keep", form={"id": picture["id"]}).status in (403, 405)


def test_a_deed_that_cannot_be_done_says_why(chromium: Browser, site: Site) -> None:
    """The file is taken away behind the page's back."""
    picture = site.place.images("many_02")[3]
    with watched(chromium, site.reviewing, expected="404") as review:
        review.goto(f"/-/hotfolder/picture/{picture['id']}")
        review.wait_for_load_state("networkidle")  # small pictures below, its own among them, come later than the page
        file, aside = file_of(site, picture), site.place.root / "aside.png"
        file.rename(aside)
        review.keyboard.press("k")
        expect(review.locator(f"{SAID}.failed")).to_contain_text("not in the outbox")
        aside.rename(file)
    follows(site, picture, path=picture["path"])
