"""Odd but valid pictures come out right: size, mode, colours, notes."""

from pathlib import Path

import pytest

from hotfolder import images
from tests.images import odd
from tests.images.odd import Odd

ODD = odd.every()


@pytest.mark.parametrize("name", ODD)
def test_picture_comes_out_right(tmp_path: Path, name: str) -> None:
    case: Odd = ODD[name]
    path = tmp_path / f"picture{case.suffix}"
    path.write_bytes(case.data)

    sniffed = images.sniff(path, 10_000)
    picture = images.open_picture(path, 10_000)

    assert (sniffed.width, sniffed.height) == picture.image.size == case.size
    assert picture.image.mode == case.mode
    assert picture.icc_converted == case.converted
    if case.noted is None:
        assert picture.notes == ()
    else:
        assert any(case.noted in note for note in picture.notes), picture.notes
    width, height = case.size
    for quarter, expected in enumerate(case.quarters):
        at = (width * (1 + 2 * (quarter % 2)) // 4, height * (1 + 2 * (quarter // 2)) // 4)
        got = picture.image.getpixel(at)
        got, expected = (value if isinstance(value, tuple) else (value,) for value in (got, expected))
        if case.mode == "RGBA" and expected[3] == 0:
            got, expected = got[3:], expected[3:]  # what is invisible has no colour
        off = max(abs(a - b) for a, b in zip(got, expected, strict=True))
        assert off <= case.tolerance, f"quarter {quarter}: {got}, not {expected}"


def test_there_are_enough() -> None:
    assert len(ODD) >= 60


def test_nothing_of_the_file_clings_to_the_pixels(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(ODD["png texts"].data)
    picture = images.open_picture(path, 10_000)
    assert picture.image.info == {}
    assert picture.text["parameters"].startswith("ein Ritter, Öl\nSteps: 1")
