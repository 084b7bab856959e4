"""The compare page: two to eight pictures, and what differs between them."""

import re
import time
from html import unescape
from typing import Any

import pytest

from hotfolder.browse import differences, serve
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace

DAY = "outbox/generate/2026-11-20"


def compare(workplace: Any, *ids: str) -> Any:
    return workplace.get("/-/hotfolder/compare?" + "&".join(f"id={one}" for one in ids))


def table(html: str, only: str = "") -> dict[str, list[str]]:
    """Return the table's rows by their labels; with `only="differ"` those that are shown at once."""
    rows = re.findall(r'<tr( class="same")?><th scope="row">(.*?)</th>(.*?)</tr>', html)
    return {
        label: [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall("<td>(.*?)</td>", cells)]
        for same, label, cells in rows
        if not (only and same)
    }


def test_only_what_differs_stands_in_the_table_at_once(workplace: Any) -> None:
    for name, seed, steps in (("a", 7, 4), ("b", 8, 4), ("c", 7, None)):
        workplace.add_image(name, f"{DAY}/{name}.png", seed=str(seed), seed_locked=1, steps=steps, sampler="Euler")
    html = compare(workplace, "a", "b", "c").text
    assert table(html, only="differ") == {"Seed": ["7, locked", "8, locked", "7, locked"], "Steps": ["4", "4", "none"]}
    assert table(html)["Sampler"] == ["Euler"] * 3
    assert "Show what is the same too (5 of 7)" in html
    assert re.findall(r'<figure data-picture="(\w+)"', html) == ["a", "b", "c"]


def test_pictures_that_are_alike_are_said_to_be(workplace: Any) -> None:
    for name in "ab":
        workplace.add_image(name, f"{DAY}/{name}.png")
    assert "No parameter differs." in compare(workplace, "a", "b").text


def test_the_words_that_differ_are_marked(workplace: Any) -> None:
    workplace.add_image("a", f"{DAY}/a.png", prompt="a <b>red</b> fox in the snow")
    workplace.add_image("b", f"{DAY}/b.png", prompt="a blue fox in the snow at night")
    html = compare(workplace, "a", "b").text
    assert re.findall("<mark>(.*?)</mark>", html) == ["&lt;b&gt;red&lt;/b&gt;", "blue", "at night"]


@pytest.mark.parametrize(
    ("texts", "marked"),
    [
        (["a red fox", "a blue fox"], [["red"], ["blue"]]),
        (["a fox", "a fox", "a fox sleeps"], [[], [], ["sleeps"]]),
        (["a b c", "a c", "b c"], [["a", "b"], [], []]),
        (["a fox", "", "a cat"], [["fox"], [], ["cat"]]),
        (["", "a fox"], [[], []]),
        (["  a\n\nfox ", "a fox"], [[], []]),
    ],
)
def test_marks_are_on_whole_words(texts: list[str], marked: list[list[str]]) -> None:
    found = differences.marked(texts)
    assert [[word for text, differs in pieces if differs for word in text.split()] for pieces in found] == marked
    assert ["".join(text for text, _ in pieces).split() for pieces in found] == [text.split() for text in texts]


def test_a_word_far_inside_a_long_prompt_is_marked() -> None:
    long = [f"word{number}" for number in range(8000)]
    texts = [" ".join([*long[:5000], word, *long[5000:]]) for word in ("red", "blue")]
    found = differences.marked(texts)
    assert [[text for text, differs in pieces if differs] for pieces in found] == [["red"], ["blue"]]


def test_endless_prompts_are_compared_in_a_moment() -> None:
    texts = [" ".join(f"word{number * step % 97}" for number in range(20_000)) for step in range(1, 9)]
    begun = time.thread_time()
    found = differences.marked(texts)
    assert time.thread_time() - begun < 10, "of work; others may work here too"
    assert ["".join(text for text, _ in pieces) for pieces in found] == texts


@pytest.mark.parametrize(
    ("ids", "code", "says"),
    [
        ([], 400, "compares 2 to 8 pictures; it was given none"),
        (["knight1"], 400, "it was given one"),
        (["knight1", "knight1"], 400, "it was given one"),
        ([f"x{number}" for number in range(9)], 400, "it was given 9"),
        (["knight1", "nobody"], 404, "One of these pictures is not in the catalog"),
        (["../x", "%00"], 404, "2 of these pictures are not in the catalog"),
    ],
)
def test_what_cannot_be_compared_is_said(workplace: Any, ids: list[str], code: int, says: str) -> None:
    answer = compare(workplace, *ids)
    assert answer.status_code == code
    assert says in answer.text
    assert 'href="/-/hotfolder/gallery"' in answer.text


def test_one_can_be_left_out_while_two_remain(workplace: Any) -> None:
    workplace.add_image("a", f"{DAY}/a.png")
    assert "leave out" not in compare(workplace, "a", "knight1").text
    html = unescape(compare(workplace, "a", "knight1", "cutout1").text)
    assert re.findall(r'href="/-/hotfolder/compare\?([^"]*)"', html) == [
        "id=knight1&id=cutout1", "id=a&id=cutout1", "id=a&id=knight1"
    ]  # fmt: skip


def test_buttons_only_where_the_pages_may_write(workplace: Any) -> None:
    assert '<button type="button" data-deed' not in compare(workplace, "knight1", "cutout1").text
    writing = serve.make(Workspace(workplace.root, Settings()), review=True)
    reading, workplace.datasette = workplace.datasette, writing
    try:
        html = compare(workplace, "knight1", "cutout1").text
    finally:
        workplace.datasette = reading
        for database in writing.databases.values():
            database.close()
    assert html.count('data-deed="keep"') == 2
