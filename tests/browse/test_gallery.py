"""The gallery gives every picture once, newest first, and just those that were asked for, whatever is typed."""

import random
import re
import string
from typing import Any
from urllib.parse import urlencode

import pytest

from hotfolder.browse import finding
from tests.browse.test_pages import PAYLOADS
from tests.elements import Elements

GALLERY = "/-/hotfolder/gallery"
DAY = "2026-11-{:02}T{:02}:00:00.000Z"
PROMPTS = [
    "a red fox",
    "a red foxglove in rain",
    "Häuser am Fluß",
    "the AND of NEAR things",
    'a "quoted" fox',
    None,
    "",
]
VALUES: dict[str, list[Any]] = {
    "kind": ["generate", "upscale", "edit"],
    "model": ["flux", "it's", "a & b", None],
    "hot_folder": ["generate", "posters/2026", None],
    "rating": [None, -1, 0, 1, 3, 4, 5],
    "review": [None, None, "keep", "reject"],
    "seed_locked": [None, 0, 1],
    "job_id": [1, 2, 3],
    "prompt": PROMPTS,
    "caption": [None, "foxes everywhere"],
    "negative_prompt": [None, "blurry fox"],
    "tags": [None, "red", "red, big", 'a "b", c [d]', "redder"],
    "loras": [None, '[{"name": "tarot", "weight": 0.5}]', '[{"name": "ta"}, {"name": "it\'s \\"x\\""}]'],
}


def ask(workplace: Any, **query: str) -> dict[str, Any]:
    answer = workplace.get(f"{GALLERY}.json?{urlencode(query)}")
    assert answer.status_code == 200, query
    return answer.json()


def walk(workplace: Any, **query: str) -> list[str]:
    """Return the ids of all pages."""
    ids, after = [], ""
    while after is not None:
        found = ask(workplace, **query, after=after)
        assert len(found["pictures"]) <= finding.PAGE
        ids += [picture["id"] for picture in found["pictures"]]
        after = found["after"]
    return ids


def fill(workplace: Any, count: int, seed: int) -> list[dict[str, Any]]:
    """Add pictures with all that can be asked for; returns them as the gallery orders them."""
    chance = random.Random(seed)
    workplace.connection.execute("delete from images")
    rows = []
    for number in range(count):
        row = {name: chance.choice(values) for name, values in VALUES.items()}
        # few moments for many pictures: most were made at the same one
        row |= {
            "id": f"{chance.getrandbits(64):016x}",
            "created_at": DAY.format(chance.randint(1, 9), chance.randint(0, 1)),
        }
        rows.append(row)
        workplace.add_image(row["id"], f"outbox/{number}.png", **{key: row[key] for key in row if key != "id"})
    return sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)


def test_paging_loses_and_repeats_nothing_while_pictures_come_and_go(workplace: Any) -> None:
    """Most have the very same time; new ones come and some are deleted between the pages."""
    there = [row["id"] for row in fill(workplace, 450, 1)]
    chance = random.Random(2)
    seen: list[str] = []
    gone, after, number = set(), "", 0
    while after is not None:
        found = ask(workplace, after=after)
        seen += [picture["id"] for picture in found["pictures"]]
        after = found["after"]
        for _ in range(20):
            number += 1
            at = DAY.format(chance.choice([9, 9, 10]), chance.randint(0, 1))
            workplace.add_image(f"{chance.getrandbits(64):016x}x", f"outbox/new{number}.png", created_at=at)
        rest = [one for one in there if one not in seen and one not in gone]
        for one in chance.sample(rest, min(5, len(rest))):
            workplace.connection.execute("delete from images where id = ?", [one])
            gone.add(one)
        if after:  # the one that the next page comes after is deleted too
            workplace.connection.execute("delete from images where id = ?", [seen[-1]])
        workplace.connection.commit()
    assert len(seen) == len(set(seen))
    assert [one for one in seen if not one.endswith("x")] == [one for one in there if one not in gone]
    assert number > 80


def has(row: dict[str, Any], key: str, value: str) -> bool:
    """What each key asks for, said once more in Python."""
    stars = row["rating"] or 0
    if key == "show":
        flagged = row["review"] == "keep" or stars >= 4
        return {"flagged": flagged, "locked": row["seed_locked"] == 1}[value]
    if key == "rating":
        return stars <= 0 if value == "0" else stars >= int(value)
    if key == "review":
        return row["review"] == (None if value == "open" else value)
    if key == "tag":
        return value in (row["tags"] or "").split(", ")
    if key == "lora":
        return f'"name": "{value}"'.replace('"x"', '\\"x\\"') in (row["loras"] or "")
    if key == "q":
        text = " ".join(row[name] or "" for name in ("prompt", "caption", "tags")).lower()
        words = re.findall(r"\w+", text)
        *whole, last = re.findall(r"\w+", value.lower())
        return all(word in words for word in whole) and any(word.startswith(last) for word in words)
    return str(row[{"kind": "kind", "model": "model", "folder": "hot_folder", "job": "job_id"}[key]]) == value


