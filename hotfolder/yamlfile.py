"""YAML from strangers, read on the parser's event stream: bounded in size, depth and time, with a line for every key.

PyYAML's own safe loader is not used: a file of 488 bytes costs it 40 s and 800 MB (yaml/pyyaml#897), it reads `NO` as
false and `12:30:45` as a number, and it forgets all but the last of two equal keys.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from hotfolder import names
from hotfolder.errors import BadSpec, Problem

MAX_BYTES = 64 * 1024
MAX_NODES = 2_000
MAX_DEPTH = 16
MAX_CHARACTERS = 16_384
MAX_DIGITS = 20
"""Digits of the longest whole number any key takes: a seed of 64 bits."""

Path = tuple[str | int, ...]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")
"""What no text may hold: YAML's unprintable characters, and the code points that Unicode keeps out of all texts."""
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}

_SYNTAX = (
    (r"cannot start any token", "a text that begins with `{0}` needs quotes around it"),
    (r"mapping values are not allowed", "there is a second `: ` here; put the text in quotes or in a new line"),
    (r"while scanning a quoted scalar", "a quote is opened here and never closed"),
    (r"while parsing a flow", "a `{{` or `[` is not closed; texts that begin with one need quotes"),
    (r"could not find expected ':'", "this line is no `key: value`; begin long texts with `prompt: >` and indent them"),
    (r"did not find expected (key|<block end>)|block end", "this line does not line up with the others"),
    (r"sequence entries|'-' indicator", "a text that begins with `- ` needs quotes; a list begins in a new line"),
    (r"undefined alias|alias", "a text that begins with `*` or `&` needs quotes (anchors and aliases are not read)"),
    (r"tag", "a text that begins with `!` needs quotes (tags are not read)"),
    (r"escape", "there is an unknown `\\` escape between double quotes; use single quotes"),
)


@dataclass(frozen=True)
class Document:
    """One mapping out of a file. `lines` has the line (from 1) of every key and list item, by path; `()` is the first.

    `sources` holds numbers, true, false and null as they were written, so that `name: 1.10` can stay text.
    """

    name: str
    values: dict[str, Any]
    lines: dict[Path, int]
    sources: dict[Path, str] = field(default_factory=dict)

    def problem(self, path: Path, message: str) -> Problem:
        """Return a Problem that points at `path`, or at the nearest thing around it that has a line."""
        near = path
        while near and near not in self.lines:
            near = near[:-1]
        return Problem(self.name, self.lines.get(near), dotted(path), message)


def parse(data: bytes, name: str) -> list[Document]:
    """Read the YAML documents of a file, the empty ones left out.

    Args:
        data: the file's bytes, UTF-8 with or without a byte order mark, at most 64 KiB.
        name: what messages call the file.

    Raises:
        BadSpec: it is not YAML, not mappings, too large, or uses anchors, aliases, tags, merge keys or a key twice.
    """
    text = _decode(data, name)
    reader = _Reader(name)
    try:
        documents = list(reader.documents(yaml.parse(text, Loader=_Loader)))
    except yaml.MarkedYAMLError as error:
        raise BadSpec([_explain(error, text, name)]) from None
    except yaml.YAMLError as error:
        raise BadSpec([Problem(name, None, None, f"this is not YAML ({names.display(str(error))})")]) from None
    if reader.problems:
        raise BadSpec(reader.problems)
    return documents


def dotted(path: Path) -> str | None:
    """Return how messages name a place (`loras.0.weight`), None for the whole document."""
    return ".".join(names.display(str(part))[:80] for part in path) or None


