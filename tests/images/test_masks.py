"""Masks and the parts of pictures that are worked on: what changes changes, and every other pixel stays."""

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw
from pydantic import TypeAdapter, ValidationError

from hotfolder.errors import RejectedInput
from hotfolder.images import lengths, masks, patches


def box(size: tuple[int, int], place: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, place)
    return mask


def noise(size: tuple[int, int], mode: str = "RGB", seed: int = 0) -> Image.Image:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels), np.uint8))


@pytest.mark.parametrize("by", [1, 2, 7, 30])
def test_a_mask_grows_alike_to_all_sides_and_back(by: int) -> None:
    mask = Image.new("L", (101, 101))
    mask.putpixel((50, 50), 255)
    grown = masks.grown(mask, by)
    assert grown.getbbox() == (50 - by, 50 - by, 51 + by, 51 + by)
    rows, columns = np.nonzero(np.asarray(grown))
    away = np.hypot(rows - 50, columns - 50)
    assert away.max() <= by * 1.09 + 1, "an octagon, not a square"
    assert masks.grown(box((60, 60), (20, 20, 41, 41)), -10).getbbox() == (30, 30, 31, 31)


def test_a_mask_grows_past_its_picture_and_shrinks_not_from_its_edges() -> None:
    assert np.asarray(masks.grown(box((40, 30), (5, 5, 6, 6)), 500)).all()
    assert masks.grown(box((40, 30), (0, 0, 20, 30)), -5).getbbox() == (0, 0, 15, 30), "not from its edges"
    assert masks.grown(box((40, 30), (5, 5, 9, 9)), -5).getbbox() is None
    assert masks.grown(Image.new("L", (4, 4)), 3).getbbox() is None


def test_an_edge_fades_outwards_and_ends() -> None:
    mask = box((200, 40), (100, 0, 103, 40))
    fading = np.asarray(masks.faded(mask, 8))[20].astype(int)
    assert (fading[100:103] == 255).all(), "a narrow scratch is mended whole"
    assert (np.diff(fading[:101]) >= 0).all() and (np.diff(fading[102:]) <= 0).all()
    assert fading[92] > 100 > fading[88] and fading[100 - 20] == 0
    assert ImageChops.difference(masks.faded(mask, 0), mask).getbbox() is None


def test_a_mask_of_another_size_is_resized_where_its_proportions_fit() -> None:
    fitted = masks.of_picture(box((200, 150), (0, 0, 100, 150)).convert("RGB"), (400, 300))
    assert (fitted.mode, fitted.size, fitted.getpixel((10, 10)), fitted.getpixel((390, 10))) == (
        "L",
        (400, 300),
        255,
        0,
    )
    assert masks.of_picture(Image.new("L", (399, 300)), (400, 300)).size == (400, 300)
    with pytest.raises(RejectedInput, match="the mask has 300x300 pixels and the picture 400x300"):
        masks.of_picture(Image.new("L", (300, 300)), (400, 300))


def test_what_is_transparent_in_the_picture_of_a_mask_is_black() -> None:
    drawn = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    drawn.putpixel((1, 1), (255, 255, 255, 255))
    assert masks.of_picture(drawn, (4, 4)).getbbox() == (1, 1, 2, 2)


def test_what_scores_high_enough_is_white() -> None:
    scores = np.zeros((8, 8), np.float32)
    scores[2:6, 2:6] = 0.5
    other = np.zeros((8, 8), np.float32)
    other[0, 0] = 0.9
    assert masks.of_scores([scores], 0.4, (80, 80)).getbbox() == pytest.approx((20, 20, 60, 60), abs=4)
    assert masks.of_scores([scores, other], 0.4, (80, 80)).getpixel((0, 0)) == 255
    assert masks.of_scores([other], 0.4, (3, 3)).getbbox(), "smaller than a pixel, and found all the same"
    assert masks.of_scores([scores], None, (8, 8)).getextrema() == (0, 128)


@pytest.mark.parametrize(
    ("hole", "padding", "size", "part"),
    [
        ((1000, 1000, 1400, 1400), "50%", (6000, 4000), (800, 800, 1600, 1600)),
        ((1000, 1000, 1400, 1400), 32, (6000, 4000), (968, 968, 1432, 1432)),
        ((10, 10, 20, 20), 0, (6000, 4000), (0, 0, 256, 256)),  # enlarged four times, no more
        ((0, 0, 3000, 30), 0, (6000, 4000), (0, 0, 3000, 1800)),
        ((0, 0, 300, 200), "50%", (300, 200), (0, 0, 300, 200)),
        ((280, 180, 300, 200), 0, (300, 200), (44, 0, 300, 200)),
    ],
)
def test_the_part_that_is_shown(hole: masks.Box, padding: int | str, size: tuple[int, int], part: masks.Box) -> None:
    assert patches.around(hole, padding, size, 1024) == part


