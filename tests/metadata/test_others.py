"""Pictures of ComfyUI, InvokeAI, SwarmUI and Fooocus: what they say of themselves, and what cannot be believed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotfolder.metadata import comfyui, fooocus, invokeai, swarmui
from hotfolder.metadata.read import read
from tests.metadata import others

SAME = {"prompt": "a fox in the snow", "negative_prompt": "cat", "steps": 3, "seed": 42, "width": 96, "height": 64}
TAROT = {"name": "tarot", "weight": 0.8}


def said(path: Path, tool: str) -> dict[str, Any]:
    found = read(path)
    assert found.tool == tool
    assert found.parameters
    return found.parameters


def test_comfyui(tmp_path: Path) -> None:
    assert said(others.comfyui(tmp_path / "x.png"), "comfyui") == SAME | {
        "sampler": "euler",
        "schedule": "simple",
        "guidance": 7.0,
        "model": "v1-5-pruned-emaonly.safetensors",
        "loras": [{"name": "styles\\tarot.safetensors", "weight": 0.8}],
    }


def test_comfyui_with_flux_and_its_own_sampler(tmp_path: Path) -> None:
    own = {key: value for key, value in SAME.items() if key != "negative_prompt"}
    assert said(others.comfyui(tmp_path / "x.png", others.FLUX), "comfyui") == own | {
        "sampler": "dpmpp_2m",
        "schedule": "simple",
        "guidance": 3.5,
        "model": "flux1-dev.safetensors",
        "loras": [{"name": "tarot.safetensors", "weight": 0.8}],
    }


def test_comfyuis_webp(tmp_path: Path) -> None:
    tags = {others.MODEL: f"prompt:{json.dumps(others.COMFYUI)}", others.MAKE: 'workflow:{"nodes": []}'}
    assert said(others.with_exif(tmp_path / "x.webp", tags), "comfyui")["prompt"] == "a fox in the snow"


def graph(changes: dict[str, Any], base: dict[str, Any] = others.COMFYUI) -> dict[str, Any]:
    """Return what a graph says with some inputs of its nodes changed."""
    changed: dict[str, Any] = json.loads(json.dumps(base))
    for key, node in changes.items():
        changed.setdefault(key, {"class_type": "Any", "inputs": {}})
        changed[key] = {**changed[key], **node, "inputs": {**changed[key]["inputs"], **node.get("inputs", {})}}
    return comfyui.parse(json.dumps(changed)) or {}


def test_a_second_pass_does_not_count() -> None:
    again = {**others.COMFYUI["3"]["inputs"], "seed": 7, "steps": 9, "denoise": 0.5, "latent_image": ["12", 0]}
    larger = {"samples": ["3", 0], "upscale_method": "bicubic", "width": 192, "height": 128}
    found = graph({"11": {"inputs": again}, "12": {"inputs": larger}, "8": {"inputs": {"samples": ["11", 0]}}})
    assert (found["seed"], found["steps"], found["width"], found.get("strength")) == (42, 3, 96, None)


def test_a_picture_begun_from_another() -> None:
    changes = {"5": {"class_type": "VAEEncode", "inputs": {"pixels": ["11", 0], "vae": ["4", 2]}}}
    del (bare := json.loads(json.dumps(others.COMFYUI)))["5"]
    changes |= {"11": {"inputs": {"image": "example.png"}}, "3": {"inputs": {"denoise": 0.6}}}
    found = graph(changes, bare)
    assert (found["strength"], found.get("width")) == (0.6, None)


def test_a_controlled_picture_keeps_both_prompts_apart() -> None:
    apply = {"strength": 0.7, "positive": ["6", 0], "negative": ["7", 0], "control_net": ["4", 0], "image": ["4", 0]}
    found = graph({"11": {"inputs": apply}, "3": {"inputs": {"positive": ["11", 0], "negative": ["11", 1]}}})
    assert (found["prompt"], found["negative_prompt"]) == ("a fox in the snow", "cat")


def test_several_prompts_and_none() -> None:
    both = {"conditioning_1": ["6", 0], "conditioning_2": ["7", 0]}
    zero = {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["6", 0]}}
    found = graph({"11": {"inputs": both}, "12": zero,
                   "3": {"inputs": {"positive": ["11", 0], "negative": ["12", 0]}}})  # fmt: skip
    assert found["prompt"] == "a fox in the snow, cat"
    assert "negative_prompt" not in found


def test_numbers_and_loras_out_of_other_nodes() -> None:
    stack = {"lora_1": {"on": True, "lora": "a.safetensors", "strength": 0.5}, "lora_2": {"on": False, "lora": "b"},
             "model": ["4", 0]}  # fmt: skip
    found = graph(
        {"11": {"inputs": {"seed": 99}}, "12": {"inputs": stack}, "3": {"inputs": {"seed": ["11", 3]}},
         "10": {"inputs": {"model": ["12", 0]}}}
    )  # fmt: skip
    assert found["seed"] == 99
    assert [lora["name"] for lora in found["loras"]] == ["a.safetensors", "styles\\tarot.safetensors"]


def test_invokeai(tmp_path: Path) -> None:
    expected = {"sampler": "euler", "guidance": 4.0, "cfg": 1.0, "model": "FLUX Dev", "loras": [TAROT]}
    assert said(others.invokeai(tmp_path / "x.png"), "invokeai") == SAME | expected


def test_older_invokeai(tmp_path: Path) -> None:
    third = {**others.INVOKEAI, "model": {"model_name": "sdxl"}, "scheduler": "dpmpp_2m_k",
             "loras": [{"lora": {"model_name": "tarot"}, "weight": 0.8}]}  # fmt: skip
    found = invokeai.parse(json.dumps(third)) or {}
    assert (found["model"], found["sampler"], found["schedule"], found["loras"]) == (
        "sdxl", "dpmpp_2m", "karras", [TAROT],
    )  # fmt: skip
    path = others.png(tmp_path / "x.png", **{"sd-metadata": json.dumps(others.SD_METADATA), "Dream": '"a" -s 3'})
    expected = {"sampler": "k_euler", "guidance": 7.5, "model": "stable-diffusion-1.5"}
    assert said(path, "invokeai") == SAME | expected


SWARMS = {"sampler": "dpmpp_2m", "schedule": "karras", "guidance": 3.5, "cfg": 1.0, "model": "Flux/flux1-dev",
          "loras": [TAROT]}  # fmt: skip


def test_swarmui(tmp_path: Path) -> None:
    assert said(others.swarmui(tmp_path / "x.png"), "swarmui") == SAME | SWARMS
    comment = b"UNICODE\0" + json.dumps(others.SWARMUI).encode("utf-16-le")
    assert said(others.with_exif(tmp_path / "x.jpg", {}, comment, "JPEG"), "swarmui") == SAME | SWARMS


FOOOCUS = {"sampler": "dpmpp_2m", "schedule": "karras", "guidance": 4.0, "model": "juggernautXL_v8Rundiffusion",
           "model_hash": "aeb7e9e689", "styles": "['Fooocus Cinematic']", "loras": [TAROT]}  # fmt: skip


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_fooocus(tmp_path: Path, format: str) -> None:
    assert said(others.fooocus(tmp_path / "x.png"), "fooocus") == SAME | FOOOCUS
    tags = {others.USER_COMMENT: json.dumps(others.FOOOCUS), 0x0131: "Fooocus v2.5.5", others.MAKER_NOTE: "fooocus"}
    assert said(others.with_exif(tmp_path / "x", tags, format=format), "fooocus") == SAME | FOOOCUS


def test_a_graph_beside_a1111s_text(tmp_path: Path) -> None:
    """Some nodes of ComfyUI write both; the text is what their writer wanted to be read."""
    path = others.png(tmp_path / "x.png", parameters=others.A1111, prompt=json.dumps(others.COMFYUI))
    assert said(path, "a1111")["model"] == "v1-5-pruned-emaonly"


PARSERS = (comfyui.parse, invokeai.parse, invokeai.parse_older, swarmui.parse, fooocus.parse)
TEXTS = (others.COMFYUI, others.FLUX, others.INVOKEAI, others.SD_METADATA, others.SWARMUI, others.FOOOCUS)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["3", "6", "10"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A tool's own JSON in which some values are anything."""
    whole = json.loads(json.dumps(draw(st.sampled_from(TEXTS))))
    for _ in range(draw(st.integers(1, 4))):
        inside = whole
        while True:
            key = draw(st.sampled_from(sorted(inside)))
            if isinstance(inside[key], dict) and inside[key] and draw(st.booleans()):
                inside = inside[key]
            else:
                inside[key] = draw(ANY)
                break
    return json.dumps(whole)


