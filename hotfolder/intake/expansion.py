"""`{red|blue}` and `__wildcard__` in prompts: dynamicprompts' grammar, drawn from a picture's seed, within bounds.

What differs from dynamicprompts 0.31, and why: `#`, `//`, `%` and `$` are text (it takes the first two as comments and
fails on the others); a backslash makes text of `{`, `}`, `|` and `__`; a wildcard without a file is an error; `@` and
`!` (each in turn, all combinations) count the pictures of a job. Only .txt files are read as wildcards, found in a
listing of the folder, so that no name in a prompt can lead out of it.
"""

import os
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any

import pyparsing
from dynamicprompts.commands import Command, LiteralCommand, VariantCommand, WildcardCommand
from dynamicprompts.enums import SamplingMethod
from dynamicprompts.parser.parse import parse
from dynamicprompts.samplers.random import RandomSampler
from dynamicprompts.sampling_context import SamplingContext
from dynamicprompts.sampling_result import SamplingResult
from dynamicprompts.types import ResultGen
from dynamicprompts.wildcards import WildcardManager

from hotfolder.errors import BadSpec, Problem
from hotfolder.intake import texts
from hotfolder.registry import did_you_mean
from hotfolder.sentences import shown

MAX_NESTING = 12
MAX_MARKS = 1_000
"""`{`, `|` and `__` that the prompts of one job may hold. Parsing takes 0.3 to 0.6 ms a mark, in the service."""
MAX_DRAWS = 2_000
"""Choices and pieces of text that make one prompt; more is a loop or a bomb."""
MAX_CHARACTERS = 16_384
MAX_FILE_BYTES = 4 * 1024 * 1024

_AS_TEXT = re.compile(r"\\([{}|]|__)|(#)|(/)(?=[/*])|(%)(?!\{)|(?<!\$)(\$)(?![{$])")
_HELD = {character: chr(0xFDD0 + number) for number, character in enumerate(["{", "}", "|", "__", "#", "/", "%", "$"])}
_RELEASE = {ord(held): character for character, held in _HELD.items()}


class Expander:
    """Expands prompts; reads each wildcard file once, so make a new one for each job."""

    def __init__(self, wildcards: Path) -> None:
        self._folder = wildcards
        self._files: dict[str, Path] | None = None
        self._values: dict[str, list[str]] = {}
        self._commands: dict[str, Command] = {}
        self._marks = 0

    def expand(self, template: str, draw: Random, number: int) -> str:
        """Return the text of one picture.

        Args:
            draw: decides; the same state gives the same text.
            number: how many pictures of this prompt came before, for `@` and `!`.

        Raises:
            BadSpec: the syntax is wrong, a wildcard has no file, or the text grows without end.
        """
        if needed(template) and template not in self._commands:
            self._marks += sum(map(_hold(template).count, ("{", "|", "__")))
            if self._marks > MAX_MARKS:
                raise _refuse(f"the prompts have more than {MAX_MARKS:,} choices; put long lists into wildcards/")
        sampler = _Sampler(self, draw, number)
        context = SamplingContext(
            default_sampling_method=SamplingMethod.COMBINATORIAL,
            wildcard_manager=WildcardManager(),
            samplers=dict.fromkeys(SamplingMethod, sampler),
            rand=draw,
        )
        try:
            text = next(context.generator_from_command(self.command(template))).text
        except KeyError:
            raise _refuse(f"{shown(template)} uses a `${{name}}` that is not set; write `${{name=red}}`") from None
        except (RuntimeError, StopIteration):
            raise _refuse(f"{shown(template)} expands into itself without end") from None
        text = text.translate(_RELEASE)
        if len(text) > MAX_CHARACTERS:
            raise _refuse(f"{shown(template)} expands to {len(text):,} characters, more than {MAX_CHARACTERS:,}")
        return text

    def command(self, template: str) -> Command:
        """Return the parsed template; raises BadSpec."""
        if not needed(template):
            return LiteralCommand(template)
        if template not in self._commands:
            self._commands[template] = _parse(template)
        return self._commands[template]

    def values(self, name: str) -> list[str]:
        """Return what may stand for `__name__` (`*` matches), sorted, each once; raises BadSpec where nothing may."""
        if name not in self._values:
            files = self._listing()
            pattern = name.translate(_RELEASE).replace("\\", "/").strip("/")
            found = [known for known in files if fnmatchcase(known, pattern)]
            found = found or [known for known in files if fnmatchcase(known, f"*/{pattern}")]
            if not found:
                hint = did_you_mean(pattern, files)
                raise _refuse(f"there is no {shown(pattern + '.txt')} in wildcards/ for `__{pattern[:40]}__`{hint}")
            lines = {line for known in found for line in self._lines(files[known])}
            if not lines:
                raise _refuse(f"the wildcard file {shown(found[0] + '.txt')} is empty")
            self._values[name] = sorted(lines)
        return self._values[name]

    def _listing(self) -> dict[str, Path]:
        if self._files is None:
            root = self._folder.resolve()
            self._files = {}
            for folder, folders, names in os.walk(root):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for path in (Path(folder) / name for name in sorted(names)):
                    if path.suffix.lower() == ".txt" and path.is_file() and path.resolve().is_relative_to(root):
                        self._files[path.relative_to(root).with_suffix("").as_posix()] = path
        return self._files

    def _lines(self, path: Path) -> Iterator[str]:
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise _refuse(f"the wildcard file {shown(path.name)} is larger than {MAX_FILE_BYTES:,} bytes")
            text = texts.decode(path.read_bytes(), f"wildcards/{path.name}", MAX_FILE_BYTES)
        except OSError as error:
            raise _refuse(f"the wildcard file {shown(path.name)} cannot be read ({error.strerror})") from None
        for line in map(str.strip, text.splitlines()):
            if line and not line.startswith("#"):
                yield line


