"""`on_keep` is checked where it is written, with the line of what is wrong in it."""

from collections.abc import Sequence
from typing import cast

import pytest

from hotfolder import yamlfile
from hotfolder.errors import BadSpec
from hotfolder.intake import language, unfolding
from hotfolder.intake.completing import Completer
from hotfolder.intake.parts import Part

NONE_NEEDED = cast(Completer, None)
"""What knows models and cards; nothing here asks it."""
BAD = [
    ("prompt: a\non_keep:\n  kind: upscale\n  factr: 2", 4, "unknown key `factr`; did you mean `factor`?"),
    ("prompt: a\non_keep:\n  kind: upscal", 3, "unknown kind `upscal`; did you mean `upscale`?"),
    ("prompt: a\non_keep:\n  factor: 2", 2, "`on_keep` needs a `kind`"),
    ("prompt: a\non_keep:\n  kind: expand\n  prompt: b", 3, "`expand` takes no picture"),
    ("prompt: a\non_keep:\n  kind: upscale\n  image: b.png", 4, "works on the kept picture; take `image` out"),
    ("prompt: a\non_keep:\n  pipeline:\n  - kind: upscale\n  - kind: captin", 5, "did you mean `caption`?"),
    ("prompt: a\non_keep:\n  kind: upscale\n  on_keep: {kind: upscale, factor: x}", 4, "`factor` must be a number"),
    ("prompt: a\non_keep: {kind: generate, prompt: b, style: {image: c.png}}", 2, "comes later"),
    (
        "pipeline:\n- {kind: generate, prompt: a}\n- kind: upscale\n  on_keep: {factor: 2}",
        4,
        "`on_keep` needs a `kind`",
    ),
]


def unfolded(text: str, name: str = "job.yaml") -> Sequence[Part]:
    layers = yamlfile.parse(text.encode(), name)
    return unfolding.unfold(language.resolve(layers, "generate"), layers, None, NONE_NEEDED)


@pytest.mark.parametrize(("text", "line", "said"), BAD)
def test_a_job_that_could_not_run_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(BadSpec) as caught:
        unfolded(text)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("job.yaml", line)
    assert said in problem.message


def test_it_is_the_last_steps_and_every_cells() -> None:
    chain = "pipeline:\n- {kind: generate, prompt: a}\n- {kind: upscale}\non_keep: {kind: caption}"
    assert [part.spec.on_keep for part in unfolded(chain)] == [None, {"kind": "caption"}]
    cells = unfolded("prompt: a\nmatrix: {steps: [2, 4]}\non_keep: {kind: upscale}")
    assert [part.spec.on_keep for part in cells] == [{"kind": "upscale"}] * 2 + [None]


def test_it_is_written_back_as_it_was_read() -> None:
    text = "prompt: a\non_keep:\n  kind: upscale\n  factor: 2\n  note: 'NO'\n"
    (part,) = unfolded(text)
    again = yamlfile.parse(language.dump(part.spec).encode(), "again.yaml")
    assert language.resolve(again, None) == part.spec
