"""From a job to its pictures: seeds, variants, wildcards; and files with a prompt a line."""

import contextlib
import random
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotfolder.errors import BadSpec
from hotfolder.intake import prompts
from hotfolder.spec import JobSpec, Planned, literal

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dynamicprompts")


@pytest.fixture
def wildcards(tmp_path: Path) -> Path:
    folder = tmp_path / "wildcards"
    (folder / "animals").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "colors.txt").write_bytes(b"\xef\xbb\xbf# a remark\r\nred\r\n\r\nblue\r\nred\r\n")
    (folder / "animals" / "wild.txt").write_text("fox\nwolf\n")
    (folder / "animals" / "tame.txt").write_text("cat\ndog\n")
    (folder / "nested.txt").write_text("{dark|light} __colors__\n")
    (folder / "loop.txt").write_text("__loop__\n")
    (folder / "empty.txt").write_text("# nothing\n")
    (folder / "broken.txt").write_text("{a|b\n")
    (folder / ".hidden" / "secret.txt").write_text("secret\n")
    (folder / "bomb.txt").write_text("__bomb2__ " * 50)
    (folder / "bomb2.txt").write_text("__colors__ " * 50)
    (tmp_path / "outside.txt").write_text("secret\n")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    return folder


def plan(folder: Path, prompt: str | tuple[str, ...] | None, **keys: object) -> tuple[Planned, ...]:
    return prompts.plan(JobSpec(kind="generate", prompt=prompt, **keys), folder, random.Random(1))


def texts(folder: Path, prompt: str, variants: int = 200, **keys: object) -> set[str | None]:
    return {picture.prompt for picture in plan(folder, prompt, variants=variants, seed=1, **keys)}


def test_one_prompt_is_one_picture_with_a_seed_of_its_own(wildcards: Path) -> None:
    (picture,) = plan(wildcards, "a fox")
    assert (picture.prompt, picture.template, picture.seed_locked) == ("a fox", None, False)
    assert 0 <= picture.seed < 2**32


def test_the_same_draw_gives_the_same_seeds(wildcards: Path) -> None:
    assert plan(wildcards, ("a", "b"), variants=3) == plan(wildcards, ("a", "b"), variants=3)


def test_variants_have_successive_seeds(wildcards: Path) -> None:
    assert [picture.seed for picture in plan(wildcards, "a", seed=41, variants=3)] == [41, 42, 43]
    first, second, third = plan(wildcards, "a", variants=3)
    assert (second.seed, third.seed) == (first.seed + 1, first.seed + 2)
    assert third.seed < 2**32


def test_the_largest_seed_is_followed_by_the_smallest(wildcards: Path) -> None:
    assert [picture.seed for picture in plan(wildcards, "a", seed=2**64 - 1, variants=2)] == [2**64 - 1, 0]


def test_every_prompt_of_a_list_begins_at_the_given_seed(wildcards: Path) -> None:
    pictures = plan(wildcards, ("a", "b"), seed=7, variants=2)
    assert [(picture.prompt, picture.seed) for picture in pictures] == [("a", 7), ("a", 8), ("b", 7), ("b", 8)]
    assert all(picture.seed_locked for picture in pictures)


def test_a_job_without_words_is_one_picture(wildcards: Path) -> None:
    (picture,) = prompts.plan(JobSpec(kind="upscale"), wildcards, random.Random(1))
    assert picture.prompt is None


def test_at_most_ten_thousand_pictures(wildcards: Path) -> None:
    with pytest.raises(
        BadSpec, match="11 prompts times 1,000 variants are 11,000 pictures; a job makes at most 10,000"
    ):
        plan(wildcards, ("a",) * 11, variants=1000)


def test_choices_and_wildcards(wildcards: Path) -> None:
    assert texts(wildcards, "a {red|blue} fox") == {"a red fox", "a blue fox"}
    assert texts(wildcards, "a __colors__ fox") == {"a red fox", "a blue fox"}
    assert texts(wildcards, "__animals/wild__") == {"fox", "wolf"}
    assert texts(wildcards, "__wild__") == {"fox", "wolf"}
    assert texts(wildcards, "__animals/*__") == {"fox", "wolf", "cat", "dog"}
    assert texts(wildcards, "__nested__") == {"dark red", "dark blue", "light red", "light blue"}
    assert texts(wildcards, "{2$$__colors__}") == {"red,blue", "blue,red"}
    assert texts(wildcards, "{2$$ and $$a|b}") == {"a and b", "b and a"}
    assert texts(wildcards, "{a|{b|c}}") == {"a", "b", "c"}
    assert texts(wildcards, "{3::a|0::b}") == {"a"}
    assert texts(wildcards, "${c=!__colors__}${c} ${c}") == {"red red", "blue blue"}


