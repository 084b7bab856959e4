"""The job language: presets and a sidecar in, one JobSpec out; and back to YAML.

Every layer is checked whole, so that one reading of the messages mends a file. A key that the job itself gets wrong is
an error; one that a preset sets for other kinds than this job's is passed over.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from hotfolder import sentences, yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.errors import BadSpec, Problem, Unsupported
from hotfolder.intake.words import KEY_ALIASES, LATER_KEYS, understood
from hotfolder.registry import did_you_mean
from hotfolder.sentences import Schema, shown
from hotfolder.spec import IntakeKeys, JobSpec
from hotfolder.yamlfile import Document

PRESET = "folder.yaml"
_LORA_TAG = re.compile(r"[ \t]*<lora:([^<>:]{1,200})(?::([^<>]{0,40}))?>")
_WEIGHT = re.compile(r"[+-]?[0-9]{0,3}\.?[0-9]{1,9}")
_SIZE = re.compile(r"([0-9]{1,6}) ?[x×*] ?([0-9]{1,6})", re.IGNORECASE)


def resolve(layers: Sequence[Document], default_kind: str | None) -> JobSpec:
    """Make one job of what was written for it.

    Args:
        layers: presets (files named folder.yaml) from parent to child folder, then the job's own file; later ones win.
        default_kind: the hot folder's name, for jobs that do not say `kind`.

    Raises:
        BadSpec: with every problem of every layer.
        Unsupported: all is well written, and something in it comes in a later version.
    """
    problems: list[Problem] = []
    readings = [_Reading(layer, problems) for layer in layers]
    kind = _kind(readings, default_kind, problems)
    values: dict[str, Any] = {}
    options: dict[str, Any] = {}
    origins: dict[str, Document] = {}
    for reading in readings:
        common, own = reading.split(kind)
        values.update(common)
        options.update(own)
        origins.update(dict.fromkeys((*common, *own), reading.document))
    if problems:
        raise BadSpec(sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line or 0)))
    values = {key: value for key, value in values.items() if value is not None}
    options = {key: value for key, value in options.items() if value is not None}
    _refuse_later(kind, values, origins)
    given = layers[-1] if layers else Document(f"{default_kind}/{PRESET}", {}, {})
    try:
        checked = CAPABILITIES[kind].Options.model_validate(options)
        spec = {**values, "kind": kind, "options": checked.model_dump(mode="json", exclude_unset=True)}
        return JobSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors()[0]["loc"]
        raise BadSpec(list(sentences.validation_problems(origins.get(str(*first[:1]), given), error))) from None


def intake_keys(layers: Sequence[Document]) -> IntakeKeys:
    """Return how a folder takes files, from its presets (parent first); raises BadSpec."""
    problems: list[Problem] = []
    known = sentences.fields(IntakeKeys)
    values: dict[str, Any] = {}
    for layer in layers:
        for key in layer.values.keys() & known.keys():
            values[key] = sentences.read(layer, (key,), layer.values[key], known[key], problems)
    if problems:
        raise BadSpec(problems)
    return IntakeKeys.model_validate({key: value for key, value in values.items() if value is not None})


def kind_of(word: str) -> str | None:
    """Return the kind that a word stands for (`Kontext` -> `edit`), None for a word nobody knows."""
    return _kind_words().get(_plain(word))


def _kind_words() -> dict[str, str]:
    return {word: kind for kind in CAPABILITIES for word in (kind, *CAPABILITIES[kind].aliases)}


def _plain(word: str) -> str:
    return re.sub(r"[-\s]+", "_", word.strip().lower())


def _kind(readings: "Sequence[_Reading]", default_kind: str | None, problems: list[Problem]) -> str:
    """Return the strongest layer's kind; where none is usable, adds a problem and returns ""."""
    for reading in reversed(readings):
        word = reading.values.get("kind")
        if word is None and reading.values.get("pipeline") is not None:
            return "pipeline"
        if isinstance(word, str):
            if kind := kind_of(word):
                return kind
            hint = did_you_mean(_plain(word), _kind_words()) or f"; kinds are {', '.join(_kinds())}"
            problems.append(reading.document.problem(("kind",), f"unknown kind {shown(word)}{hint}"))
            return ""
    if default_kind and (kind := kind_of(default_kind)):
        return kind
    here = readings[-1].document if readings else Document(f"{default_kind or 'inbox'}/{PRESET}", {}, {})
    why = f"the folder's name, {shown(default_kind)}, is no kind of job" if default_kind else "the job has no `kind`"
    problems.append(here.problem((), f"{why}; write `kind:` with one of {', '.join(_kinds())}"))
    return ""


