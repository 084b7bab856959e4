"""What can be measured of a page's look: contrast and names by axe-core, width, and targets for thumbs."""

from collections.abc import Callable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
THUMB_PX = [24, 44]
"""The least width and height of what a thumb shall hit."""
_AXE = Axe()
_ALL = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
_FORM = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]
"""The rules that may find something else when colours or width change."""
_OVER = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return [`${document.documentElement.scrollWidth} px on ${wide}`].concat([...document.body.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > wide + 1).map((one) => one.outerHTML.slice(0, 120)));
}"""
_SMALL = """([width, height]) => [...document.querySelectorAll("button, select, input, a.button, .bar nav a")]
  .filter((one) => one.checkVisibility() && !["checkbox", "radio", "range", "hidden"].includes(one.type))
  .map((one) => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
  .filter(([, box]) => box.height && (box.height < height - 0.5 || box.width < width - 0.5))
  .map(([html, box]) => `${html}: ${box.width} x ${box.height}`)"""


def violations(page: Page, only_form: bool = False) -> list[str]:
    """Return what axe-core finds serious or critical: the rule, and where."""
    options = {**_ALL, "runOnly": {"type": "rule", "values": _FORM}} if only_form else _ALL
    found: dict[str, Any] = _AXE.run(page, options=options).response
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


def faults(page: Page, small: bool = True) -> list[str]:
    """Return what is wrong with the page in light and dark, wide and on a phone: what axe-core finds, and what reaches
    over the edge; on a phone also targets that are too `small`."""
    found = []
    for size in (WIDE, PHONE):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            first = size is WIDE and scheme == "light"
            told = [*violations(page, only_form=not first), *overflow(page)]
            found += [f"{scheme}, {size['width']} px: {one}" for one in told]
    return found + (small_targets(page) if small else [])


def watch_jumps(page: Page) -> Callable[[], float]:
    """Watch the pages that this one opens; returns what tells their Cumulative Layout Shift so far (0 is none)."""
    page.add_init_script(
        "window.jumped = 0; new PerformanceObserver((list) => {"
        " for (const one of list.getEntries()) if (!one.hadRecentInput) window.jumped += one.value;"
        "}).observe({type: 'layout-shift', buffered: true});"
    )
    return lambda: page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(jumped))))")
