"""Chains as they are written: which steps they become, and what is said of those that cannot be one."""

from pathlib import Path

import pytest

from hotfolder import yamlfile
from hotfolder.errors import BadSpec, JobError
from hotfolder.intake import chains, language, prompts
from hotfolder.intake.parts import Part
from tests.intake.bench import Bench
from tests.intake.test_admit import admit

PICTURE = Path("photo.png")
TWO = "pipeline:\n- {kind: upscale, model: lanczos, factor: 2}\n- {kind: upscale, model: lanczos, factor: 3}\n"


def parts(text: str, preset: str = "", picture: Path | None = None) -> tuple[Part, ...]:
    layers = yamlfile.parse(preset.encode(), "pipeline/folder.yaml") + yamlfile.parse(text.encode(), "x.yaml")
    return chains.parts(language.resolve(layers, "pipeline"), layers, picture)


def of_lines(text: str) -> tuple[Part, ...]:
    layer = chains.from_lines(prompts.prompt_lines(text.encode(), "x.txt"), "x.txt")
    return chains.parts(language.resolve([layer], "pipeline"), [layer], None)


def test_each_step_comes_after_the_one_before_it() -> None:
    first, second, third = parts("pipeline:\n- {kind: t2i, prompt: a}\n- {kind: blip}\n- kind: resize\n  factor: 2\n")
    assert [part.spec.kind for part in (first, second, third)] == ["generate", "caption", "upscale"]
    assert [part.after for part in (first, second, third)] == [(), (0,), (1,)]
    assert [part.ending for part in (first, second, third)] == [".1-generate", ".2-caption", ""]
    assert third.label == "step 3 of 3, upscale"
    assert third.waits == "waits for step 2 of 3, caption"


def test_a_line_of_a_text_file_is_a_step_with_its_lora() -> None:
    first, second = of_lines("[generate|tarot] knight in a storm\n\n[ Resize ]\n")
    assert first.spec.prompt == "knight in a storm"
    assert [use.name for use in first.spec.loras] == ["tarot"]
    assert (second.spec.kind, second.spec.prompt) == ("upscale", None)
    (use, other), _ = of_lines("[t2i|tarot:0.5, koda] x\n[upscale]")[0].spec.loras, None
    assert (use.weight, other.name, other.weight) == (0.5, "koda", 1.0)


def test_a_key_beside_the_steps_counts_for_those_that_know_it() -> None:
    text = "seed: 7\nformat: webp\nquality: 70\ntags: [a]\npriority: 3\nnote: n\nprompt: a fox\npipeline:\n"
    text += "- kind: generate\n- kind: caption\n- kind: generate\n  seed: 8\n  strength: 0.5\n  prompt: own\n"
    first, second, third = (part.spec for part in parts(text))
    assert (first.prompt, first.seed, first.format) == ("a fox", 7, "png")
    assert (second.prompt, second.seed, second.tags, second.priority) == (None, None, ("a",), 3)
    assert (third.prompt, third.seed, third.format, third.quality, third.note) == ("own", 8, "webp", 70, "n")


def test_a_preset_counts_for_the_steps_that_know_its_keys() -> None:
    preset = "size: 64x48\nfactor: 2\nvariants: 2\n"
    one, two, three = (
        part.spec
        for part in parts("pipeline: [{kind: t2i, prompt: a}, {kind: upscale}, {kind: t2i, prompt: b}]", preset)
    )
    assert (one.width, one.height, one.variants) == (64, 48, 1)
    assert two.options == {"factor": 2.0}
    assert three.variants == 2


def test_more_than_nine_steps_sort_by_name() -> None:
    made = parts("pipeline:\n" + "- {kind: upscale}\n" * 12, picture=PICTURE)
    endings = [part.ending for part in made[:-1]]
    assert endings[0] == ".01-upscale"
    assert endings == sorted(endings)


