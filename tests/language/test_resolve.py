"""From presets and a job's own file to one JobSpec."""

import pytest

from hotfolder import yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.errors import BadSpec, Unsupported
from hotfolder.intake import language
from hotfolder.intake.words import KEY_ALIASES, LATER_KEYS, UNIVERSAL
from hotfolder.spec import JobSpec


def documents(*texts: str) -> list[yamlfile.Document]:
    """Presets from parent to child, the job's own file last."""
    names = [*(f"{'in/' * depth}folder.yaml" for depth in range(len(texts) - 1)), "job.yaml"]
    return [document for text, name in zip(texts, names) for document in yamlfile.parse(text.encode(), name)]


def resolve(*texts: str, kind: str | None = "generate") -> JobSpec:
    return language.resolve(documents(*texts), kind)


def test_a_job_says_what_it_wants() -> None:
    spec = resolve("prompt: a fox\nsteps: 4\nseed: 7\ntags: [fox, 2024]\nguidance: 3")
    assert spec == JobSpec(kind="generate", prompt="a fox", steps=4, seed=7, tags=("fox", "2024"), guidance=3.0)


@pytest.mark.parametrize(
    ("written", "text"),
    [("1984", "1984"), ("1.10", "1.10"), ("1e3", "1e3"), ("true", "true"), ("False", "False"), ("-0", "-0")]
    + [("NO", "NO"), ("12:30", "12:30"), (".50", ".50"), ("'a: b'", "a: b")],
)
def test_texts_may_look_like_numbers(written: str, text: str) -> None:
    spec = resolve(f"prompt: {written}\nname: {written}\ntags: [{written}]")
    assert (spec.prompt, spec.name, spec.tags) == (text, text, (text,))
    assert resolve(f"prompt: [a, {written}]").prompt == ("a", text)


@pytest.mark.parametrize("alias", KEY_ALIASES)
def test_every_alias_stands_for_a_key(alias: str) -> None:
    assert KEY_ALIASES[alias] in JobSpec.model_fields
    assert alias not in JobSpec.model_fields


def test_aliases() -> None:
    spec = resolve(
        "prompt: a\nnum_inference_steps: 20\nguidance_scale: 5\nnegative: b\nn: 3\nsampler_name: euler\nw: 64"
    )
    assert (spec.steps, spec.guidance, spec.negative_prompt, spec.variants) == (20, 5.0, "b", 3)
    assert (spec.sampler, spec.width) == ("euler", 64)


@pytest.mark.parametrize(
    ("size", "edges"),
    [("1024x768", (1024, 768)), ("1024X768", (1024, 768)), ("1024 × 768", (1024, 768)), ("'1024*768'", (1024, 768))]
    + [("[1024, 768]", (1024, 768)), ("1024", (1024, 1024)), ("1024.0x768", None), ("", (None, None))],
)
def test_size(size: str, edges: tuple[int, int] | None) -> None:
    if edges is None:
        with pytest.raises(BadSpec):
            resolve(f"prompt: a\nsize: {size}")
    else:
        spec = resolve(f"prompt: a\nsize: {size}")
        assert (spec.width, spec.height) == edges


def test_one_tag_or_several_in_a_text() -> None:
    assert resolve("prompt: a\ntags: fox, snow ,").tags == ("fox", "snow")


@pytest.mark.parametrize(
    "written", ["[tarot, {name: koda, weight: 0.8}]", "\n  - tarot\n  - name: koda\n    weight: 0.8"]
)
def test_loras(written: str) -> None:
    spec = resolve(f"prompt: a\nloras: {written}")
    assert [(use.name, use.weight) for use in spec.loras] == [("tarot", 1.0), ("koda", 0.8)]


@pytest.mark.parametrize(
    ("written", "prompt", "loras"),
    [
        ("a fox <lora:tarot:0.8>", "a fox", [("tarot", 0.8)]),
        ("<lora:tarot> a <lora:my style:-.5> fox, {red|blue}", "a fox, {red|blue}", [("tarot", 1), ("my style", -0.5)]),
        ("a fox <lora:koda:1>", "a fox", [("koda", 0.3)]),
        ("a <b> fox", "a <b> fox", []),
    ],
)
def test_loras_in_a_prompt_as_web_uis_write_them(written: str, prompt: str, loras: list[tuple[str, float]]) -> None:
    named = "\nloras: [{name: koda, weight: 0.3}]" if "koda" in written else ""
    spec = resolve(f"prompt: '{written}'{named}")
    assert spec.prompt == prompt
    assert [(use.name, use.weight) for use in spec.loras] == loras


@pytest.mark.parametrize("written", ["'a <lora:x:y>'", "'a <lora:x:1:1>'", "'{a <lora:x:1>|b}'", "['a <lora:x:1>', b]"])
def test_loras_in_a_prompt_that_mean_nothing_clear_are_refused(written: str) -> None:
    with pytest.raises(BadSpec, match=r"line 1: .*`loras:`"):
        resolve(f"prompt: {written}")


def test_the_child_folder_and_then_the_job_win() -> None:
    spec = resolve("steps: 1\nguidance: 1\nseed: 1", "steps: 2\nguidance: 2", "prompt: a\nsteps: 3")
    assert (spec.steps, spec.guidance, spec.seed) == (3, 2.0, 1)


