"""The parameters text: written as its readers want it, read as its writers wrote it."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotfolder.metadata import a1111
from hotfolder.metadata.facts import Lora
from hotfolder.metadata.text import clean
from tests.metadata import made

ROOM = 100_000


def test_the_whole_text() -> None:
    facts = made.facts(negative_prompt="rain", template="a {knight|king}, storm", loras=made.LORAS, miniature=True)
    assert a1111.parameters(facts, ROOM) == (
        "a knight in a storm <lora:tarot:0.8> <lora:koda:-0.5>\n"
        "Negative prompt: rain\n"
        "Steps: 4, Sampler: Euler, CFG scale: 3.5, Seed: 42, Size: 64x48, Model hash: 9421f1dd5d, "
        "Model: flux1-schnell, "
        'Lora hashes: "tarot: aabbccddee", Lora weights: "tarot: 0.8, koda: -0.5", '
        'Template: "a {knight|king}, storm", Profile: fast, Miniature: yes, Version: hotfolder 0.1.0'
    )


def test_no_empty_line_or_value() -> None:
    text = a1111.parameters(made.facts(model_hash=None, profile=None, guidance=0.0), ROOM)
    assert text == (
        "a knight in a storm\nSteps: 4, Sampler: Euler, CFG scale: 0, Seed: 42, Size: 64x48, "
        "Model: flux1-schnell, Version: hotfolder 0.1.0"
    )


def test_a_strength_is_a_denoising_strength() -> None:
    text = a1111.parameters(made.facts(job={"strength": 0.6}), ROOM)
    assert "Denoising strength: 0.6" in text
    assert (a1111.parse(text) or {})["strength"] == 0.6


@pytest.mark.parametrize(
    "prompt",
    [
        "Negative prompt: none of it",
        "a\nNegative prompt: b\n  Negative prompt: c",
        "\\Negative prompt: already escaped",
        "\\\\Steps: 3, Sampler: x, Seed: 1",
        "Steps: 3, Sampler: x, Seed: 1, Size: 1x1",
        "a\nSteps: 3, Sampler: x, Seed: 1, Size: 1x1\nb",
        'quotes " and \\ and {a|b} __c__ (d:1.3) [e] <f>',
        "a <lora:not_at_the_end:1> b",
        "",
    ],
)
def test_prompts_that_look_like_the_format(prompt: str) -> None:
    found = a1111.parse(a1111.parameters(made.facts(prompt=prompt, negative_prompt=prompt), ROOM)) or {}
    assert found.get("prompt", "") == found.get("negative_prompt", "") == prompt
    assert found["seed"] == 42


TEXT = st.text(st.characters(codec="utf-8"), max_size=80).map(clean).map(str.strip)


@given(TEXT, TEXT, TEXT, st.integers(0, 2**64 - 1))
def test_whatever_the_words(prompt: str, negative: str, template: str, seed: int) -> None:
    facts = made.facts(prompt=prompt, negative_prompt=negative, template=template, seed=seed, loras=made.LORAS)
    text = a1111.parameters(facts, ROOM)
    found = a1111.parse(text) or {}
    assert found.get("prompt", "") == prompt
    assert found.get("negative_prompt", "") == negative
    assert found.get("template", "") == template
    assert found["seed"] == seed
    assert found["loras"] == [{"name": "tarot", "weight": 0.8}, {"name": "koda", "weight": -0.5}]
    assert _as_others_read(text)["Seed"] == str(seed)


def _as_others_read(text: str) -> dict[str, str]:
    """Read the last line as other tools do: pairs found anywhere in it, keys of word characters, JSON in quotes."""
    line = text.strip().split("\n")[-1]
    found = re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', line)
    assert len(found) >= 3
    assert found[0][0] == "Steps"
    assert ":".join(key for key, _ in found).count("Steps") == 1
    return {key: json.loads(value) if value.startswith('"') else value for key, value in found}


@given(st.text(max_size=30))
def test_no_lora_name_breaks_the_text(name: str) -> None:
    text = a1111.parameters(made.facts(loras=(Lora(name, 0.5, "abc"), Lora("other", 1, "def"))), ROOM)
    loras = (a1111.parse(text) or {})["loras"]
    assert [lora["weight"] for lora in loras] == [0.5, 1.0]
    assert loras[1]["name"] == "other"


@pytest.mark.parametrize("limit", [400, 1000, 5000, 30_000])
def test_what_is_too_long_is_cut_and_the_numbers_stay(limit: int) -> None:
    facts = made.facts(prompt="p" * 16_000, negative_prompt="n" * 16_000, template="t" * 16_000)
    text = a1111.parameters(facts, limit)
    assert len(text) <= limit
    found = a1111.parse(text) or {}
    assert found["seed"] == 42
    assert found["negative_prompt"].endswith("…")
    assert len(found["prompt"]) > len(found["negative_prompt"]) > 0
    assert "template" not in found


def test_the_template_goes_before_the_prompt() -> None:
    facts = made.facts(prompt="p" * 16_000, template="t" * 16_000)
    found = a1111.parse(a1111.parameters(facts, 20_000)) or {}
    assert found["prompt"] == "p" * 16_000
    assert "template" not in found


def test_an_upscale() -> None:
    assert a1111.postprocessing(made.UPSCALED) == (
        "Postprocess: upscale, Postprocess upscale by: 4, Postprocess upscaler: realesrgan-x4plus, "
        "Profile: fast, Version: hotfolder 0.1.0"
    )


WEB_UI = """masterpiece, (castle:1.2), <lora:add_detail:0.8>
by the sea
Negative prompt: lowres, bad anatomy,
watermark
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 1234567890, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, VAE hash: 735e4c3a44, Denoising strength: 0.35, \
Lora hashes: "add_detail: 7c6bad76eb54", Hires prompt: "a, b: c\\nd", Version: v1.10.1"""
FORGE = """a fox
Steps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 7, Size: 896x1152, \
Model: flux1-dev-bnb-nf4-v2, Version: f2.0.1v1.10.1"""
SD_NEXT = """a red fox
Negative prompt: cat
Template: a {red|white} fox
Negative template: cat
Steps: 8, Size: 1024x1024, Scheduler: FlowMatchEulerDiscreteScheduler, Seed: 3, CFG scale: 2, App: SD.Next, \
Version: 058a7f0, Pipeline: FluxPipeline, Operations: txt2img, Model: flux1-dev, Variation seed: 9, \
Variation strength: 0.1"""


def test_the_web_uis_own_text() -> None:
    found = a1111.parse(WEB_UI) or {}
    pairs = found.pop("pairs")
    assert found == {
        "prompt": "masterpiece, (castle:1.2), <lora:add_detail:0.8>\nby the sea",
        "negative_prompt": "lowres, bad anatomy,\nwatermark",
        "steps": 20,
        "sampler": "DPM++ 2M",
        "schedule": "Karras",
        "guidance": 7.5,
        "seed": 1234567890,
        "width": 512,
        "height": 768,
        "model": "v1-5-pruned-emaonly",
        "model_hash": "6ce0161689",
    }  # no strength: that of a second pass is not how much of a picture was changed
    assert pairs["Hires prompt"] == "a, b: c\nd"


def test_texts_of_its_relatives() -> None:
    forge = a1111.parse(FORGE) or {}
    assert (forge["guidance"], forge["cfg"], forge["sampler"], forge["schedule"]) == (3.5, 1.0, "Euler", "Simple")
    sd_next = a1111.parse(SD_NEXT) or {}
    assert sd_next["pairs"]["App"] == "SD.Next"
    assert (sd_next["prompt"], sd_next["negative_prompt"]) == ("a red fox", "cat")
    assert (sd_next["width"], sd_next["sampler"]) == (1024, "FlowMatchEulerDiscreteScheduler")
    assert (sd_next["variation"], sd_next["variation_seed"]) == (0.1, 9)
    assert (a1111.parse(WEB_UI.replace("\n", "\r\n")) or {})["negative_prompt"] == "lowres, bad anatomy,\nwatermark"


@pytest.mark.parametrize(
    "text", ["", "\n", "just a caption, with: one pair", "Steps: 4, Seed: 3", '{"prompt": "json"}']
)
def test_other_texts_are_none(text: str) -> None:
    assert a1111.parse(text) is None


@pytest.mark.parametrize(
    ("written", "key"),
    [("Steps: 99999999999999999999999", "steps"), ("CFG scale: nan", "guidance"), ("Size: 1e9x-5", "width"),
     ("Seed: -1", "seed"), ("Seed: ٣", "seed")],
)  # fmt: skip
def test_numbers_that_are_none_are_left_out(written: str, key: str) -> None:
    assert key not in (a1111.parse(f"a\nModel: b, Sampler: c, Version: d, {written}") or {"pairs": {}})


@pytest.mark.parametrize(
    "text",
    ["a" * 900_000, "a " * 400_000, " " * 900_000, 'kk: "' * 150_000, 'kk: "\\' * 150_000, "aa:" * 300_000,
     "<lora:" * 150_000, "<lora:a:1>" * 90_000, "Negative prompt:\n" * 50_000, "\\" * 900_000, "\n" * 900_000],
)  # fmt: skip
def test_hostile_texts_take_no_time(text: str) -> None:
    began = time.process_time()
    a1111.parse(f"{text}\nSteps: 1, Seed: 2, Size: 3x4, {text}")
    assert time.process_time() - began < 5