CHOICES = {
    "show": ["flagged", "locked"],
    "kind": ["generate", "upscale", "none"],
    "model": ["flux", "it's", "a & b"],
    "lora": ["tarot", "ta", 'it\'s "x"', "t"],
    "tag": ["red", "big", 'a "b"', "c [d]", "re"],
    "folder": ["generate", "posters/2026"],
    "rating": ["0", "1", "3", "4", "5"],
    "review": ["keep", "reject", "open"],
    "job": ["1", "3", "77"],
    "q": ["fox", "red fox", "fo", "foxes every", "QUOTED", "near thi", "blurry", "häus"],
}


def test_filters_and_searches_find_what_a_plain_reading_of_them_finds(workplace: Any) -> None:
    rows = fill(workplace, 400, 3)
    chance = random.Random(4)
    asked = [{key: value} for key, values in CHOICES.items() for value in values]
    asked += [
        {key: chance.choice(CHOICES[key]) for key in chance.sample(list(CHOICES), chance.choice([2, 2, 3, 4]))}
        for _ in range(60)
    ]
    found = 0
    for query in asked:
        expected = [row["id"] for row in rows if all(has(row, key, value) for key, value in query.items())]
        assert walk(workplace, **query) == expected, query
        found += len(expected)
    assert found > 2000


def test_this_week_is_the_last_seven_days(workplace: Any) -> None:
    for name, ago in (("new", "-6 days"), ("edge", "-7 days', '+1 minute"), ("old", "-7 days', '-1 minute")):
        workplace.add_image(name, f"outbox/{name}.png")
        workplace.connection.execute(
            f"update images set created_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{ago}') where id = ?", [name]
        )
    workplace.connection.commit()
    assert [one for one in walk(workplace, show="week") if one in ("new", "edge", "old")] == ["new", "edge"]


HOSTILE = [
    '"', '""', '"""', "'", "*", "-", "- -", "AND", "OR", "NOT", "a AND", "NEAR", "NEAR(a b, 3)", "NEAR(", "(", ")",
    "(((", "[", "]", "{a b}", "prompt:fox", "prompt : fox", "^fox", "fox*", "*fox", "fox + rain", "🦊", "🦊" * 50,
    "a\0b", "\0",
    "\ud800".encode("utf-8", "replace").decode(), "%", "_", "\\", "fox\\", ";drop table images", "--", "/*", "\u202e",
    "e\u0301", "\u200d", "ａ", "١٢", "a" * 20_000, "fox " * 5_000, "x y " * 5_000, '" ' * 4_000, "(" * 6_000,
    "-" * 20_000,
]  # fmt: skip


@pytest.mark.parametrize("text", [*HOSTILE, *PAYLOADS], ids=lambda text: repr(text[:30]))
def test_whatever_is_typed_is_only_words(workplace: Any, text: str) -> None:
    for query in (
        {"q": text},
        {"tag": text},
        {"model": text, "lora": text, "kind": text},
        {"after": text},
        {"job": text},
    ):
        ask(workplace, **query)
    for query in ({"show": text, "rating": text, "review": text}, {"q": text, "folder": text}):
        page = workplace.get(f"{GALLERY}?{urlencode(query)}")
        assert page.status_code == 200
        assert {tag for tag, _ in Elements(page.text).seen} <= PLAIN
        assert not any(name.startswith("on") for _, attributes in Elements(page.text).seen for name in attributes)


PLAIN = set(
    "html head meta title link script body a header nav search input button main h1 form label span select option "
    "datalist ul li img template div p code dialog h2 dl dt dd kbd".split()
)


def test_searching_is_not_fooled_by_operators(workplace: Any) -> None:
    workplace.add_image("fox", "outbox/fox.png", prompt="a fox AND a hen -- near (the) river")
    for text in (
        "fox AND hen",
        "AND",
        '"fox" hen',
        "-- river",
        "(the",
        "NEAR riv",
        "fox fox fox",
        "FOX",
        " fox  he ",
        "a*",
    ):
        assert "fox" in walk(workplace, q=text), text
    for text in ("fox NOT hen", "wolf OR fox", "prompt fox", "ox", "fox river sea"):
        assert "fox" not in walk(workplace, q=text), text


def test_a_photograph_is_found_by_its_name_and_the_day_it_lies_under(workplace: Any) -> None:
    workplace.add_image("photo", "outbox/upscale/2026-11-14/IMG_4021 harbour.png", prompt=None)
    workplace.add_image("other", "outbox/upscale/2026-11-15/IMG_4022.png", prompt="a harbour")
    for text in ("IMG_4021", "4021", "img 4021 harb", "2026-11-14", "IMG_4021 harbour.png"):
        assert [one for one in walk(workplace, q=text) if one in ("photo", "other")] == ["photo"], text
    assert {"photo", "other"} <= set(walk(workplace, q="harbour"))
    workplace.connection.execute("update images set path = 'outbox/upscale/keep/first.png' where id = 'photo'")
    workplace.connection.execute("delete from images where id = 'other'")
    workplace.connection.commit()
    assert walk(workplace, q="IMG_40") == []
    assert walk(workplace, q="first") == ["photo"]


