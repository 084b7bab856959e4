"""The job language as a JSON Schema, for editors that complete and check YAML while it is written."""

from typing import Any

from hotfolder import sentences
from hotfolder.capabilities import CAPABILITIES
from hotfolder.intake.words import KEY_ALIASES, LATER_KEYS, understood
from hotfolder.spec import IntakeKeys, JobSpec, LoraUse

Schema = dict[str, Any]

_ID = "https://hotfolder.invalid/job.schema.json"
_SIZE = {
    "description": "1024x768, [1024, 768] or 1024 for a square; pixels",
    "anyOf": [
        {"type": "string", "pattern": "^ *[0-9]{1,6} ?[xX×*] ?[0-9]{1,6} *$"},
        {"type": "integer", "minimum": 16, "maximum": 65_535},
        {"type": "array", "items": {"type": "integer", "minimum": 16, "maximum": 65_535}, "minItems": 2, "maxItems": 2},
    ],
}


def json_schema() -> Schema:
    """Return the schema (draft 2020-12) of one job or preset: the common keys, and each kind's own by its `kind`."""
    common = {key: _property(key, schema) for key, schema in sentences.fields(JobSpec).items() if key != "options"}
    common["size"] = _SIZE
    common["kind"] = {
        "description": "what to do; default: the hot folder's name",
        "anyOf": [{"enum": _kind_words(kind), "title": kind} for kind in CAPABILITIES],
    }
    for alias, key in KEY_ALIASES.items():
        common[alias] = {**common[key], "description": f"another name of `{key}`"}
    intake = {
        key: {**schema, "description": f"{schema['description']} (only in a folder.yaml)"}
        for key, schema in sentences.fields(IntakeKeys).items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ID,
        "title": "hotfolder job",
        "type": "object",
        "properties": {**common, **intake},
        "allOf": [_any_options(), *(_branch(kind) for kind in CAPABILITIES)],
        "unevaluatedProperties": False,
    }


def _branch(kind: str) -> Schema:
    """Return what holds where `kind` is this kind: its options, and that keys it has no use for stay away."""
    capability = CAPABILITIES[kind]
    counts = understood(capability) | {key for key, kinds in LATER_KEYS.items() if kind in kinds}
    options = _options(kind)
    idle = {key for key in sentences.fields(JobSpec) if key not in counts | {"options"}} - options.keys()
    names = (
        idle | {alias for alias, key in KEY_ALIASES.items() if key in idle} | ({"size"} if "width" in idle else set())
    )
    return {
        "if": {"properties": {"kind": {"enum": _kind_words(kind)}}, "required": ["kind"]},
        "then": {"properties": {**options, **dict.fromkeys(sorted(names), False)}},
    }


def _options(kind: str) -> Schema:
    return {key: _property(key, schema) for key, schema in sentences.fields(CAPABILITIES[kind].Options).items()}


def _any_options() -> Schema:
    """Return what holds where `kind` is left to the hot folder: the options of every kind."""
    return {
        "if": {"not": {"required": ["kind"]}},
        "then": {"properties": {key: schema for kind in CAPABILITIES for key, schema in _options(kind).items()}},
    }


def _kind_words(kind: str) -> list[str]:
    return [kind, *CAPABILITIES[kind].aliases]


def _property(key: str, schema: Schema) -> Schema:
    """Return a field's schema as `resolve` reads it: empty allowed, bare numbers for text, one item for a list."""
    bare = {name: value for name, value in schema.items() if name not in ("description", "default", "title")}
    branches = [_lenient(branch) for branch in schema.get("anyOf", [bare])]
    if key == "loras":
        branches = [{"type": "array", "items": {"anyOf": [LORA, TEXT]}}, LORA, TEXT]
    if key == "tags":
        branches.append(TEXT)
    described = {"description": schema["description"]} if "description" in schema else {}
    return {**described, "anyOf": [*branches, {"type": "null"}]}


def _lenient(node: Any) -> Any:
    """Return a copy of a schema in which text may also be a number or a boolean written without quotes."""
    if isinstance(node, list):
        return [_lenient(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "string" and "enum" not in node and "const" not in node:
        return {"anyOf": [node, {"type": ["number", "boolean"]}]}
    return {key: _lenient(value) for key, value in node.items() if key not in ("default", "title")}


TEXT: Schema = {"type": "string"}
LORA: Schema = _lenient({"type": "object", **LoraUse.model_json_schema()})
