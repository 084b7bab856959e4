"""expand on the shipped miniature, and pictures generated from prompts that were made longer."""

from pathlib import Path

import pytest

from hotfolder.capabilities.base import Context, Helper
from hotfolder.capabilities.expand import Expand
from hotfolder.capabilities.generate import Generate
from hotfolder.intake.language import resolve
from hotfolder.models import rewriting
from hotfolder.models.placement import Placement
from hotfolder.models.pool import BoundPool, ModelPool
from hotfolder.spec import JobSpec, Planned
from hotfolder.yamlfile import parse

CPU = Placement(device="cpu", precision="fp32", text_precision="fp32")
MODEL = "qwen2.5-1.5b-instruct-miniature"


@pytest.fixture(scope="module")
def pool() -> BoundPool:
    return BoundPool(ModelPool(Path("none")), CPU)


def expanded(pool: BoundPool, prompt: str, *seeds: int) -> list[dict[str, str]]:
    planned = tuple(Planned(prompt=prompt, seed=seed, seed_locked=True) for seed in seeds)
    spec = JobSpec(kind="expand", prompt=prompt, profile="miniature")
    context = Context(spec, Expand.Options(), planned, MODEL, pool, lambda step, of: None)
    results = list(Expand().run(context))
    assert all(result.image is None for result in results)
    return [result.texts for result in results]


def test_a_short_prompt_becomes_a_long_one_and_a_job_that_resolves(pool: BoundPool) -> None:
    one, again, *others = expanded(pool, "a red circle", 4, 4, 5, 6, 7)
    text = one[".txt"].strip()
    assert rewriting.missing("a red circle", text) == []
    assert len(text.split()) >= len("a red circle".split()) + 6
    assert one == again and any(other != one for other in others), "the seed decides the words"
    (document,) = parse(one[".yaml"].encode(), "x.yaml")
    spec = resolve([document], None)
    assert (spec.kind, spec.prompt, spec.seed, spec.profile) == ("generate", text, 4, "miniature")


def test_words_that_the_model_lost_come_first(pool: BoundPool) -> None:
    assert rewriting.checked("a fox, a red barn", "A fox by a barn at dusk") == (
        "a fox, a red barn, A fox by a barn at dusk",
        "the language model left out `red`; the prompt stands first",
    )
    assert rewriting.checked("two red circles", 'Prompt: "Two red circles at dusk"') == (
        "Two red circles at dusk",
        None,
    )
    assert rewriting.checked("red, red", "red and blue")[1] is not None, "how often a word was said counts"
    for nothing in ("", "  ", "a fox"):
        assert rewriting.checked("a fox", nothing)[0] == "a fox"
    assert expanded(pool, "Ein Füchslein {im} Schnee", 1)[0][".txt"].startswith("Ein Füchslein")


def test_a_picture_of_a_longer_prompt_records_both(pool: BoundPool) -> None:
    options = Generate.Options(expand=True)
    spec = JobSpec(kind="generate", prompt="a red circle", steps=1, width=64, height=64)
    assert Generate.helpers(spec, options) == ("expand",) and Generate.helpers(spec, Generate.Options()) == ()
    planned = (Planned(prompt="a red circle", seed=4, seed_locked=True),)
    helpers = {"expand": Helper(MODEL, pool)}
    context = Context(spec, options, planned, "flux1-schnell-miniature", pool, lambda step, of: None, helpers=helpers)
    (result,) = Generate().run(context)
    assert result.planned.prompt == expanded(pool, "a red circle", 4)[0][".txt"].strip()
    assert result.planned.template == "a red circle" and result.job == {"expand": False}
