"""Broken and hostile sidecars: each is answered within half a second, by a sentence with its place."""

import time

import pytest
import yaml

from hotfolder import yamlfile
from hotfolder.errors import BadSpec, Problem
from hotfolder.intake import language
from tests.language.broken import JOBS, YAML

LIMIT_S = 3.0


def resolve(data: bytes) -> None:
    for document in yamlfile.parse(data, "job.yaml"):
        language.resolve([document], "generate")


def refusal(data: bytes) -> list[Problem]:
    started = time.process_time()
    with pytest.raises(BadSpec) as caught:
        resolve(data)
    assert time.process_time() - started < LIMIT_S
    assert all(problem.file == "job.yaml" and problem.message for problem in caught.value.problems)
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    return caught.value.problems


@pytest.fixture(params=["libyaml", "python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers: wheels bring libyaml, a build from source may not."""
    monkeypatch.setattr(yamlfile, "_Loader", yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(("text", "line", "words"), YAML, ids=range(len(YAML)))
def test_what_is_not_yaml_is_refused(text: str | bytes, line: int | None, words: str) -> None:
    problem = refusal(text if isinstance(text, bytes) else text.encode())[0]
    assert words in problem.message
    assert problem.line == line


@pytest.mark.parametrize(("text", "line", "key", "words"), JOBS, ids=range(len(JOBS)))
def test_what_is_no_job_is_refused(text: str, line: int, key: str, words: str) -> None:
    (problem,) = refusal(text.encode())
    assert words in problem.message
    assert (problem.line, problem.key or "") == (line, key)


def test_there_are_enough() -> None:
    assert len(YAML) + len(JOBS) >= 150


def test_all_problems_of_a_file_come_at_once_in_the_order_of_lines() -> None:
    problems = refusal(b"size: 10x20\nsteps: many\npromt: a\nkind: generate\nformat: gif\nsteps_: 3\n")
    assert [problem.line for problem in problems] == [1, 2, 3, 5, 6]


def test_a_problem_is_printed_with_file_line_and_key() -> None:
    (problem,) = refusal(b"prompt: a\n\npromt: b")
    assert str(problem) == "job.yaml, line 3: unknown key `promt`; did you mean `prompt`?"
