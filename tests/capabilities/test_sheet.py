"""sheet: every picture in its place, small, with its words; a missing one says why."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hotfolder.capabilities.base import Context
from hotfolder.capabilities.sheet import Sheet, SheetOptions
from hotfolder.errors import BadSpec
from hotfolder.images import sheets
from hotfolder.spec import JobSpec, Planned
from tests.capabilities.stands import NoPool

COLOURS = [(200, 0, 0), (0, 160, 0), (0, 0, 200), (200, 160, 0)]


def drawn(pictures: dict[str, Image.Image], **options: Any) -> Image.Image:
    count = max(int(place) for place in [*pictures, *options.get("failed", ())]) + 1
    checked = SheetOptions(pictures=tuple(["x.png"] * count), **options)
    context = Context(
        spec=JobSpec(kind="sheet"),
        options=checked,
        planned=(Planned(seed=0, seed_locked=False),),
        model="",
        pool=NoPool(),
        progress=lambda step, of: None,
        pictures=pictures,
    )
    Sheet.check(context.spec, checked, None)
    (result,) = Sheet().run(context)
    assert result.image
    return result.image


def solids(sizes: list[tuple[int, int]]) -> dict[str, Image.Image]:
    return {str(place): Image.new("RGB", size, COLOURS[place % 4]) for place, size in enumerate(sizes)}


def places_of(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return the box that has exactly this colour."""
    rows, columns = (np.asarray(sheet.convert("RGB")) == colour).all(-1).nonzero()
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_pictures_stand_row_after_row_under_their_columns() -> None:
    sheet = drawn(solids([(60, 40)] * 4), columns=("steps: 4", "steps: 8"), rows=("seed: 1", "seed: 2"))
    boxes = [places_of(sheet, colour) for colour in COLOURS]
    assert [(box[2] - box[0], box[3] - box[1]) for box in boxes] == [(60, 40)] * 4
    assert boxes[0][:2] < boxes[1][:2] and boxes[0][1] == boxes[1][1], "columns"
    assert boxes[0][0] == boxes[2][0] and boxes[0][3] < boxes[2][1], "rows"
    assert sheet.crop((0, 0, sheet.width, boxes[0][1])).getextrema() != ((255, 255),) * 3, "there are words above"
    assert sheet.crop((0, boxes[0][1], boxes[0][0], sheet.height)).getextrema() != ((255, 255),) * 3, "and before"


def test_words_below_tiny_pictures_have_room_and_very_many_columns_have_none_to_spare() -> None:
    tiny, wide = ([sheets.Cell(image, "0001 · seed 4294967295")] * 4 for image in solids([(16, 16), (72, 16)]).values())
    assert sheets.draw(tiny).size == sheets.draw(wide).size
    assert sheets.draw(tiny * 100, columns=["a"] * 400).width < 16_383, "what a WebP can have"


def test_large_pictures_are_made_small_and_small_ones_are_not_enlarged() -> None:
    sheet = drawn(solids([(2000, 1000), (30, 20)]))
    large, small = (places_of(sheet, colour) for colour in COLOURS[:2])
    assert (large[2] - large[0], large[3] - large[1]) == (512, 256)
    assert (small[2] - small[0], small[3] - small[1]) == (30, 20)


def test_a_missing_picture_says_why_and_transparency_is_white() -> None:
    clear = Image.new("RGBA", (200, 200), (255, 0, 0, 0))
    sheet = drawn({"0": clear}, failed={"1": "not enough memory for this job"}, columns=("a", "b"))
    assert sheet.getpixel((sheet.width // 4, sheet.height // 2)) == (255, 255, 255)
    grey = places_of(sheet, (236, 236, 236))
    assert grey[2] - grey[0] == 200
    assert (160, 0, 0) in {colour for _, colour in sheet.crop(grey).getcolors(10**6) or ()}


def test_blocks_stand_one_below_the_other() -> None:
    sheet = drawn(solids([(50, 50)] * 4), columns=("a", "b"), blocks=("model: one", "model: two"))
    assert places_of(sheet, COLOURS[0])[3] + 16 < places_of(sheet, COLOURS[2])[1]


@pytest.mark.parametrize(("count", "beside"), [(400, 1), (400, 400), (400, 20), (2, 1), (400, 7)])
def test_the_largest_sheets_fit_every_format(count: int, beside: int) -> None:
    edge = sheets.edge_px(count, beside)
    cells = [sheets.Cell(Image.new("RGB", (edge, edge)))] * count
    sheet = sheets.draw(cells, [f"steps: {number}" for number in range(beside)], ["a row"] * -(-count // beside))
    assert max(sheet.size) <= 16_383, "what WebP can hold"


def wrong() -> Iterator[tuple[dict[str, Any], str]]:
    yield {}, "a sheet needs pictures"
    yield {"pictures": ("a.png",) * 3, "columns": ("x", "y"), "rows": ("z",)}, "3 pictures in 2 columns are 2 rows"
    yield {"pictures": ("a.png",) * 3, "labels": ("x",)}, "3 pictures and 1 labels"
    yield {"pictures": ("a.png",) * 3, "columns": ("x",), "blocks": ("y", "z")}, "3 rows cannot be 2 blocks"


@pytest.mark.parametrize(("options", "says"), [*wrong()])
def test_labels_that_do_not_fit_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadSpec, match=says):
        Sheet.check(JobSpec(kind="sheet"), SheetOptions(**options), None)