@pytest.mark.parametrize(
    ("size", "edge", "limit", "worked"),
    [
        ((6000, 4000), 1024, None, (1248, 832)),
        ((100, 100), 1024, None, (1024, 1024)),
        ((6000, 4000), 1024, 768, (768, 512)),
        ((6000, 4000), 1024, 1000, (992, 672)),
        ((50_000, 100), 1024, None, (2048, 512)),
        ((160, 120), 128, None, (144, 112)),
    ],
)
def test_the_size_it_is_worked_on(size: tuple[int, int], edge: int, limit: int | None, worked: tuple[int, int]) -> None:
    assert patches.work_size(size, edge, limit) == worked


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_every_pixel_outside_the_mask_stays(mode: str) -> None:
    picture, change = noise((300, 200), mode), masks.faded(box((300, 200), (100, 50, 180, 150)), 4)
    canvas = picture.copy()
    seen: list[tuple[Image.Image, Image.Image]] = []

    def make(given: Image.Image, hole: Image.Image) -> Image.Image:
        seen.append((given, hole))
        return Image.new("RGB", given.size, (10, 200, 30))

    patches.repaint(canvas, change, (60, 20, 220, 190), (256, 272), make)
    ((given, hole),) = seen
    assert (given.mode, given.size, hole.mode, hole.size) == ("RGB", (256, 272), "L", (256, 272))
    assert sorted(set(np.asarray(hole).flat)) == [0, 255]
    before, after, outside = np.asarray(picture), np.asarray(canvas), np.asarray(change) == 0
    assert canvas.mode == mode and (before[outside] == after[outside]).all()
    assert (before[60:140, 110:170] != after[60:140, 110:170]).mean() > 0.7
    if mode == "RGBA":
        assert (before[..., 3] == after[..., 3]).all()


def test_bands_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    change, made = Image.new("L", (100, 90), 255), noise((64, 48))

    def repainted() -> Image.Image:
        canvas = Image.new("RGB", change.size)
        patches.repaint(canvas, change, (0, 0, 100, 90), made.size, lambda given, hole: made)
        return canvas

    whole = repainted()
    monkeypatch.setattr(patches, "BAND_PIXELS", 700)
    for other in (repainted(), made.resize((100, 90), Image.Resampling.LANCZOS)):
        assert np.asarray(ImageChops.difference(whole, other)).max() <= 1


def test_colours_meet_those_around_the_hole() -> None:
    """A model gave back all of it ten steps darker; what was made is as light as what is around it."""
    given, hole = Image.new("RGB", (128, 128), (120, 90, 60)), box((128, 128), (40, 40, 90, 90))
    made = Image.new("RGB", (128, 128), (110, 80, 50))
    met = np.asarray(patches.meeting(made, given, hole)).astype(int)
    assert abs(met[40, 64] - (120, 90, 60)).max() <= 1
    assert (met[64, 44] > (110, 80, 50)).all() and (met[64, 64] == (110, 80, 50)).all()
    far = Image.new("RGB", (128, 128), (250, 10, 10))
    shift = np.asarray(patches.meeting(far, given, hole)).astype(int) - (250, 10, 10)
    assert abs(shift).max() <= patches.MAX_SHIFT, "another colour stays another colour"


def test_what_is_bare_darkens_nothing_beside_it() -> None:
    canvas, bare = Image.new("RGB", (200, 100)), Image.new("L", (200, 100), 255)
    canvas.paste((200, 180, 160), (0, 0, 101, 100))
    bare.paste(0, (0, 0, 101, 100))
    shown: list[np.ndarray] = []

    def make(given: Image.Image, hole: Image.Image) -> Image.Image:
        shown.append(np.asarray(given)[np.asarray(hole) == 0])
        return Image.new("RGB", given.size, (200, 180, 160))

    patches.repaint(canvas, bare.copy(), (0, 0, 200, 100), (48, 32), make, bare=bare)
    assert np.abs(shown[0].astype(int) - (200, 180, 160)).max() <= 2


def test_a_network_may_enlarge_what_was_made() -> None:
    canvas, asked = Image.new("RGB", (80, 80)), []

    def enlarge(image: Image.Image, size: tuple[int, int]) -> Image.Image:
        asked.append((image.size, size))
        return Image.new("RGB", (64, 64), (1, 2, 3))

    patches.repaint(canvas, Image.new("L", (80, 80), 255), (0, 0, 80, 80), (32, 32), lambda given, hole: given, enlarge)
    assert asked == [((32, 32), (80, 80))]
    assert canvas.getcolors() == [(6400, (1, 2, 3))]


@pytest.mark.parametrize(
    ("written", "edge", "px"), [(200, 50, 200), ("200px", 50, 200), ("25%", 50, 12), ("12.5 %", 400, 50), (0, 9, 0)]
)
def test_lengths(written: int | str, edge: int, px: int) -> None:
    assert lengths.pixels(TypeAdapter(lengths.Length).validate_python(written), edge) == px


@pytest.mark.parametrize("written", [-5, "-5", "25 percent", "", "1e3", "70000", "20000%"])
def test_what_is_no_length(written: int | str) -> None:
    with pytest.raises(ValidationError, match=r"is no length|is too much"):
        TypeAdapter(lengths.Length).validate_python(written)


def test_an_ellipse_as_people_draw_them_stays_round() -> None:
    mask = Image.new("L", (120, 120))
    ImageDraw.Draw(mask).ellipse((40, 40, 80, 80), fill=255)
    area = np.asarray(masks.grown(mask, 10)).astype(bool).sum()
    assert area == pytest.approx(np.pi * 30.5**2, rel=0.04)
