"""The YAML reader: what plain scalars mean, where keys stand, what it costs."""

import time

import pytest
import yaml

from hotfolder import yamlfile
from hotfolder.errors import BadSpec


def one(text: str) -> yamlfile.Document:
    (document,) = yamlfile.parse(text.encode(), "x.yaml")
    return document


@pytest.mark.parametrize(
    "text",
    ["NO", "no", "on", "Off", "yes", "y", "12:30:45", "017", "00", "0x1F", "0o17", "1_000", "2026-01-01", "1e", "e3"]
    + [".", "+", "-.", ".inf", ".NaN", "nan", "1.2.3", "+-1", "0.1.", "truE", "nULL", "None", "1e12345", "٣", "1,5"],
)
def test_stays_text(text: str) -> None:
    assert one(f"key: {text}").values == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-7", -7), ("+7", 7), ("18446744073709551615", 2**64 - 1), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0)]
    + [("1e3", 1000.0), ("-2.5E-3", -0.0025), ("true", True), ("False", False), ("TRUE", True)]
    + [("null", None), ("~", None), ("Null", None), ("", None)],
)
def test_is_no_text(text: str, value: object) -> None:
    document = one(f"key: {text}")
    assert document.values == {"key": value}
    assert type(document.values["key"]) is type(value)
    assert document.sources == {("key",): text}


@pytest.mark.parametrize("text", ["'1'", '"1"', "'true'", "'null'", "''"])
def test_quotes_make_text(text: str) -> None:
    assert one(f"key: {text}").values == {"key": text[1:-1]}


def test_every_key_and_item_has_its_line() -> None:
    document = one("# a remark\nprompt: a\n\nloras:\n  - tarot\n  - name: koda\n    weight: 1\n")
    assert document.lines == {
        (): 2,
        ("prompt",): 2,
        ("loras",): 4,
        ("loras", 0): 5,
        ("loras", 1): 6,
        ("loras", 1, "name"): 6,
        ("loras", 1, "weight"): 7,
    }


def test_a_problem_without_a_line_of_its_own_gets_the_nearest() -> None:
    problem = one("a: 1\nb:\n  c: 2").problem(("b", "c", "d"), "wrong")
    assert (problem.line, problem.key) == (3, "b.c.d")


@pytest.mark.parametrize("text", ["", "\n", "---\n---\n", "# nothing\n", "--- ~\n", "\ufeff"])
def test_nothing_is_no_document(text: str) -> None:
    assert yamlfile.parse(text.encode(), "x.yaml") == []


def test_several_documents() -> None:
    documents = yamlfile.parse(b"\xef\xbb\xbfprompt: a\r\n---\r\n\r\n---\r\nprompt: b\r\n...\r\n", "x.yaml")
    assert [(document.values["prompt"], document.lines["prompt",]) for document in documents] == [("a", 1), ("b", 5)]


def test_texts_over_several_lines() -> None:
    values = one("prompt: >\n  a red\n  fox\nnote: |\n  one\n  two\nname: a\n  b\n").values
    assert values == {"prompt": "a red fox\n", "note": "one\ntwo\n", "name": "a b"}


def test_every_script_and_picture_character_is_read() -> None:
    text = "ein Fuchs 狐 🦊 ثعلب naïve — “quoted” 1:1"
    assert one(f"prompt: {text}").values["prompt"] == text


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
def test_the_largest_allowed_file_is_read_quickly(loader: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlfile, "_Loader", loader)
    text = "".join(f"k{number:04}: {'word ' * 11}\n" for number in range(999)).encode()[: yamlfile.MAX_BYTES]
    started = time.process_time()
    yamlfile.parse(text, "x.yaml")
    assert time.process_time() - started < 5


def test_bombs_cost_milliseconds() -> None:
    bomb = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9))
    assert len(bomb) < 600
    started = time.process_time()
    for _ in range(100):
        with pytest.raises(BadSpec):
            yamlfile.parse(bomb.encode(), "x.yaml")
    assert (time.process_time() - started) / 100 < 0.05