def test_a_pasted_prompt_finds_its_picture(workplace: Any) -> None:
    chance = random.Random(5)
    words = ["".join(chance.choices(string.ascii_lowercase, k=7)) for _ in range(2500)]
    workplace.add_image("long", "outbox/long.png", prompt=" ".join(words))
    workplace.add_image("other", "outbox/other.png", prompt=" ".join(words[:10]))
    assert len(" ".join(words)) == 19_999
    assert walk(workplace, q=" ".join(words)) == ["long"]


@pytest.mark.parametrize(
    "query",
    [
        {},
        *({key: values[0]} for key, values in CHOICES.items()),
        {"show": "week"},
        {"q": "fox", "tag": "red", "rating": "3"},
    ],
    ids=str,
)
@pytest.mark.parametrize("after", ["", "2026-01-01T00:00:00.000Z~x"])
def test_every_question_walks_along_one_index_and_sorts_nothing(
    workplace: Any, query: dict[str, str], after: str
) -> None:
    sql, values = finding.page(query, after)
    plan = [row[3] for row in workplace.connection.execute(f"explain query plan {sql}", values)]
    assert re.fullmatch(r"(SCAN|SEARCH) images USING INDEX images_order.*", plan[0]), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
    assert not any(re.match(r"SCAN (images|image_words)(?! USING INDEX)\b(?!_fts)", step) for step in plan), plan
    if after:
        assert plan[0].startswith("SEARCH") and "(created_at,id)<(?,?)" in plan[0], plan


@pytest.mark.parametrize("name", ["kind", "model", "folder", "lora", "tag"])
def test_what_can_be_chosen_is_read_from_an_index(workplace: Any, name: str) -> None:
    fill(workplace, 60, 6)
    plan = [row[3] for row in workplace.connection.execute(f"explain query plan {finding.choices(name)}")]
    steps = [step for step in plan if re.search(r"\bimage(s|_words)\b", step)]
    assert steps
    assert all("COVERING INDEX" in step or "PRIMARY KEY" in step for step in steps), plan
    found = [row[0] for row in workplace.connection.execute(finding.choices(name))]
    expected = {
        "kind": ["edit", "generate", "upscale"],
        "model": ["a & b", "flux", "it's"],
        "folder": ["generate", "posters/2026"],
        "lora": ['it\'s "x"', "ta", "tarot"],
        "tag": ['a "b"', "big", "c [d]", "red", "redder"],
    }
    assert found == expected[name]


def test_the_first_page_needs_no_script(workplace: Any) -> None:
    fill(workplace, 200, 7)
    seen = []
    address = f"{GALLERY}?kind=generate"
    for _ in range(3):
        elements = Elements(workplace.get(address).text).seen
        seen += [
            attributes["data-picture"] for tag, attributes in elements if tag == "li" and attributes["data-picture"]
        ]
        chosen = [attributes["value"] for tag, attributes in elements if tag == "option" and "selected" in attributes]
        assert "generate" in chosen
        (more,) = [attributes for tag, attributes in elements if attributes.get("name") == "after"]
        if "hidden" in more:
            break
        address = f"{GALLERY}?{urlencode({'kind': 'generate', 'after': more['value']})}"
    assert seen == walk(workplace, kind="generate")


def test_a_page_says_the_same_as_its_json(workplace: Any) -> None:
    (first,) = ask(workplace, kind="generate")["pictures"]
    expected = {
        "id": "knight1", "kind": "generate", "label": "a knight in obsidian armor", "width": 600, "height": 400,
        "rating": 5, "review": "keep", "created_at": "2026-11-20T01:00:00Z",
        "path": "outbox/generate/2026-11-20/knight.png",
    }  # fmt: skip
    assert first == expected
    page = workplace.get(f"{GALLERY}?kind=generate").text
    (cell,) = [
        attributes
        for tag, attributes in Elements(page).seen
        if tag == "li" and attributes.get("data-picture") == "knight1"
    ]
    assert (cell["data-rating"], cell["data-review"], cell["data-at"]) == ("5", "keep", expected["created_at"])
    assert 'aria-label="5 stars">★★★★★<' in page
    (other,) = ask(workplace, kind="cutout")["pictures"]
    assert other["label"] == "cutout.png", "no words: the file's name"


def test_nothing_to_show_is_said_kindly(workplace: Any) -> None:
    assert "Take away a filter" in workplace.get(f"{GALLERY}?kind=nothing").text
    assert "inbox/generate/" not in workplace.get(f"{GALLERY}?kind=nothing").text
    workplace.connection.execute("delete from images")
    workplace.connection.commit()
    assert "hotfolder run" in workplace.get(GALLERY).text


def test_a_choice_that_is_gone_is_still_shown(workplace: Any) -> None:
    elements = Elements(workplace.get(f"{GALLERY}?model=forgotten").text).seen
    assert ("option", {"value": "forgotten", "selected": None}) in elements