def test_choices_are_drawn_about_equally(wildcards: Path) -> None:
    drawn = [picture.prompt for picture in plan(wildcards, "{a|b}", seed=1, variants=1000)]
    assert 420 < drawn.count("a") < 580


def test_in_turn_and_all_combinations_count_the_pictures(wildcards: Path) -> None:
    assert [picture.prompt for picture in plan(wildcards, "{@a|b|c}", seed=1, variants=4)] == ["a", "b", "c", "a"]
    every = [picture.prompt for picture in plan(wildcards, "{!a|b} {!c|d}", seed=1, variants=4)]
    assert sorted(map(str, every)) == ["a c", "a d", "b c", "b d"]


def test_a_picture_is_decided_by_its_seed_alone(wildcards: Path) -> None:
    prompt = "{a|b|c} __colors__ {2$$1|2|3}"
    whole = plan(wildcards, prompt, seed=10, variants=9, negative_prompt="__wild__ {x|y}")
    for picture in whole:
        (alone,) = plan(wildcards, prompt, seed=picture.seed, negative_prompt="__wild__ {x|y}")
        assert alone == picture
    assert whole[0].template == prompt


@given(st.lists(st.sampled_from("a {}|_$%#/\\")).map("".join) | st.text(st.characters(exclude_categories=["Cs", "Cn"])))
@example("___")
@example('{"scene": "a__b"}')
def test_a_literal_prompt_expands_to_itself(text: str) -> None:
    assert plan(Path("nowhere"), literal(text))[0].prompt == text


@pytest.mark.parametrize(
    "prompt",
    ["100% cotton, $5, #1, // and /* */", "a}", "a | b", "(red:1.2) [a|b] <lora:x:1>", "a_b", "\\(x\\)", "C:\\x", "$$"],
)
def test_what_is_no_syntax_stays_as_it_is(wildcards: Path, prompt: str) -> None:
    (picture,) = plan(wildcards, prompt)
    assert (picture.prompt, picture.template) == (prompt, None)
    if prompt != "$$":
        assert texts(wildcards, f"{prompt} {{x|x}}") == {f"{prompt} x"}


def test_a_backslash_makes_a_brace_text(wildcards: Path) -> None:
    assert texts(wildcards, r"\{a\|b\} {x|x}") == {"{a|b} x"}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("{a|b", "is not closed"),
        ("a {b} {c|", "is not closed"),
        ("{" * 13 + "a" + "}" * 13, "nested more than 12 deep"),
        ("__colrs__", "there is no `colrs.txt` in wildcards/ for `__colrs__`; did you mean `colors`?"),
        ("__../outside__", "there is no `../outside.txt`"),
        ("__/etc/passwd__", "there is no"),
        ("__..\\outside__", "there is no"),
        ("__outside__", "there is no"),
        ("__link__", "there is no"),
        ("__secret__", "there is no"),
        ("__.hidden/secret__", "there is no"),
        ("__C:/x__", "there is no"),
        ("__a\u202eb__", "there is no `a\\u202eb.txt`"),
        ("__empty__", "`empty.txt` is empty"),
        ("__broken__", "is not closed"),
        ("__loop__", "without end"),
        ("{2$$__loop__}", "without end"),
        ("__bomb__", "more than 2,000 choices"),
        ("${x}", "is not set"),
        ("${a=${a}}${a}", "without end"),
        ("${a=x}" + "".join(f"${{{c}={'${' + p + '}' * 1}}}" for p, c in zip("abc", "bcd")) + "${z}", "is not set"),
        ("____", "cannot be read"),
        ("a__b", "the name of a wildcard"),
        ("{a$$b}", "cannot be read"),
        ("{9999999999999999999::a|" + "9" * 5000 + "::b}", "cannot be read"),
        ("{a|b}" * 501, "more than 1,000 choices; put long lists into wildcards/"),
        ("{" + "|".join("abc" * 1) + "|" * 1000 + "}", "more than 1,000 choices"),
        ("__a__" * 600, "more than 1,000"),
        ("%{a", "is not closed"),
    ],
)
def test_what_cannot_be_expanded(wildcards: Path, prompt: str, words: str) -> None:
    started = time.process_time()
    with pytest.raises(BadSpec) as caught:
        plan(wildcards, prompt)
    assert words in str(caught.value)
    assert str(caught.value).startswith("the job: ")
    assert time.process_time() - started < 5


