"""What can be measured of a page's look: contrast and names by axe-core, width, and targets for thumbs."""

from collections.abc import Callable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
THUMB_PX = 44
_AXE = Axe()
_OPTIONS = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
_OVER = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return [`${document.documentElement.scrollWidth} px on ${wide}`].concat([...document.body.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > wide + 1).map((one) => one.outerHTML.slice(0, 120)));
}"""
_SMALL = """(least) => [...document.querySelectorAll("button, select, input, a.button, .bar nav a")]
  .filter((one) => one.checkVisibility() && !["checkbox", "radio", "range", "hidden"].includes(one.type))
  .map((one) => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
  .filter(([, box]) => box.height && (box.height < least - 0.5 || box.width < least - 0.5))
  .map(([html, box]) => `${html}: ${box.width} x ${box.height}`)"""


def violations(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical: the rule, and where."""
    found: dict[str, Any] = _AXE.run(page, options=_OPTIONS).response
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """Return the elements that reach over the right edge, where the page can be scrolled sideways."""
    return page.evaluate(_OVER)


def small_targets(page: Page) -> list[str]:
    """Return buttons, fields and links of the bar that are smaller than a thumb needs."""
    return page.evaluate(_SMALL, THUMB_PX)


def forms(page: Page, look: Callable[[Page], list[str]]) -> dict[str, list[str]]:
    """Return what `look` finds on the page, by its form: light and dark, wide and on a phone; nothing where nothing."""
    found = {}
    for size in (WIDE, PHONE):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found[f"{scheme}, {size['width']} px"] = look(page)
    return {form: what for form, what in found.items() if what}


def watch_jumps(page: Page) -> Callable[[], float]:
    """Watch the pages that this one opens; returns what tells their Cumulative Layout Shift so far (0 is none)."""
    page.add_init_script(
        "window.jumped = 0; new PerformanceObserver((list) => {"
        " for (const one of list.getEntries()) if (!one.hadRecentInput) window.jumped += one.value;"
        "}).observe({type: 'layout-shift', buffered: true});"
    )
    return lambda: page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(jumped))))")