def test_an_empty_value_takes_back_what_a_preset_says() -> None:
    spec = resolve("steps: 9\nseed: 5\nformat: webp", "prompt: a\nsteps:\nseed: ~\nformat: null")
    assert spec == JobSpec(kind="generate", prompt="a")


def test_a_size_in_the_job_replaces_the_preset_s_edges() -> None:
    spec = resolve("width: 512\nheight: 256", "prompt: a\nsize: 64")
    assert (spec.width, spec.height) == (64, 64)
    spec = resolve("size: 512", "prompt: a\nwidth: 64")
    assert (spec.width, spec.height) == (64, 512)


def test_nothing_written_is_a_job_of_the_folder_s_kind() -> None:
    assert language.resolve([], "upscale") == JobSpec(kind="upscale")


@pytest.mark.parametrize(
    ("word", "kind"),
    [("txt2img", "generate"), ("Kontext", "edit"), ("auto-mask", "mask"), ("auto mask", "mask"), ("rembg", "cutout")]
    + [("ESRGAN", "upscale"), ("enlarge", "upscale"), ("blip", "caption"), ("pipeline", "pipeline"), ("zebra", None)],
)
def test_names_of_the_field(word: str, kind: str | None) -> None:
    assert language.kind_of(word) == kind


def test_no_word_means_two_kinds() -> None:
    words = [word for kind in CAPABILITIES for word in (kind, *CAPABILITIES[kind].aliases)]
    assert len(words) == len(set(words))


def test_the_job_s_kind_goes_before_the_preset_s_and_the_folder_s() -> None:
    assert resolve("kind: generate", "kind: esrgan", kind="mask").kind == "upscale"
    assert resolve("kind: esrgan", "note: a", kind="generate").kind == "upscale"


@pytest.mark.parametrize("kind", ["holiday", "", None])
def test_a_folder_that_is_no_kind(kind: str | None) -> None:
    with pytest.raises(BadSpec, match="write `kind:` with one of caption, cutout"):
        resolve("note: a", kind=kind)
    with pytest.raises(BadSpec, match="write `kind:`"):
        language.resolve([], kind)


def test_options_go_to_the_kind() -> None:
    spec = resolve("factor: 2", kind="upscale")
    assert spec.options == {"factor": 2.0}
    assert CAPABILITIES["upscale"].Options(**spec.options).factor == 2.0  # type: ignore[attr-defined]
    assert resolve("note: a", kind="upscale").options == {}


def test_a_preset_may_serve_several_kinds() -> None:
    preset = "steps: 3\nprompt: a\nfactor: 2\nseed: 5"
    assert resolve(preset, "kind: upscale") == JobSpec(kind="upscale", options={"factor": 2.0})
    assert resolve(preset, "kind: generate") == JobSpec(kind="generate", prompt="a", steps=3, seed=5)


def test_a_preset_is_checked_all_the_same() -> None:
    with pytest.raises(BadSpec) as caught:
        resolve("stepz: 3\nsteps: many\nfactor: x", "kind: upscale")
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [
        ("folder.yaml", 1),
        ("folder.yaml", 2),
        ("folder.yaml", 3),
    ]


LATER = {
    "loras": "tarot",
    "control": "{type: canny}",
    "style": "{image: a.png}",
    "face": "{image: a.png}",
    "image": "a.png",
    "strength": "0.5",
    "upscaler": "lanczos",
    "matrix": "{steps: [1, 2]}",
}


@pytest.mark.parametrize("key", sorted(LATER_KEYS.keys() - CAPABILITIES["generate"].uses))
def test_keys_that_come_later(key: str) -> None:
    with pytest.raises(Unsupported, match=f"job.yaml, line 2: `{key}` comes later"):
        resolve(f"prompt: a\n{key}: {LATER[key]}")


def test_every_common_key_means_something_somewhere() -> None:
    used = UNIVERSAL | LATER_KEYS.keys() | {key for kind in CAPABILITIES for key in CAPABILITIES[kind].uses}
    masks = {"mask", "mask_prompt", "mask_blur", "mask_grow", "mask_invert"}
    assert JobSpec.model_fields.keys() - used - masks == {"options"}


def test_intake_keys() -> None:
    layers = documents("settle_s: 5\nrequire_sidecar: true", "settle_s: 7\nsidecar_wait_s: 60", "prompt: a")
    keys = language.intake_keys(layers)
    assert (keys.settle_s, keys.sidecar_wait_s, keys.require_sidecar) == (7.0, 60.0, True)
    assert language.resolve(layers, "generate") == JobSpec(kind="generate", prompt="a")
    assert language.intake_keys([]) == type(keys)()


def test_bad_intake_keys() -> None:
    with pytest.raises(BadSpec, match=r"folder\.yaml, line 1: `settle_s` must be a number from 0 to 3600, not `soon`"):
        language.intake_keys(documents("settle_s: soon", "prompt: a"))


def test_dump_is_flat_short_and_readable() -> None:
    spec = resolve("prompt: |\n  a fox\n  in the snow\nsize: 64x32\nformat: png\nnote: 'NO'\nname: '1e3'\nvariants: 1")
    assert language.dump(spec) == (
        "kind: generate\nprompt: |\n  a fox\n  in the snow\nwidth: 64\nheight: 32\nname: '1e3'\nnote: 'NO'\n"
    )
    assert language.dump(resolve("factor: 2", kind="upscale")) == "kind: upscale\nfactor: 2.0\n"
