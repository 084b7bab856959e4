"""Pictures side by side: what differs is said, and all are zoomed as one."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

SCALES = "all => all.map((one) => Math.round(100 * new DOMMatrix(getComputedStyle(one).transform).a) / 100)"


def compare(page: Page, site: Site, *names: str) -> None:
    ids = "&".join(f"id={site.place.images(name)[0]['id']}" for name in names)
    page.goto(f"/-/hotfolder/compare?{ids}")


def test_what_differs_is_said_and_what_is_the_same_on_demand(page: Page, site: Site) -> None:
    compare(page, site, "wide", "large")
    rows = dict(
        page.eval_on_selector_all(
            "tbody tr:not(.same)",
            "all => all.map(({cells: [name, ...others]}) => [name.textContent, others.map((one) => one.textContent)])",
        )
    )
    assert rows["Steps"] == ["8", "4"]
    assert [text.split()[0] for text in rows["Guidance"]] == ["2", "3.5"]
    assert rows["Format"] == ["png", "webp"]
    sampler = page.get_by_role("row", name="Sampler")
    expect(sampler).to_be_hidden()
    page.get_by_role("checkbox").check()
    expect(sampler).to_be_visible()
    assert page.locator("mark").all_text_contents() != []


def test_all_pictures_are_zoomed_and_moved_as_one(page: Page, site: Site) -> None:
    compare(page, site, "wide", "large", "many_01", "long")
    pictures = page.locator(".view img")
    expect(pictures).to_have_count(4)
    assert pictures.evaluate_all(SCALES) == [1, 1, 1, 1]
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert pictures.evaluate_all(SCALES) == [1.56] * 4
    page.locator(".view").nth(2).hover()
    page.mouse.wheel(0, -300)
    page.wait_for_function("() => document.querySelector('#scale').textContent > '× 2'")
    assert len(set(pictures.evaluate_all(SCALES))) == 1
    before = page.eval_on_selector_all(".view img", "all => all.map((one) => one.getBoundingClientRect().x)")
    page.keyboard.press("ArrowRight")
    after = page.eval_on_selector_all(".view img", "all => all.map((one) => one.getBoundingClientRect().x)")
    assert len({round(old - new) for old, new in zip(before, after, strict=True)} - {0}) == 1
    page.keyboard.press("Escape")
    assert pictures.evaluate_all(SCALES) == [1, 1, 1, 1]


def test_one_of_three_can_be_left_out(page: Page, site: Site) -> None:
    compare(page, site, "wide", "large", "long")
    page.get_by_role("link", name="Without picture 2").click()
    expect(page.get_by_role("figure")).to_have_count(2)
    expect(page.get_by_role("link", name="large.webp")).to_have_count(0)