def plain(text: str) -> str | float | bool | None:
    """Return what an unquoted scalar means, by YAML 1.2's JSON schema with `.5` and `1.` added; all else is text."""
    if text.lower() in _WORDS and text in (text.lower(), text.capitalize(), text.upper()):
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _decode(data: bytes, name: str) -> str:
    def refuse(line: int | None, message: str) -> NoReturn:
        raise BadSpec([Problem(name, line, None, message)])

    if len(data) > MAX_BYTES:
        refuse(None, f"the file is {len(data):,} bytes long; at most {MAX_BYTES:,} are read")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        refuse(None, "the file is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(data.count(b"\n", 0, error.start) + 1, "this is not UTF-8 text; save the file as UTF-8")
    if bad := CONTROL.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        refuse(line, f"there is a control character ({names.display(bad.group())}) here; take it out")
    return text


def _explain(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    """Turn a parser's complaint into a sentence for someone who has never heard of flow mappings."""
    mark = error.problem_mark or error.context_mark
    number = mark.line + 1 if mark else None
    lines = text.splitlines()
    number = min(number, len(lines)) if number else None
    line = lines[number - 1] if number else ""
    said = f"{error.context or ''} {error.problem or ''}"
    if re.match(r"\s*\t", line):
        return Problem(name, number, None, "tabs cannot indent YAML; use spaces")
    if ("quoted scalar" in said or "flow" in said or "simple key" in said) and error.context_mark:
        number = min(error.context_mark.line + 1, len(lines))
    if "mapping values" in said and line.startswith(" "):
        return Problem(name, number, None, "this line is indented too far, or a text with `: ` in it needs quotes")
    if "escape" not in said and (opened := re.match(r"\s*(?:- )?\w[\w ]*: +([{\[\"'])(?=.*[}\]\"'])", line)):
        return Problem(name, number, None, f"a text that begins with `{opened[1]}` needs quotes around all of it")
    for pattern, sentence in _SYNTAX:
        if re.search(pattern, said):
            start = line[mark.column : mark.column + 1] if mark else ""
            return Problem(name, number, None, sentence.format(names.display(start)))
    return Problem(name, number, None, f"this is not YAML ({said.strip()})")


class _Reader:
    """Builds documents from events, counting as it goes. `problems` are those after which reading can go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes = 0
        self.problems: list[Problem] = []

    def documents(self, events: Iterator[Any]) -> Iterator[Document]:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.lines: dict[Path, int] = {}
                self.sources: dict[Path, str] = {}
                root = next(events)
                self.lines[()] = root.start_mark.line + 1
                value = self._value(root, events, ())
                if isinstance(value, dict):
                    yield Document(self.name, value, self.lines, self.sources)
                elif value is not None:
                    hint = "; put `---` between several jobs" if isinstance(value, list) else ""
                    self._refuse(root, None, f"this must be `key: value` lines, such as `prompt: a red fox`{hint}")

    def _value(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        self._guard(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self.lines[here] = event.start_mark.line + 1
            items.append(self._value(event, events, here))
        return items

    def _mapping(self, events: Iterator[Any], path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            self._guard(event, path)
            key = self._scalar(event, path) if isinstance(event, yaml.ScalarEvent) else None
            if isinstance(event, yaml.ScalarEvent) and not event.style and event.value == "<<":
                self._refuse(event, path, "merge keys (`<<`) are not read; write the keys out")
            if not isinstance(key, str):
                hint = "" if isinstance(event, yaml.ScalarEvent) else "; a text that begins with `{` needs quotes"
                self._refuse(event, path, f"a key must be a plain word{hint}")
            line = event.start_mark.line + 1
            here = (*path, key)
            if here in self.lines:
                shown = names.display(key)
                message = f"`{shown}` stands twice, in lines {self.lines[here]} and {line}; keep one"
                self.problems.append(Problem(self.name, line, dotted(here), message))
            self.lines[here] = line
            values[key] = self._value(next(events), events, here)
        return values

    def _guard(self, event: Any, path: Path) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._refuse(event, path, f"there are more than {MAX_NODES:,} keys and values; cut the file in several")
        if len(path) >= MAX_DEPTH:
            self._refuse(event, path[:3], f"lists and mappings are nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._refuse(event, path, "anchors and aliases are not read; texts that begin with `&` or `*` need quotes")
        if event.tag is not None:
            self._refuse(event, path, "tags are not read; a text that begins with `!` needs quotes")

    def _scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if bad := CONTROL.search(text):
            self._refuse(event, path, f"there is a control character ({names.display(bad.group())}) here; take it out")
        if len(text) > MAX_CHARACTERS:
            self._refuse(event, path, f"this text is longer than {MAX_CHARACTERS:,} characters")
        if event.style:
            return text
        if len(text) > MAX_DIGITS + 1 and _INT.fullmatch(text):
            self._refuse(event, path, f"a number of {len(text):,} digits is too long; use quotes if it is text")
        value = plain(text)
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(event, path, f"the number {text[:40]} is too large; use quotes if it is text")
        if not isinstance(value, str):
            self.sources[path] = text
        return value

    def _refuse(self, event: Any, path: Path | None, message: str) -> NoReturn:
        where = Problem(self.name, event.start_mark.line + 1, dotted(path or ()), message)
        raise BadSpec([*self.problems, where])