def test_words_and_masks_are_handed_on_to_steps_that_take_them() -> None:
    caption, new, changed, larger = (
        part.spec
        for part in parts(
            "pipeline: [{kind: caption}, {kind: t2i}, {kind: t2i, strength: 0.4, prompt: own}, {kind: upscale}]",
            picture=PICTURE,
        )
    )
    assert chains.promised(caption, new).prompt
    assert not chains.takes_picture(caption, new), "words alone make a new picture"
    assert chains.takes_picture(new, changed) and chains.takes_picture(caption, larger)
    assert not chains.promised(caption, changed).prompt, "it has words of its own"
    assert chains.takes_picture(caption, new.model_copy(update={"strength": 0.4}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pipeline: []", "x.yaml, line 1: this chain has no step"),
        ("pipeline:\n" + "- {kind: upscale}\n" * 21, "x.yaml, line 1: this chain has 21 steps; at most 20 can be run"),
        ("pipeline:\n- kind: zebra\n", "x.yaml, line 2: unknown kind `zebra`; kinds are"),
        ("pipeline:\n- kind: upscal\n", "x.yaml, line 2: unknown kind `upscal`; did you mean `upscale`?"),
        ("pipeline:\n- factor: 2\n", "x.yaml, line 2: step 1 is without a `kind`"),
        ("pipeline:\n- kind: upscale\n- kind: upscale\n  factr: 3\n", "x.yaml, line 4: unknown key `factr`"),
        ("pipeline:\n- kind: upscale\n- kind: upscale\n  factor: x\n", "x.yaml, line 4: `factor` must be a number"),
        ("pipeline:\n- kind: upscale\n", "x.yaml, line 2: step 1 of 1, upscale, needs a picture, and it comes first"),
        ("pipeline:\n- pipeline: []\n", "x.yaml, line 2: step 1 is a chain within a chain; write its steps here"),
        ("pipeline:\n- kind: chain\n", "x.yaml, line 2: `pipeline` cannot be a step of a chain: write its steps here"),
        (
            "pipeline:\n- kind: t2i\n  prompt: a\n  variants: 3\n- kind: upscale\n",
            "x.yaml, line 4: step 1 of 2, generate, makes 3 pictures, and step 2 works on one; only the last step may",
        ),
        (
            "pipeline:\n- kind: t2i\n  prompt:\n  - a\n  - b\n- kind: upscale\n",
            "x.yaml, line 3: step 1 of 2, generate, makes 2 pictures",
        ),
        (
            "pipeline:\n- kind: t2i\n  prompt: a\n- kind: upscale\n  image: b.png\n",
            "x.yaml, line 5: step 2 of 2, upscale, works on what step 1 makes, not on an `image:`",
        ),
        ("kind: upscale\npipeline: [{kind: upscale}]", "x.yaml, line 2: `pipeline` means nothing to `upscale`"),
        ("pipeline: [{kind: upscale}]\nfactor: 2", "x.yaml, line 2: `factor` means nothing to `pipeline`"),
    ],
)  # fmt: skip
def test_what_is_no_chain_is_said_with_its_line(text: str, says: str) -> None:
    with pytest.raises(BadSpec) as caught:
        parts(text)
    assert says in str(caught.value)


def test_everything_wrong_in_all_steps_is_said_at_once() -> None:
    with pytest.raises(BadSpec) as caught:
        parts("pipeline:\n- {kind: upscale, factr: 2}\n- {kind: zebra}\n- {kind: caption, promt: a}\n")
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[generate] a\na fox\n", "x.txt, line 2: `a fox` is no step of a chain; a step begins with its kind"),
        ("[generate] a\n[zebra] b", "x.txt, line 2: unknown kind `zebra`"),
        ("[generate] a\n[upscale] b", "x.txt, line 2: `prompt` means nothing to `upscale`"),
        ("[upscale]\n[upscale]", "x.txt, line 1: step 1 of 2, upscale, needs a picture"),
    ],
)
def test_lines_that_are_no_chain_are_said(text: str, says: str) -> None:
    with pytest.raises(JobError) as caught:
        of_lines(text)
    assert says in str(caught.value)


def test_a_chain_may_be_a_text_file_among_prompts(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    bench.put("generate/a.txt", "[generate] a fox\n[upscale]\n")
    bench.put("generate/b.txt", "a fox\n[upscale]\n")
    assert [draft.spec.kind for draft in admit(bench, "generate/a.txt").drafts] == ["generate", "upscale"]
    (draft,) = admit(bench, "generate/b.txt").drafts
    assert (
        draft.error
        and "b.txt, line 2: `[upscale]` is a step of a chain, and the lines before it are none" in draft.error
    )


def test_a_chain_waits_as_a_whole_for_what_one_step_lacks(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    models = ("lanczos", "realesrgan-x4plus", "lanczos")
    bench.put("pipeline/a.png")
    bench.put("pipeline/a.png.yaml", "pipeline:\n" + "".join(f"- {{kind: upscale, model: {one}}}\n" for one in models))
    admission = admit(bench, "pipeline/a.png")
    assert admission.is_waiting
    first, second, third = admission.drafts
    assert first.wait == third.wait == "waits until step 2 of 3, upscale, can run"
    assert second.wait and second.wait.startswith("step 2 of 3, upscale: ") and second.model == "realesrgan-x4plus"


def test_a_folders_chain_waits_for_its_picture_and_its_steps(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    bench.put("pipeline/photo.png")
    (draft,) = admit(bench, "pipeline/photo.png").drafts
    assert draft.wait == "needs the steps of its chain: write `pipeline:` into a job file or a folder.yaml beside it"
    bench.put("pipeline/other.png.yaml", TWO)
    (draft,) = admit(bench, "pipeline/other.png.yaml").drafts
    assert draft.wait == "waits for other.png beside it, or for `image:` in it"
    bench.put("portraits/folder.yaml", TWO)
    bench.put("portraits/me.png")
    first, second = admit(bench, "portraits/me.png").drafts
    assert (first.member, first.wait, second.member, second.wait) == (
        "picture", None, None, "waits for step 1 of 2, upscale",
    )  # fmt: skip


def test_what_can_be_no_first_step_waits_for_no_picture(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    bench.put("pipeline/x.yaml", "pipeline:\n- kind: rerun\n")
    (draft,) = admit(bench, "pipeline/x.yaml").drafts
    assert draft.error == "x.yaml, line 2: `rerun` cannot be a step of a chain: it makes jobs of its own"


def test_a_preset_with_a_bad_step_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    bench.put("pipeline/folder.yaml", "pipeline: [{kind: upscale, factr: 2}]")
    bench.put("pipeline/a.png")
    (draft,) = admit(bench, "pipeline/a.png").drafts
    assert draft.wait and draft.wait.startswith("the folder's preset has to be mended: ")
    assert "folder.yaml, line 1: unknown key `factr`" in draft.wait
