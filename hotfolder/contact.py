"""The contact sheet of a job that makes several pictures: small copies kept while it runs, put together at its end."""

from collections.abc import Sequence
from itertools import takewhile

from PIL import Image

from hotfolder import names
from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Result
from hotfolder.images import sheets
from hotfolder.order import Order
from hotfolder.spec import Planned

MAX_PIXELS = 16_000_000
"""Of all small copies together: 48 MB, however many pictures a job makes."""
MAX_LABEL = 200
"""Characters."""
FEW_WORDS = 2
"""So many words that all prompts share stand on each label; of more than these an ellipsis does."""


class Contact:
    """Collects what stands on one job's sheet."""

    def __init__(self, order: Order) -> None:
        count = len(order.planned)
        self._is_wanted = order.spec.contact_sheet and count > 1
        self._has_seeds = "seed" in CAPABILITIES[order.spec.kind].uses and bool(order.model)
        self._edge_px = sheets.edge_px(count, sheets.across(count, 0), MAX_PIXELS)
        self._kept: dict[int, tuple[Image.Image, Planned]] = {}

    def keep(self, index: int, result: Result) -> None:
        """Take a small copy of a picture; a result that is its input's own file, or texts alone, has no place."""
        if self._is_wanted and result.image:
            self._kept[index] = sheets.thumbnail(result.image, self._edge_px), result.planned

    def drawn(self) -> Image.Image | None:
        """Return the sheet, mode RGB; None where there are not two pictures, or none is wanted."""
        if len(self._kept) < 2:
            return None
        places = sorted(self._kept)
        texts = labels([self._kept[place][1] for place in places], self._has_seeds)
        cells = [
            sheets.Cell(self._kept[place][0], " · ".join(filter(None, [names.ending(place, len(places))[1:], text])))
            for place, text in zip(places, texts, strict=True)
        ]
        return sheets.draw(cells)


def labels(planned: Sequence[Planned], has_seeds: bool = True) -> list[str]:
    """Return for each of some pictures what it has otherwise than the others: its seed, the words of its prompt."""
    parts: list[list[str]] = [[] for _ in planned]
    if has_seeds and len({one.seed for one in planned}) > 1:
        parts = [[f"seed {one.seed}"] for one in planned]
    if len({one.variation_seed for one in planned}) > 1:
        parts = [[*part, f"variation seed {one.variation_seed}"] for part, one in zip(parts, planned, strict=True)]
    words = _differing([(one.prompt or "").split() for one in planned])
    texts = [" · ".join(filter(None, [*part, text])) for part, text in zip(parts, words, strict=True)]
    return [text if len(text) <= MAX_LABEL else f"{text[:MAX_LABEL]}…" for text in texts]


def _differing(prompts: Sequence[list[str]]) -> list[str]:
    """Return the words of each prompt without those that all of them begin or end with, where these are many."""
    if all(prompt == prompts[0] for prompt in prompts):
        return [""] * len(prompts)
    before = _shared(prompts)
    after = _shared([prompt[before:][::-1] for prompt in prompts])
    before = before if before > FEW_WORDS else 0
    after = after if after > FEW_WORDS else 0
    return [
        " ".join([*(["…"] if before else []), *prompt[before : len(prompt) - after], *(["…"] if after else [])])
        for prompt in prompts
    ]


def _shared(prompts: Sequence[list[str]]) -> int:
    """Return with how many words all prompts begin."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*prompts, strict=False)))
