"""What the sentences say about every form a field can have."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from hotfolder import sentences, yamlfile
from hotfolder.errors import BadSpec
from hotfolder.intake import language
from hotfolder.spec import Options


class Many(Options):
    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.5
    few: Annotated[int, Field(le=5)] = 1
    some: Annotated[int, Field(ge=5)] = 5
    pair: tuple[int, str] = (1, "a")
    two: Annotated[tuple[int, ...], Field(min_length=2, max_length=3)] = (1, 2)
    mode: Literal["deep"] = "deep"
    edge: Literal["auto"] | Annotated[int, Field(ge=1, le=9)] = "auto"

    @model_validator(mode="after")
    def _agree(self) -> "Many":
        if self.few == self.some:
            raise ValueError("`few` and `some` must differ")
        return self


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ratio: 1", "`ratio` must be a number above 0 and up to below 1, not `1`"),
        ("few: 6", "`few` must be a whole number of at most 5, not `6`"),
        ("some: 4", "`some` must be a whole number of at least 5, not `4`"),
        ("pair: [1]", "`pair` must be a list of 2: a whole number, text, not 1 item"),
        ("pair: [a, b]", "`pair.0` must be a whole number, not `a`"),
        ("two: [1]", "`two` must be a list of at least 2 (each a whole number), not 1 item"),
        ("two: []", "`two` must be a list of at least 2 (each a whole number), not an empty list"),
        ("two: [1, 2, 3, 4]", "`two` must be a list of at least 2 (each a whole number), not 4 items"),
        ("mode: fast", "`mode` must be `deep`, not `fast`"),
        ("edge: 10", "`edge` must be `auto` or a whole number from 1 to 9, not `10`"),
        ("edge: none", "`edge` must be `auto` or a whole number from 1 to 9, not `none`"),
    ],
)
def test_sentences(text: str, sentence: str) -> None:
    (document,) = yamlfile.parse(text.encode(), "x.yaml")
    ((key, value),) = document.values.items()
    problems: list[sentences.Problem] = []
    sentences.read(document, (key,), value, sentences.fields(Many)[key], problems)
    assert [problem.message for problem in problems] == [sentence]


def test_pydantic_has_the_last_word() -> None:
    (document,) = yamlfile.parse(b"few: 5\nsome: 5", "x.yaml")
    with pytest.raises(ValidationError) as caught:
        Many.model_validate(document.values)
    (problem,) = sentences.validation_problems(document, caught.value)
    assert (problem.line, problem.message) == (1, "`few` and `some` must differ")


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("outpaint", "extend: -5%", "`extend`: `-5%` is no length"),
        ("outpaint", "extend: {left: -5}", "`extend.left`: `-5` is no length"),
        ("inpaint", "padding: 99999%", "`padding`: `99999%` is too much"),
    ],
)
def test_a_value_that_may_be_several_things_gets_one_sentence(kind: str, text: str, sentence: str) -> None:
    with pytest.raises(BadSpec) as caught:
        language.resolve(yamlfile.parse(text.encode(), "x.yaml"), kind)
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"x.yaml, line 1: {sentence}")
