"""More around a picture: at the size asked for, its own pixels untouched."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hotfolder.capabilities.outpaint import Outpaint, canvas_of, steps_to
from hotfolder.errors import BadSpec, JobError, NotYet
from tests.capabilities import photographs
from tests.capabilities.test_inpaint import ellipse, png
from tests.service.living import Living, at_once

PHOTO = photographs.photograph("coffee.png")  # 300 x 200
W, H = PHOTO.size
PRESET = "profile: miniature\nsteps: 2\n"


def cut_out() -> Image.Image:
    picture = PHOTO.convert("RGBA")
    picture.putalpha(ellipse(PHOTO.size))
    return picture


CASES: dict[str, tuple[str, bytes, str, tuple[int, int], tuple[int, int], str]] = {
    # case: (name, picture, job, size, place of the picture, mode)
    "turned": ("a.jpg", photographs.turned(PHOTO, 8), "extend: 25%", (W + 150, H + 100), (75, 50), "RGB"),
    "grey": ("b.png", png(PHOTO.convert("L")), "aspect: 2:1", (2 * H, H), ((2 * H - W) // 2, 0), "L"),
    "cut-out": ("c.png", png(cut_out()), "extend: {left: 40, top: 10%}", (W + 40, H + 20), (40, 20), "RGB"),
    "alpha kept": ("d.png", png(cut_out()), "size: 400x256\nanchor: bottom right\ntransparent: keep", (400, 256),
                   (100, 56), "RGBA"),
    "far": ("e.png", photographs.sixteen_bits(PHOTO.resize((60, 40))), "size: 60x130\nprompt: a red circle", (60, 130),
            (0, 45), "RGB"),
}  # fmt: skip


@pytest.fixture(scope="module")
def painted(studio: Living) -> dict[str, dict[str, Any]]:
    (studio.workspace.inbox / "outpaint" / "folder.yaml").write_text(PRESET)
    with at_once(studio):
        for name, data, job, *_ in CASES.values():
            studio.drop(f"outpaint/out-{name.partition('.')[0]}.yaml", job + "\n")
            studio.drop(f"outpaint/out-{name}", data)
    jobs = {case: studio.job(f"out-{name.partition('.')[0]}", deadline_s=180) for case, (name, *_) in CASES.items()}
    assert {case: job["error"] for case, job in jobs.items() if job["error"]} == {}
    return {case: studio.images(job["name"])[0] for case, job in jobs.items()}


@pytest.mark.parametrize("case", CASES)
def test_the_picture_lies_in_the_result_untouched(
    studio: Living, painted: dict[str, dict[str, Any]], case: str
) -> None:
    _, data, _, size, (left, top), mode = CASES[case]
    with Image.open(io.BytesIO(data)) as given:
        own = given.convert("RGBA") if given.mode == "RGBA" else photographs.decoded(data)
    path = studio.workspace.absolute(painted[case]["path"])
    with Image.open(path) as made, Image.open(path.with_suffix(".mask.png")) as mask:
        assert (made.mode, made.size, mask.size) == (mode, size, size)
        place = (left, top, left + own.width, top + own.height)
        after = np.asarray(made.crop(place).convert(own.mode if mode == "RGBA" else "RGB"))
        before, kept = np.asarray(own), np.asarray(mask.crop(place)) == 0
        around = np.asarray(made.convert("RGB"))[np.asarray(mask) == 255]
        if mode == "RGBA":
            alpha = made.getchannel("A")
            alpha.paste(255, place)
            assert alpha.getextrema() == (255, 255), "what is new is opaque"
    assert kept.all() or (case == "cut-out" and (kept == (before[..., 3] == 255)).all())
    assert (after[kept] == before[kept][:, : after.shape[2]]).all()
    assert around.std() > 0, "not left empty"


def canvas(size: tuple[int, int] = (300, 200), **given: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    return canvas_of(Outpaint.Options(**given), size)


@pytest.mark.parametrize(
    ("given", "size", "place"),
    [
        ({"extend": 10}, (320, 220), (10, 10)),
        ({"extend": "10%"}, (360, 240), (30, 20)),
        ({"extend": {"right": 7}}, (307, 200), (0, 0)),
        ({"aspect": "1:1"}, (300, 300), (0, 50)),
        ({"aspect": 2.0, "anchor": "left"}, (400, 200), (0, 0)),
        ({"aspect": "9:16", "anchor": "bottom"}, (300, 533), (0, 333)),
        ({"width": 500}, (500, 200), (100, 0)),
        ({"width": 300, "height": 201}, (300, 201), (0, 0)),
    ],
)
def test_how_large_it_gets(given: dict[str, Any], size: tuple[int, int], place: tuple[int, int]) -> None:
    assert canvas(**given) == (size, place)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"extend": 0}, "`extend` adds nothing"),
        ({"extend": {"left": "0%"}}, "`extend` adds nothing"),
        ({"aspect": "3:2"}, "the picture, 300x200, has that aspect already"),
        ({"width": 300, "height": 200}, "has that size already"),
        ({"width": 1920, "height": 100}, "1920x100 is smaller than the picture, 300x200"),
        ({"aspect": "wide"}, "`aspect` must be like 16:9"),
        ({"aspect": "1:0"}, "`aspect` must be like 16:9"),
        ({"aspect": 1e9}, "`aspect` must be like 16:9"),
        ({"extend": 10, "aspect": "16:9"}, "`extend` and `aspect` both say how far"),
        ({"extend": 30_000}, "at most 250 can be made"),
    ],
)
def test_what_adds_nothing_or_too_much_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(JobError, match=says):
        canvas(**given)


def test_a_job_that_says_not_how_far_waits() -> None:
    with pytest.raises(NotYet, match="`extend: 25%`"):
        canvas()


def test_a_negative_extension_and_its_line_are_named(studio: Living) -> None:
    wrong = ("extend: -5%", "extend: {left: -5}", "extend: {lefft: 5}", "aspect: 16:9\nextend: 0")
    with at_once(studio):
        for number, job in enumerate(wrong):
            studio.drop(f"outpaint/no-{number}.yaml", f"profile: miniature\n{job}\n")
            studio.drop(f"outpaint/no-{number}.png", png(PHOTO))
    said = [str(studio.job(f"no-{number}", "failed")["error"]) for number in range(4)]
    assert "no-0.yaml, line 2" in said[0] and "`-5%` is no length" in said[0]
    assert "no-1.yaml, line 2" in said[1] and "`-5` is no length" in said[1]
    assert "did you mean `left`?" in said[2]
    assert "no-3.yaml, line 2: `extend` and `aspect` both say how far" in said[3]


def test_steps_at_most_double_an_edge_and_long_pictures_grow_end_by_end() -> None:
    assert list(steps_to((10, 10, 110, 110), (120, 120))) == [(0, 0, 120, 120)]
    far = list(steps_to((450, 0, 550, 100), (1000, 100)))
    assert far[-1] == (0, 0, 1000, 100)
    reached = [(450, 0, 550, 100), *far]
    for before, after in zip(reached, reached[1:], strict=False):
        assert after[0] <= before[0] and after[2] >= before[2]
        assert after[2] - after[0] <= 2 * (before[2] - before[0])
        assert after[2] - after[0] <= 200 or after[0] == before[0] or after[2] == before[2]


def test_all_that_is_transparent_is_nothing_to_go_on_from(studio: Living) -> None:
    with at_once(studio):
        studio.drop("outpaint/glass.yaml", "profile: miniature\nextend: 10\n")
        studio.drop("outpaint/glass.png", png(Image.new("RGBA", (60, 40))))
    assert "all of the picture is transparent" in str(studio.job("glass", "failed")["error"])


def test_a_sampler_that_does_not_fit_is_refused_before_the_gpu_runs() -> None:
    from hotfolder.spec import JobSpec

    with pytest.raises(BadSpec, match="does not fit flow models"):
        Outpaint.check(JobSpec(kind="outpaint", sampler="ddim"), Outpaint.Options(extend=5), (60, 40))
