"""The schema for editors agrees with what `resolve` takes."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from hotfolder import yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.intake import language
from hotfolder.intake.schema import json_schema
from hotfolder.spec import JobSpec
from tests.language.broken import JOBS

ROOT = Path(__file__).parents[2]
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

GOOD = [
    "prompt: 1984\nname: 1.10\ntags: [1, true, x]",
    "prompt: [a, 2]\nsize: 1024x768\nnum_inference_steps: 4\ncfg: 3\nn: 2\nseed:",
    "size: [64, 32]",
    "size: 512\nloras: tarot",
    "loras: [tarot, {name: koda, weight: 0.8}]\ntags: a, b",
    "lora: {name: koda}",
    "kind: txt2img\nprompt: a",
    "kind: esrgan\nfactor: 2",
    "factor: 2",
    "control: {type: canny, image: a.png}\nmatrix: {steps: [1, 2], prompt: [a, b]}",
    "settle_s: 3\nrequire_sidecar: true",
    "kind: generate\non_keep: {kind: upscale}",
    "kind: pipeline\npipeline: [{kind: upscale}]\nseed: 3",
]
BEYOND = {
    "mean the same",
    "mean",
    "both say how large",
    "belongs in a",
    "means nothing",
    "from 16",
    "18446744073709551616",
}
"""Words of the sentences about what a schema cannot or need not know."""


def test_the_schema_is_one_and_plain_json() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA == json_schema()


@pytest.mark.parametrize("text", GOOD)
def test_takes_what_resolve_takes(text: str) -> None:
    (document,) = yamlfile.parse(text.encode(), "folder.yaml")
    VALIDATOR.validate(document.values)


@pytest.mark.parametrize(
    "text", [text for text, _, _, sentence in JOBS if not any(word in sentence for word in BEYOND)]
)
def test_refuses_what_resolve_refuses(text: str) -> None:
    (document,) = yamlfile.parse(text.encode(), "job.yaml")
    values = {"kind": "generate", **document.values}
    assert not VALIDATOR.is_valid(values)


def test_keys_that_mean_nothing_to_a_kind() -> None:
    assert not VALIDATOR.is_valid({"kind": "upscale", "steps": 3})
    assert not VALIDATOR.is_valid({"kind": "upscale", "size": 3})
    assert not VALIDATOR.is_valid({"kind": "generate", "factor": 3})


def test_every_key_is_described() -> None:
    properties = SCHEMA["properties"]
    assert set(JobSpec.model_fields) - {"options"} <= set(properties)
    for key, schema in properties.items():
        assert schema.get("description"), key


@pytest.mark.parametrize("kind", list(CAPABILITIES))
def test_every_kind_has_an_example_that_resolves(kind: str) -> None:
    path = ROOT / "jobs" / f"{kind}.yaml"
    (document,) = yamlfile.parse(path.read_bytes(), path.name)
    spec = language.resolve([document], None)
    assert spec.kind == kind
    VALIDATOR.validate(document.values)


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").glob("*.yaml")), ids=lambda path: path.name)
def test_what_an_example_leaves_commented_out_is_right_too(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    whole = re.sub(r"(?m)^# (\w+: )", r"\1", text)
    assert whole != text
    (document,) = yamlfile.parse(whole.encode(), path.name)
    language.resolve([document], None)
    VALIDATOR.validate(document.values)