def _kinds() -> list[str]:
    return sorted(CAPABILITIES)


@dataclass
class _Reading:
    """One layer, its keys under their own names, its common values checked. Problems go to the shared list."""

    document: Document
    problems: list[Problem]
    values: dict[str, Any] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in self.document.values.items():
            own = KEY_ALIASES.get(key, key)
            if own in self.written:
                self._problem(key, f"`{self.written[own]}` and `{key}` mean the same; keep one")
                continue
            self.written[own] = key
            self.values[own] = value
        if "size" in self.values:
            self._size(self.values.pop("size"))
        for key, value in self.values.items():
            if isinstance(value, str) and key == "tags":
                self.values[key] = [tag.strip() for tag in value.split(",") if tag.strip()]
            if key == "loras":
                self.values[key] = _loras(value)
            if key == "format" and isinstance(value, str):
                plain = value.lower().removeprefix(".")
                self.values[key] = "jpeg" if plain == "jpg" else plain
        self._take_lora_tags(self.values.get("prompt"))

    def split(self, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values that count for this kind, checked: common ones, and the kind's options."""
        common_schema = sentences.fields(JobSpec)
        option_schema = sentences.fields(CAPABILITIES[kind].Options) if kind in CAPABILITIES else {}
        common: dict[str, Any] = {}
        options: dict[str, Any] = {}
        for key, value in self.values.items():
            if key in option_schema:
                options[key] = self._read(key, value, option_schema[key])
            elif key in common_schema and key != "options":
                checked = self._read(key, value, common_schema[key])
                if self._counts(key, kind):
                    common[key] = checked
            else:
                self._foreign(key, kind, option_schema)
        return common, options

    def _read(self, key: str, value: Any, schema: Schema) -> Any:
        if value is None:
            return None
        return sentences.read(self.document, (self.written[key],), value, schema, self.problems)

    def _counts(self, key: str, kind: str) -> bool:
        """Say whether a common key means something to the kind; the job's own file may not hold one that does not."""
        if kind not in CAPABILITIES or key in understood(CAPABILITIES[kind]):
            return True
        if kind in LATER_KEYS.get(key, ()):
            return True
        if not is_preset(self.document) and self.values[key] is not None:
            self._problem(self.written[key], f"`{self.written[key]}` means nothing to `{kind}`; take it out")
        return False

    def _foreign(self, key: str, kind: str, option_schema: dict[str, Schema]) -> None:
        """Deal with a key that is neither common nor an option of the kind."""
        if key in IntakeKeys.model_fields:
            if not is_preset(self.document):
                self._problem(key, f"`{key}` belongs in a {PRESET}, not in a job")
            return
        owners = [other for other in CAPABILITIES if key in CAPABILITIES[other].Options.model_fields]
        if owners and is_preset(self.document):
            return
        if owners and kind:
            self._problem(key, f"{shown(key)} means nothing to `{kind}`; it is a key of {', '.join(owners)}")
        elif kind in CAPABILITIES:
            known = [*(sentences.fields(JobSpec).keys() - {"options"}), *option_schema, *KEY_ALIASES, "size"]
            known += IntakeKeys.model_fields if is_preset(self.document) else ()
            self._problem(key, f"unknown key {shown(key)}{did_you_mean(_plain(key), known)}")

    def _size(self, size: Any) -> None:
        """Turn `size` into `width` and `height`."""
        for edge in ("width", "height"):
            if edge in self.written:
                self._problem(self.written[edge], f"`size` and `{self.written[edge]}` both say how large; keep one")
                return
        edges: tuple[Any, ...]
        if size is None:
            edges = (None, None)
        elif isinstance(size, int) and not isinstance(size, bool):
            edges = (size, size)
        elif isinstance(size, str) and (match := _SIZE.fullmatch(size.strip())):
            edges = (int(match[1]), int(match[2]))
        elif isinstance(size, list) and len(size) == 2:
            edges = tuple(size)
        else:
            self._problem("size", f"`size` must be like 1024x768, [1024, 768] or 1024, not {shown(size)}")
            return
        for edge, value in zip(("width", "height"), edges, strict=True):
            self.values[edge] = value
            self.written[edge] = "size"

    def _take_lora_tags(self, prompt: Any) -> None:
        """Turn `<lora:name:0.8>` in a prompt, as web UIs write it, into an entry of `loras`."""
        if isinstance(prompt, list) and any(isinstance(text, str) and _LORA_TAG.search(text) for text in prompt):
            self._problem(self.written["prompt"], "all prompts of a list have the same LoRAs; name them with `loras:`")
        if not isinstance(prompt, str) or not (tags := list(_LORA_TAG.finditer(prompt))):
            return
        uses = self.values.get("loras") or []
        named = {use.get("name") for use in uses if isinstance(use, dict)} if isinstance(uses, list) else set()
        for tag in tags:
            before = prompt[: tag.start()]
            if before.count("{") > before.count("}") or not _WEIGHT.fullmatch(tag[2] or "1"):
                message = f"{shown(tag[0].strip())} must be like <lora:name:0.8>, outside of {{ }}; or use `loras:`"
                self._problem(self.written["prompt"], message)
            elif isinstance(uses, list) and tag[1] not in named:
                uses = [*uses, {"name": tag[1], "weight": float(tag[2] or 1)}]
        self.values["prompt"] = _LORA_TAG.sub("", prompt).strip()
        self.values["loras"] = uses
        self.written.setdefault("loras", self.written["prompt"])

    def _problem(self, key: str, message: str) -> None:
        self.problems.append(self.document.problem((key,), message))


def _loras(value: Any) -> Any:
    """Return `tarot`, `{name: tarot}` and lists of them as a list of mappings; anything else as it is."""
    if isinstance(value, str | dict):
        value = [value]
    if isinstance(value, list):
        return [{"name": item} if isinstance(item, str) else item for item in value]
    return value


def is_preset(document: Document) -> bool:
    """Say whether a document is a folder's preset: what a job has no use for is passed over there."""
    return document.name.replace("\\", "/").rpartition("/")[2] == PRESET


def _refuse_later(kind: str, values: dict[str, Any], origins: dict[str, Document]) -> None:
    """Raise Unsupported for what is right and not built yet."""
    later = [
        str(origins[key].problem((key,), f"`{key}` comes later; this version of hotfolder does {kind} without it"))
        for key, value in values.items()
        if value and key not in understood(CAPABILITIES[kind])
    ]
    if later:
        raise Unsupported("\n".join(later))


def written(spec: JobSpec) -> dict[str, Any]:
    """Return a spec as a user would write it: one flat mapping, defaults left out, in the order of JobSpec."""
    values = spec.model_dump(mode="json", exclude_defaults=True)
    values |= values.pop("options", {})
    if "loras" in values:
        values["loras"] = [use["name"] if use.keys() == {"name"} else use for use in values["loras"]]
    return values


def dump(spec: JobSpec) -> str:
    """Return the YAML that `resolve` reads as this very spec."""
    return as_yaml(written(spec))


def as_yaml(values: dict[str, Any]) -> str:
    """Return the YAML of a job that is written as one flat mapping, as it stands in a picture's record."""
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes for `yamlfile`: no aliases, quotes where its scalar rules differ from PyYAML's, long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if re.search("[\r\x85\u2028\u2029]", text):  # line breaks that only an escape keeps as they are
        style = '"'
    elif yamlfile.plain(text) != text:
        style = "'"
    elif re.fullmatch(r"(\S|\S.*\S)(\n+(\S|\S.*\S))+\n?", text):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
