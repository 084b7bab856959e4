"""Names as data: whatever comes in, what goes out is safe, stays apart, and fits."""

import os
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotfolder import names

# bytes as a disk may hold them, decoded as Python does, and texts as a job file may hold them
DISK = (
    st.binary(min_size=1, max_size=255).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_")).map(os.fsdecode)
)
NASTY = st.text(
    st.sampled_from('ab.: -_~$%"<>|?*\\/\n\t\x1b\x7f\x9b\u200d\u202e\u2028\ufeff\u00ad\u0301\u00e9\U0001f431ßſK\u212a')
)
DEVICES = st.builds(
    "{}{}{}".format,
    st.sampled_from("con PRN Aux nul COM1 lpt9 COM¹ com²".split()),
    st.sampled_from(["", ".", " ", " ."]),
    NASTY,
)
NAME = st.one_of(DISK, NASTY, DEVICES, st.text(max_size=300))


@given(NAME)
@example("\udcff" * 300)
@example("con." + "x" * 200)
@example("e\u200d\u0301")
@example("\ud800")
def test_a_clean_name_is_taken_by_every_system(name: str) -> None:
    clean = names.clean(name)
    assert 0 < len(clean.encode()) <= names.MAX_STEM_BYTES
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]', clean)
    assert clean == clean.strip(" .")
    assert unicodedata.normalize("NFC", clean) == clean
    assert not re.fullmatch(r"(?i)(con|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\..*)?", clean)
    assert not [character for character in clean if character in "\u200b\u200e\u202e\u2066\ufeff\u00ad\u061c\U000e0001"]
    assert names.clean(clean) == clean


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("holiday 2024", "holiday 2024"),
        ("Übergröße", "Übergröße"),
        ("u\u0308", "ü"),
        ("日本語", "日本語"),
        ("CON", "_CON"),
        ("nul.tar", "_nul.tar"),
        ("console", "console"),
        ("a/b\\c:d", "a_b_c_d"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("line\nbreak", "line_break"),
        ("\udce9t\udce9", "_t_"),
        ("\u202egnp", "gnp"),
        ("...", "picture"),
        ("", "picture"),
        ("-rf", "-rf"),
    ],
)
def test_a_name_keeps_what_it_can(name: str, clean: str) -> None:
    assert names.clean(name) == clean


def test_the_spare_name_is_the_callers() -> None:
    assert names.clean("\u200b . ", spare="job") == "job"


@given(NAME)
def test_a_shown_name_obeys_nobody(name: str) -> None:
    shown = names.display(name)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")]
    assert bool(shown) == bool(name)


@pytest.mark.parametrize("name", ["photo 1.png", "été.png", "日本語", "a%s{0}", "[bold]"])
def test_an_ordinary_name_is_shown_as_it_is(name: str) -> None:
    assert names.display(name) == name


def test_odd_characters_are_shown_as_escapes() -> None:
    assert names.display("a\nb\x1b[31m\u202e\udcff") == "a\\nb\\x1b[31m\\u202e\\udcff"


@given(NAME)
def test_names_that_some_disk_confuses_have_one_key(name: str) -> None:
    for form in ("NFC", "NFD"):
        assert names.name_key(unicodedata.normalize(form, name)) == names.name_key(name)


@pytest.mark.parametrize(
    ("one", "other"), [("IMG.png", "img.PNG"), ("é", "e\u0301"), ("É", "e\u0301"), ("straße", "STRASSE")]
)
def test_case_and_composition_make_no_difference(one: str, other: str) -> None:
    assert names.name_key(one) == names.name_key(other)


def test_different_names_have_different_keys() -> None:
    assert names.name_key("a.png") != names.name_key("b.png")


@given(NAME, st.integers(2, 10_000))
@example("n" * 251 + ".png", 2)
@example("\udcff" * 251 + ".png", 2)
@example("é" * 125 + ".job.yaml", 9_999)
def test_a_numbered_name_fits_and_keeps_its_ending(name: str, number: int) -> None:
    result = names.numbered(name, number)
    assert f"-{number}" in result
    if len(name.encode("utf-8", "surrogatepass")) <= 245:
        assert result.replace(f"-{number}", "", 1) == name or f"-{number}" in name
        suffix = name.rpartition(".")[2] if "." in name[1:] else ""
        assert result.endswith(suffix)
    ending = name.rpartition(".")[2] if "." in name[1:] else ""
    if len(ending.encode("utf-8", "surrogatepass")) < 200:
        assert len(result.encode("utf-8", "surrogatepass")) <= 255


@given(NAME)
def test_the_first_of_a_name_has_no_number(name: str) -> None:
    assert names.numbered(name, 1) == name


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("x.png", "x-2.png"),
        ("x.job.yaml", "x-2.job.yaml"),
        ("x.mask.png", "x-2.mask.png"),
        ("x.png.yaml", "x.png-2.yaml"),
        ("archive", "archive-2"),
        (".hidden", ".hidden-2"),
        ("a.b.c.png", "a.b.c-2.png"),
    ],
)
def test_the_number_stands_before_the_ending(name: str, second: str) -> None:
    assert names.numbered(name, 2) == second


@given(NAME)
@example("n" * 255)
def test_the_reason_of_a_file_has_a_name_that_can_be_written(name: str) -> None:
    reason = names.reason_name(name)
    assert reason.endswith(".error.txt")
    assert len(f".{reason}.part".encode()) <= 255


@given(st.lists(DISK, unique=True, min_size=2, max_size=8))
@example(["n" * 250 + "a.png"[:5], "n" * 250 + "b.png"[:5]])
@example(["x\udcff.png", "x\udcfe.png", "x?.png", "x.png"])
def test_no_two_files_share_a_reason(several: list[str]) -> None:
    assert len({names.reason_name(name) for name in several}) == len(several)


def test_an_ordinary_reason_is_named_after_its_file() -> None:
    assert names.reason_name("photo.png") == "photo.png.error.txt"