def needed(text: str) -> bool:
    """Say whether anything in a prompt wants expansion."""
    return "{" in text or "__" in text


def _hold(template: str) -> str:
    """Return the template with a stand-in for every character that is text although the grammar knows it."""
    return _AS_TEXT.sub(lambda found: _HELD[found[found.lastindex or 0]], template)


def _parse(template: str) -> Command:
    held = _hold(template)
    if not needed(held):
        return LiteralCommand(held)
    depth = deepest = 0
    for character in held:
        depth += (character == "{") - (character == "}" and depth > 0)
        deepest = max(deepest, depth)
    if depth:
        raise _refuse(f"a `{{` in {shown(template)} is not closed; write `\\{{` where a brace is meant as text")
    if deepest > MAX_NESTING:
        raise _refuse(f"`{{` is nested more than {MAX_NESTING} deep")
    try:
        return parse(held)
    except pyparsing.ParseBaseException as error:
        rest = template[error.loc :]
        hint = "; `__` stands around the name of a wildcard" if "__" in rest else ""
        raise _refuse(f"the prompt cannot be read from {shown(rest)} on{hint}") from None
    except (RecursionError, ValueError, AssertionError, AttributeError, TypeError):
        raise _refuse(f"the `{{...}}` and `__...__` in {shown(template)} cannot be read") from None


def _refuse(message: str) -> BadSpec:
    return BadSpec([Problem("the job", None, "prompt", message)])


class _Sampler(RandomSampler):
    """Draws one text, counting what it does, and asks the Expander for wildcards."""

    def __init__(self, expander: Expander, draw: Random, number: int) -> None:
        self._expander = expander
        self._draw = draw
        self._number = number
        self._radix = 1
        self._draws = 0

    def generator_from_command(self, command: Command, context: SamplingContext) -> ResultGen:
        self._draws += 1
        if self._draws > MAX_DRAWS:
            raise _refuse(f"the prompt needs more than {MAX_DRAWS:,} choices; does a wildcard lead back to itself?")
        return super().generator_from_command(command, context)

    def _get_variant(self, command: VariantCommand, context: SamplingContext) -> ResultGen:
        few, many = command.min_bound, command.max_bound
        options: list[Any] = command.values
        weights: list[float] | None = command.weights
        as_command: Callable[[Any], Command] = _same
        if len(options) == 1 and isinstance(options[0], WildcardCommand):
            context = context.with_variables(options[0].variables)
            options = self._expander.values(self._name(options[0], context))
            weights = None
            as_command = self._expander.command
        few, many = min(few, len(options)), min(many, len(options))
        count = few if few == many else self._draw.randint(few, many)
        picked = self._pick(options, weights, count, command.sampling_method)
        results = [next(context.generator_from_command(as_command(option))) for option in picked]
        yield SamplingResult.joined(results, separator=command.separator)

    def _get_wildcard(self, command: WildcardCommand, context: SamplingContext) -> ResultGen:
        values = self._expander.values(self._name(command, context))
        (picked,) = self._pick(values, None, 1, command.sampling_method)
        yield next(context.with_variables(command.variables).generator_from_command(self._expander.command(picked)))

    def _name(self, command: WildcardCommand, context: SamplingContext) -> str:
        if isinstance(command.wildcard, str):
            return command.wildcard
        return next(context.generator_from_command(command.wildcard)).text

    def _pick(
        self, options: list[Any], weights: list[float] | None, count: int, method: SamplingMethod | None
    ) -> list[Any]:
        """Return `count` different options, by weight or, for `@` and `!`, by the picture's number."""
        if method in (SamplingMethod.CYCLICAL, SamplingMethod.COMBINATORIAL) and count:
            start = self._number if method is SamplingMethod.CYCLICAL else self._number // self._radix
            self._radix *= len(options) if method is SamplingMethod.COMBINATORIAL else 1
            return [options[(start + step) % len(options)] for step in range(count)]
        if weights is None:
            return self._draw.sample(options, count)
        left = list(range(len(options)))
        picked = []
        for _ in range(count):
            heavy = [weights[index] for index in left]
            index = self._draw.choices(left, heavy if any(heavy) else None)[0]
            left.remove(index)
            picked.append(options[index])
        return picked


def _same(command: Command) -> Command:
    return command