def test_a_wildcard_file_is_read_as_prompts_are_or_refused_with_its_line(wildcards: Path) -> None:
    (wildcards / "street.txt").write_bytes("Gasse\nStraße\n".encode("latin-1"))
    with pytest.raises(BadSpec, match=r"wildcards/street\.txt, line 2: this is not UTF-8 text; save the file as UTF-8"):
        plan(wildcards, "__street__")
    (wildcards / "street.txt").write_bytes("Gasse\r\nStraße\r\n".encode("utf-16"))
    assert texts(wildcards, "__street__") == {"Gasse", "Straße"}
    (wildcards / "many.txt").write_text("\n".join(f"word {number:07}" for number in range(100_000)))
    assert plan(wildcards, "__many__")[0].prompt, "up to 4 MiB"


def test_texts_that_grow_are_stopped(wildcards: Path) -> None:
    grow = "${a=" + "x" * 3000 + "}" + "${b=${a}${a}${a}}${c=${b}${b}${b}}${c}"
    with pytest.raises(BadSpec, match="expands to 27,000 characters, more than 16,384"):
        plan(wildcards, grow)
    more = "${a=x x}" + "".join(f"${{{new}={f'${{{old}}}' * 9}}}" for old, new in zip("abcdefg", "bcdefgh")) + "${h}"
    with pytest.raises(BadSpec, match="more than 2,000 choices"):
        plan(wildcards, more)


def test_ten_thousand_pictures_are_planned_in_seconds(wildcards: Path) -> None:
    started = time.process_time()
    assert len(plan(wildcards, ("a {b|c} __nested__",) * 10, variants=1000)) == 10_000
    assert time.process_time() - started < 30


@settings(max_examples=300)
@given(st.lists(st.sampled_from("a {}|_$%#/*:!@~?=()\\.1 ,-"), max_size=30).map("".join))
@example("{" * 12 + "$$" * 12 + "}" * 12)
@example("%{${a:{1$$__%{")
def test_any_prompt_is_expanded_or_refused(tmp_path_factory: pytest.TempPathFactory, prompt: str) -> None:
    started = time.process_time()
    with contextlib.suppress(BadSpec):
        for picture in plan(tmp_path_factory.getbasetemp(), prompt, seed=1, variants=2):
            assert picture.prompt is not None
    assert time.process_time() - started < 8


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_prompts(encoding: str, end: str) -> None:
    data = end.join(["a fox 狐", "", "  # not a remark  ", "\t", "red: blue"]).encode(encoding)
    assert prompts.prompt_lines(data, "x.txt") == [(1, "a fox 狐"), (3, "# not a remark"), (5, "red: blue")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a\ncaf\xe9", "x.txt, line 2: this is not UTF-8 text"),
        (b"a\n\nb\x00c", "x.txt, line 3: there is a control character (\\x00)"),
        (b"\xff\xfea", "not UTF-8 text"),
        (b"a" * (1024 * 1024 + 1), "x.txt: the file is 1,048,577 bytes long; at most 1,048,576"),
        (b"a\n" * 10_001, "x.txt: 10,001 prompts; one file holds at most 10,000"),
        (b"\x89PNG\r\n\x1a\n\x00", "x.txt, line 1: this is not UTF-8"),
    ],
)
def test_files_that_hold_no_prompts(data: bytes, words: str) -> None:
    with pytest.raises(BadSpec) as caught:
        prompts.prompt_lines(data, "x.txt")
    assert words in str(caught.value)


@pytest.mark.parametrize("line", ["[cat|dog] in a field", "[red:blue:0.5] car", "[[x]] y", "[] z"])
def test_brackets_of_other_tools_are_text(line: str) -> None:
    assert prompts.prompt_lines(line.encode(), "x.txt") == [(1, line)]
