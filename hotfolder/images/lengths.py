"""Lengths as people write them, pixels or percent of an edge; and sizes within a longest edge."""

import re
from typing import Annotated

from pydantic import AfterValidator

_LENGTH = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,4})?) ?(px|%)?")
MAX_PX = 65_535
MAX_PERCENT = 10_000


def _readable(value: int | str) -> int | str:
    text = str(value).strip()
    match = _LENGTH.fullmatch(text)
    if not match:
        raise ValueError(
            f"`{text[:40]}` is no length; write pixels, 200, or percent of the edge, 25%; none is negative"
        )
    if float(match[1]) > (MAX_PERCENT if match[2] == "%" else MAX_PX):
        raise ValueError(f"`{text}` is too much; the most is {MAX_PX} pixels, or {MAX_PERCENT}%")
    return value


Length = Annotated[int | str, AfterValidator(_readable)]
"""`200`, `200px` or `25%`."""


def pixels(length: int | str, edge: int) -> int:
    """Return a Length in whole pixels; percent are of an `edge`."""
    match = _LENGTH.fullmatch(str(length).strip())
    assert match
    return round(float(match[1]) * edge / 100 if match[2] == "%" else float(match[1]))


def within(size: tuple[int, int], edge: int) -> tuple[int, int]:
    """Return a size (width, height) in its proportions with at most `edge` pixels on either side: never larger, and
    never without a pixel, however long and narrow."""
    scale = min(1.0, edge / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
