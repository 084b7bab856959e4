"""What a picture in rerun/ or vary/ becomes, before anything runs: its job, and what is told of the rest."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from hotfolder import machine
from hotfolder.errors import RejectedInput
from hotfolder.intake import checking
from hotfolder.intake.admit import Admitter
from hotfolder.intake.pairing import pair
from hotfolder.intake.parts import Draft
from hotfolder.intake.presets import Presets
from hotfolder.intake.scan import scan
from tests.intake.bench import Bench
from tests.metadata import others

HERE = "Size: 64x48, Model: Flux/flux1-schnell-miniature-fp8.safetensors"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "w", "profile: miniature\n")


def admitted(bench: Bench, name: str, keys: str = "", folder: str = "rerun", **texts: str) -> Draft:
    """Return the one job that a picture with these PNG texts becomes, with a sidecar of these keys."""
    others.png(bench.inbox / folder / f"{name}.png", **texts)
    if keys:
        bench.put(f"{folder}/{name}.png.yaml", keys)
    groups, _ = pair(scan(bench.inbox))
    group = next(group for group in groups if group.primary.path == f"{folder}/{name}.png")
    admitter = Admitter(bench.workspace, Presets(bench.inbox), lambda sha256: None, random.Random(1), machine.facts)
    (draft,) = admitter.admit(group).drafts
    return draft


def parameters(bench: Bench, name: str, text: str, keys: str = "", folder: str = "rerun") -> Draft:
    return admitted(bench, name, keys, folder, parameters=text)


def test_both_kinds_of_guidance(bench: Bench) -> None:
    forge = "a\nNegative prompt: b\nSteps: 2, Sampler: Euler, CFG scale: {}, Distilled CFG Scale: 2.5, Seed: 1, " + HERE
    spec = parameters(bench, "distilled", forge.format(1)).spec
    assert (spec.guidance, spec.negative_prompt, spec.model) == (2.5, None, "flux1-schnell-miniature")
    assert spec.note == (
        "rerun of distilled.png, seed 1; its negative prompt is left out: it did nothing at a CFG scale of 1"
    )
    spec = parameters(bench, "true", forge.format(3)).spec
    assert (spec.guidance, spec.negative_prompt, spec.note) == (3.0, "b", "rerun of true.png, seed 1")


def test_another_models_guidance_is_not_taken(bench: Bench) -> None:
    text = "a\nNegative prompt: b\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x48, Model: sdxl"
    draft = parameters(bench, "other", text)
    assert (draft.spec.guidance, draft.spec.negative_prompt, draft.error, draft.wait) == (None, None, None, None)
    assert draft.spec.note == (
        "rerun of other.png, seed 1; the model `sdxl` is not here, flux1-schnell-miniature made this; "
        "its negative prompt is left out: flux1-schnell-miniature knows none at its guidance"
    )
    spec = parameters(bench, "wanted", text, "guidance: 3\n").spec
    assert (spec.guidance, spec.negative_prompt) == (3, "b")


def test_samplers(bench: Bench) -> None:
    found = {}
    for name, said in {
        "plain": "Sampler: DPM++ 2M, Schedule type: Karras",
        "spacing": "Sampler: Heun, Schedule type: Beta",
        "strange": "Sampler: DPM++ 3M SDE, Schedule type: Karras",
        "diffusers": "App: SD.Next, Scheduler: FlowMatchEulerDiscreteScheduler",
    }.items():
        spec = parameters(bench, name, f"a\nSteps: 2, {said}, Seed: 1, {HERE}").spec
        found[name] = (spec.sampler, (spec.note or "").partition("; ")[2])
    assert found == {
        "plain": ("DPM++ 2M Karras", ""),
        "spacing": ("Heun", "the schedule `Beta` does not fit"),
        "strange": (None, "the sampler `DPM++ 3M SDE` does not fit"),
        "diffusers": ("Euler", ""),
    }


def test_what_does_not_fit_is_told(bench: Bench) -> None:
    text = f"x <lora:never:0.7:0.5>\nSteps: 99999, Sampler: Euler, Seed: 1, Denoising strength: 0.6, {HERE}"
    draft = parameters(bench, "much", text.replace("64x48", "9000x4500"))
    assert (draft.spec.width, draft.spec.height, draft.spec.prompt, draft.spec.loras) == (256, 128, "x", ())
    assert draft.spec.note == (
        "rerun of much.png, seed 1; 9000x4500 became 256x128, as large as flux1-schnell-miniature makes; "
        "the LoRA `never` is not here; its `steps` is nothing that a job may say; "
        "it was begun from another picture, which is not in it"
    )
    assert (draft.error, draft.wait) == (None, None)


def test_a_text_is_meant_as_it_stands(bench: Bench) -> None:
    draft = parameters(bench, "braces", f"a {{red|blue}} __fox__\nSteps: 2, Sampler: Euler, Seed: 1, {HERE}")
    assert draft.planned[0].prompt == "a {red|blue} __fox__"
    long = parameters(bench, "long", f"{'word ' * 9000}\nSteps: 2, Sampler: Euler, Seed: 1, {HERE}")
    assert long.planned[0].prompt and len(long.planned[0].prompt) < 16_384
    assert "a text of 44,999 characters was cut" in (long.spec.note or "")


def test_a_size_that_is_not_said_is_the_pictures(bench: Bench) -> None:
    text = "x\nSteps: 2, Sampler: Euler, Seed: 1, Model: flux1-schnell-miniature"
    spec = parameters(bench, "sizeless", text).spec
    assert (spec.width, spec.height) == (64, 48)


def test_without_a_prompt_it_waits_for_one(bench: Bench) -> None:
    graph = {key: value for key, value in others.COMFYUI.items() if key != "6"}
    draft = admitted(bench, "mute", prompt=json.dumps(graph))
    assert draft.wait == "needs a prompt: put it into mute.prompt.txt beside it"
    bench.put("rerun/mute.prompt.txt", "a word")
    assert admitted(bench, "mute", prompt=json.dumps(graph)).planned[0].prompt == "a word"


REFUSED: dict[str, tuple[dict[str, str], str, str, str]] = {
    "nothing": ({}, "", "rerun", "nothing.png does not say how it was made: hotfolder, A1111, Forge, "),
    "void": ({}, "", "vary", "void.png does not say how it was made"),
    "photograph": ({"Comment": "a walk"}, "", "rerun", "photograph.png does not say how it was made"),
    "seedless": (
        {"parameters": "x\nSteps: 2, Sampler: Euler, Size: 32x32, Model: sdxl"}, "", "vary",
        "seedless.png does not say which seed it was made from, so nothing is there to vary; use rerun/",
    ),
    "still": (
        {"parameters": others.A1111}, "variation: 0\n", "vary",
        "still.png.yaml, line 1: `variation: 0` would change nothing; 0.05 is a little, 0.5 much",
    ),
    "much": ({"parameters": others.A1111}, "variation: 1.5\n", "vary", "much.png.yaml, line 1: `variation`"),
    "seeded": ({"parameters": others.A1111}, "seed: 3\n", "vary", "`seed` means nothing to `vary`; take it out"),
    "stray": ({"parameters": others.A1111}, "\nmask_blur: 3\n", "rerun",
              "stray.png.yaml, line 2: `mask_blur` means nothing to `generate`; take it out"),
    "newer": (
        {"hotfolder": json.dumps({"image_id": "a1", "job": {"kind": "generate", "prompt": "x", "stepz": 3}})}, "",
        "rerun", "the job that is kept in newer.png cannot be used: the job in newer.png, line 1: unknown key `stepz`",
    ),
    "deep": (
        {"hotfolder": json.dumps({"image_id": "a1", "job": {"kind": "generate", "loras": [[[[{}]]]] * 900}})}, "",
        "rerun", "the job that is kept in deep.png cannot be used: ",
    ),
    "enlarged": (
        {"hotfolder": json.dumps({"image_id": "a1", "job": {"kind": "upscale", "options": {}, "image": "a.png"}})}, "",
        "vary", "enlarged.png",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_is_refused(bench: Bench, name: str) -> None:
    texts, keys, folder, error = REFUSED[name]
    draft = admitted(bench, name, keys, folder, **texts)
    assert draft.error is not None
    assert error in draft.error


def ours(**job: Any) -> str:
    return json.dumps({"image_id": "a1", "job": {"kind": "generate", "prompt": "x", "seed": 5, **job}})


def test_a_job_of_ours(bench: Bench) -> None:
    made = ours(steps=2, tags=["one"], name="May", priority=7, note="for May\nrerun of a.png, seed 4", variants=1,
                model="flux1-schnell-miniature", profile="miniature", variation=0.2, variation_seed=8)  # fmt: skip
    spec = admitted(bench, "mine", hotfolder=made).spec
    assert (spec.seed, spec.steps, spec.tags, spec.name, spec.priority, spec.options) == (
        None,
        2,
        ("one",),
        None,
        0,
        {},
    )
    assert spec.note == "for May\nrerun of mine.png, seed 5; it is a variation itself: this begins from its seed"
    spec = admitted(bench, "varied", "variation: 0.5\n", "vary", hotfolder=made).spec
    assert (spec.seed, spec.variants, spec.options) == (5, 4, {"variation": 0.5})


def test_another_profile_has_another_model(bench: Bench) -> None:
    made = ours(model="flux1-dev", profile="quality")
    assert admitted(bench, "kept", hotfolder=made).spec.model == "flux1-dev"
    spec = admitted(bench, "other", "profile: miniature\n", hotfolder=made).spec
    assert (spec.model, spec.profile) == ("flux1-schnell-miniature", "miniature")


def test_variations_plan_one_seed_and_several_others(bench: Bench) -> None:
    planned = admitted(bench, "mine", "variation_seed: 9\n", "vary", hotfolder=ours()).planned
    assert [(one.seed, one.variation_seed) for one in planned] == [(5, 9), (5, 10), (5, 11), (5, 12)]
    free = admitted(bench, "free", "", "vary", hotfolder=ours()).planned
    assert len({one.variation_seed for one in free}) == 4


def checked(bench: Bench, name: str) -> str:
    return checking.check(bench.workspace, bench.inbox / name, machine.facts)


def test_check_says_what_would_be_made(bench: Bench) -> None:
    others.png(bench.inbox / "rerun/a.png", parameters=others.A1111.replace("96x64", "64x48"))
    bench.put("rerun/a.png.yaml", "steps: 8\n")
    said = checked(bench, "rerun/a.png")
    assert said.startswith("# a.png\nkind: generate\nprompt: a fox in the snow\nwidth: 64\nheight: 48\nsteps: 3\n")
    assert "note: 'rerun of a.png, seed 42; " in said
    assert "steps: 8\n" in checked(bench, "rerun/a.png.yaml")
    bench.put("vary/b.png", others.png(bench.root / "b.png", parameters=others.A1111).read_bytes())
    said = checked(bench, "vary/b.png")
    assert "seed: 42\nvariants: 4\n" in said and "variation: 0.2\n" in said
    bench.put("rerun/c.png")
    with pytest.raises(RejectedInput, match=r"c\.png does not say how it was made"):
        checked(bench, "rerun/c.png")


def test_check_of_other_pictures(bench: Bench) -> None:
    bench.put("upscale/a.png")
    bench.put("upscale/a.png.yaml", "factor: 2\n")
    assert checked(bench, "upscale/a.png.yaml") == "# a.png.yaml\nkind: upscale\nfactor: 2.0\n"
    bench.put("generate/a.png")
    said = checked(bench, "generate/a.png")
    assert said == "# a.png\n# as things are: needs a prompt: put it into a.prompt.txt beside it\nkind: generate\n"


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ({"pipeline": [{"kind": "generate", "prompt": "a"}]}, "`pipeline` makes no picture itself"),
        ({"kind": "rerun"}, "`rerun` makes no picture itself"),
        ({"kind": "generate", "prompt": "a \ud800"}, "a text in it is damaged"),
    ],
)
def test_a_job_in_a_picture_that_can_have_made_none(bench: Bench, job: dict[str, Any], why: str) -> None:
    draft = admitted(bench, "x", hotfolder=json.dumps({"image_id": "a1", "job": job}))
    assert draft.error == f"the job that is kept in x.png cannot be used: {why}"


def test_a_picture_of_a_matrix_is_made_again_alone(bench: Bench) -> None:
    draft = admitted(bench, "x", hotfolder=ours(matrix={"steps": [1, 2]}))
    assert (draft.error, draft.wait, draft.spec.matrix) == (None, None, None)
