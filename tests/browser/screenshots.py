"""Draw docs/screenshots: the pages over a demo workspace, with a real service. `make screenshots`.

    python -m tests.browser.screenshots [WORKSPACE]

WORKSPACE is one that `hotfolder demo` has made; without it one is made first, which takes a few minutes.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.looking import PHONE, WIDE
from tests.browser.watching import ARGUMENTS, find, watched
from tests.browser.workplace import served
from tests.service.living import ROOT, Living, hotfolder, poll

TARGET = ROOT / "docs" / "screenshots"
FORMS = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "has_touch": True, "is_mobile": True},
}
LONG = "prompt: a large {red|blue|green} house on a yellow background\nvariants: 400\ncontact_sheet: false\n"
SKIPPED = "".join(f"&_nocol={name}" for name in ("sha256", "pixel_sha256", "signature", "negative_prompt", "format"))
SEEN = """() => [...document.images].every((one) => {
  const { top, bottom } = one.getBoundingClientRect();
  return one.complete || bottom < 0 || top > innerHeight;
})"""
QUALITY = 82


def main(workspace: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="hotfolder-screenshots-") as scratch:
        root = Path(scratch) / "pictures"
        if workspace:
            shutil.copytree(workspace, root)
        elif hotfolder(Path(scratch), "demo", str(root), timeout_s=1800).returncode:
            sys.exit("hotfolder demo failed")
        place = Living(root, "profile: miniature\n")
        place.start()
        try:
            with served(place, "--review") as address, sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
                shutil.rmtree(TARGET, ignore_errors=True)
                TARGET.mkdir(parents=True)
                review(chromium, address, place)
                for name, path, prepare in pages(place):
                    shoot(chromium, address, name, path, prepare)
                place.drop("edit/waits.png", (place.root / "done/edit/circle.png").read_bytes())
                place.drop("generate/broken.yaml", "promt: a blue star\n")
                place.drop("generate/night.yaml", LONG)
                poll(lambda: place.status().made, "picture of the long job")
                place.drop("generate/later.txt", "a pink heart\na green tree\n")
                place.job("later_002", "queued")
                job = place.status().job or {}
                shoot(chromium, address, "queue", "/-/hotfolder/queue", lambda page: None)
                shoot(chromium, address, "job", f"/-/hotfolder/job/{job['id']}", lambda page: None)
                chromium.close()
        finally:
            place.end()


def review(chromium: Browser, address: str, place: Living) -> None:
    """Give a few pictures stars and a place, so that there is something to see of it."""
    deeds = {"star": ("5", "k"), "circle": ("4", "k"), "tree": ("3",), "drawn": ("4", "k"), "evening_002": ("x",)}
    for name, keys in deeds.items():
        found = place.rows("select id from images where path like ? limit 1", f"%/{name}%")
        with watched(chromium, address) as page:
            page.goto(f"/-/hotfolder/picture/{found[0]['id']}")
            for key in keys:
                page.keyboard.press(key)
                expect(page.locator(".said")).not_to_be_empty()
                page.locator(".said").evaluate("(one) => one.replaceChildren()")
    kept = "select review from images where review = 'keep' group by review having count(*) = 3"
    poll(lambda: place.rows(kept), "kept pictures in the catalog", 30)


def pages(place: Living) -> list[tuple[str, str, Callable[[Page], object]]]:
    """Return name, address and what is to be done on the page before it is drawn."""

    def ids(where: str, limit: int) -> list[str]:
        return [row["id"] for row in place.rows(f"select id from images where {where} order by path limit {limit}")]

    (edited,) = ids("kind = 'edit'", 1)
    pair = "&".join(f"id={one}" for one in ids("path like '%/table%' and kind = 'generate'", 4))
    return [
        ("gallery", "/-/hotfolder/gallery", lambda page: None),
        ("picture", f"/-/hotfolder/picture/{edited}", lambda page: page.wait_for_selector(".sliding")),
        ("compare", f"/-/hotfolder/compare?{pair}", lambda page: None),
        ("tables", f"/catalog/images?_size=20{SKIPPED}", lambda page: scroll(page, 370)),
    ]


def scroll(page: Page, px: int) -> None:
    """Scroll down, where the page is wide enough to have its heads beside its pictures."""
    if page.viewport_size == WIDE:
        page.evaluate(f"scrollTo(0, {px})")


def shoot(chromium: Browser, address: str, name: str, path: str, prepare: Callable[[Page], object]) -> None:
    """Draw one page in each form."""
    for form, options in FORMS.items():
        with watched(chromium, address, **options) as page:
            page.goto(path, wait_until="networkidle" if name not in ("queue", "job", "gallery") else "load")
            prepare(page)
            page.wait_for_function(SEEN)
            drawn = Image.open(io.BytesIO(page.screenshot()))
            drawn.convert("RGB").save(TARGET / f"{name}-{form}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
