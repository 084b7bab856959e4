"""Checks a written value against a field's JSON Schema and says what is wrong as a person would.

pydantic's own errors name union branches and Python types; and its lax mode would read `steps: "20"` or `seed: true`.
Only what pydantic's schemas of our models contain is known here; pydantic itself has the last word.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from hotfolder import names
from hotfolder.errors import Problem
from hotfolder.registry import did_you_mean
from hotfolder.yamlfile import Document, Path, plain

Schema = dict[str, Any]


@cache
def fields(model: type[BaseModel]) -> dict[str, Schema]:
    """Return the JSON Schema of every field, references resolved."""
    schema = model.model_json_schema()
    resolved: dict[str, Schema] = _resolve(schema.get("properties", {}), schema.get("$defs", {}))
    return resolved


def _resolve(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_resolve(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _resolve(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {key: _resolve(value, definitions) for key, value in node.items()}


def read(document: Document, path: Path, value: Any, schema: Schema, problems: list[Problem]) -> Any:
    """Return `value` as the schema wants it, numbers and booleans as written where text is wanted.

    What does not fit is added to `problems`, with its place in the document.
    """
    branches = [branch for branch in schema.get("anyOf", [schema]) if branch.get("type") != "null"]
    fitting = [branch for branch in branches if _is_kind(value, branch)]
    if not fitting and isinstance(value, bool | int | float) and any(b.get("type") == "string" for b in branches):
        written = document.sources.get(path, str(value).lower() if isinstance(value, bool) else str(value))
        return read(document, path, written, schema, problems)
    if not fitting:
        quoted = " in quotes" if isinstance(value, str) and not isinstance(plain(value), str) else ""
        problems.append(document.problem(path, f"{_key(path)} must be {wanted(schema)}, not {shown(value)}{quoted}"))
        return value
    attempts = []
    for branch in fitting:
        found: list[Problem] = []
        result = _read_branch(document, path, value, branch, schema, found)
        if not found:
            return result
        attempts.append(found)
    problems.extend(attempts[-1])
    return value


def _read_branch(
    document: Document, path: Path, value: Any, branch: Schema, schema: Schema, problems: list[Problem]
) -> Any:
    if isinstance(value, list):
        few, many = branch.get("minItems", 0), branch.get("maxItems", len(value))
        if not few <= len(value) <= many:
            problems.append(document.problem(path, f"{_key(path)} must be {wanted(schema)}, not {_count(value)}"))
            return value
        each = branch.get("prefixItems") or [branch.get("items", {})] * len(value)
        return [
            read(document, (*path, i), item, part, problems)
            for i, (item, part) in enumerate(zip(value, each, strict=False))
        ]
    if isinstance(value, dict):
        return _read_mapping(document, path, value, branch, problems)
    if isinstance(value, str) and len(value) > branch.get("maxLength", len(value)):
        limit = branch["maxLength"]
        problems.append(document.problem(path, f"{_key(path)} is {len(value):,} characters long, more than {limit:,}"))
    elif not _in_range(value, branch):
        problems.append(document.problem(path, f"{_key(path)} must be {wanted(schema)}, not {shown(value)}"))
    return value


def _read_mapping(document: Document, path: Path, value: Any, branch: Schema, problems: list[Problem]) -> Any:
    known = branch.get("properties")
    if known is None:
        each = branch.get("additionalProperties")
        each = each if isinstance(each, dict) else {}
        return {key: read(document, (*path, key), item, each, problems) for key, item in value.items()}
    missing = [key for key in branch.get("required", ()) if value.get(key) is None]
    problems.extend(document.problem(path, f"{_key(path)} needs `{key}`") for key in missing)
    result = {}
    for key, item in value.items():
        if key not in known:
            hint = did_you_mean(key, known) or f" (it has {', '.join(f'`{name}`' for name in known)})"
            problems.append(document.problem((*path, key), f"unknown key {shown(key)} in {_key(path)}{hint}"))
        elif item is not None:
            result[key] = read(document, (*path, key), item, known[key], problems)
    return result


def _is_kind(value: Any, branch: Schema) -> bool:
    match branch.get("type"):
        case None:
            return True
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def _in_range(value: Any, branch: Schema) -> bool:
    if "enum" in branch or "const" in branch:
        return value in branch.get("enum", [branch.get("const")])
    if isinstance(value, str):
        fits = branch.get("minLength", 0) <= len(value) <= branch.get("maxLength", len(value))
        return fits and re.search(branch.get("pattern", ""), value) is not None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    over = value >= branch.get("minimum", value) and value > branch.get("exclusiveMinimum", value - 1)
    return bool(over and value <= branch.get("maximum", value) and value < branch.get("exclusiveMaximum", value + 1))


def _count(items: list[Any]) -> str:
    return {0: "an empty list", 1: "1 item"}.get(len(items), f"{len(items):,} items")


def wanted(schema: Schema) -> str:
    """Say what a schema takes: "a whole number from 1 to 1000"."""
    branches = [branch for branch in schema.get("anyOf", [schema]) if branch.get("type") != "null"]
    return " or ".join(dict.fromkeys(_wanted(branch) for branch in branches))


def _wanted(branch: Schema) -> str:
    if "enum" in branch or "const" in branch:
        words = [shown(word) for word in branch.get("enum", [branch.get("const")])]
        return f"one of {', '.join(words)}" if len(words) > 1 else words[0]
    low = branch.get("minimum", branch.get("exclusiveMinimum"))
    high = branch.get("maximum", branch.get("exclusiveMaximum"))
    span = ""
    if low is not None and high is not None:
        first = f"above {_number(low)} and up" if "exclusiveMinimum" in branch else f"from {_number(low)}"
        span = f" {first} {'to below' if 'exclusiveMaximum' in branch else 'to'} {_number(high)}"
    elif low is not None:
        span = f" above {_number(low)}" if "exclusiveMinimum" in branch else f" of at least {_number(low)}"
    elif high is not None:
        span = f" below {_number(high)}" if "exclusiveMaximum" in branch else f" of at most {_number(high)}"
    match branch.get("type"):
        case "integer":
            return f"a whole number{span}"
        case "number":
            return f"a number{span}"
        case "boolean":
            return "true or false"
        case "array" if "prefixItems" in branch:
            return f"a list of {len(branch['prefixItems'])}: {', '.join(map(wanted, branch['prefixItems']))}"
        case "array":
            few = f" of at least {branch['minItems']}" if branch.get("minItems", 1) > 1 else ""
            return f"a list{few} (each {wanted(branch['items'])})" if branch.get("items") else f"a list{few}"
        case "object":
            keys = ", ".join(f"`{key}`" for key in branch.get("properties", ()))
            return f"a mapping with the keys {keys}" if keys else "a mapping of keys to values"
        case _:
            return f"text like {branch['pattern']}" if "pattern" in branch else "text"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def shown(value: Any) -> str:
    """Return a value as messages show it: short, in backquotes, without control characters."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, dict):
        return "a mapping (a text that begins with `{` needs quotes)"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else names.display(str(value))
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


def _key(path: Path) -> str:
    return "`" + ".".join(names.display(str(part))[:40] for part in path) + "`"


def validation_problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    """Give pydantic's last word, about what a JSON Schema cannot say, as Problems of `document`.

    Of a value that may be several things it gives one error for each, behind the names of Python types; those that say
    in our words what is wrong with it stand alone then.
    """
    details = error.errors(include_url=False, include_input=False)
    ours = {detail["loc"][:1] for detail in details if detail["type"] == "value_error"}
    for detail in details:
        if detail["type"] != "value_error" and detail["loc"][:1] in ours:
            continue
        path: Path = detail["loc"][:1]
        for part in detail["loc"][1:]:
            path = (*path, part) if (*path, part) in document.lines else path
        said = detail["msg"].removeprefix("Value error, ")
        yield document.problem(path, f"{_key(path)}: {said}" if path else said)