@settings(max_examples=150, deadline=None)
@given(broken())
def test_nothing_raises_and_every_value_is_of_its_type(text: str) -> None:
    for parse in PARSERS:
        for key, value in (parse(text) or {}).items():
            expected = {"steps": int, "seed": int, "width": int, "height": int, "guidance": float, "cfg": float,
                        "strength": float, "variation": float, "variation_seed": int, "loras": list}  # fmt: skip
            assert type(value) is expected.get(key, str), key


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"x"', "null", "[" * 900_000, '{"a":' * 180_000, "1" * 5_000])
def test_other_texts_are_none(text: str) -> None:
    assert [parse(text) for parse in PARSERS] == [None] * len(PARSERS)


def loop() -> dict[str, Any]:
    nodes = {str(n): {"inputs": {"model": [str(n + 1), 0], "conditioning": [str(n + 1), 0], "text_a": [str(n + 1), 0],
             "samples": [str(n + 1), 0], "value": [str(n + 1), 0]}} for n in range(4_000)}  # fmt: skip
    nodes["4000"] = {"inputs": {"model": ["0", 0], "conditioning": ["0", 0], "text": ["0", 0]}}
    return nodes


def fans() -> dict[str, Any]:
    """Each node takes the two after it, by every name: 2**300 ways."""
    names = ("model", "conditioning", "text", "text_a", "string_b", "samples", "value", "positive", "negative")
    return {str(n): {"inputs": {name: [str(n + 1 + i % 2), 0] for i, name in enumerate(names)}} for n in range(300)}


def saves() -> dict[str, Any]:
    return {str(n): {"class_type": "Save", "inputs": {"images": [str(n + 1), 0]}} for n in range(12_000)}


@pytest.mark.parametrize("nodes", [loop(), fans(), saves()])
def test_loops_and_mazes_take_no_time(nodes: dict[str, Any]) -> None:
    sampler = {name: ["0", 0] for name in ("model", "positive", "negative", "latent_image", "seed", "steps", "cfg")}
    text = json.dumps({**nodes, "s": {"class_type": "K", "inputs": sampler}, "e": {"inputs": {"images": ["s", 0]}}})
    began = time.process_time()
    comfyui.parse(text)
    assert time.process_time() - began < 5  # without a limit it would take hours
