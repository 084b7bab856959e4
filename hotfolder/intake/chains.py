"""Chains as they are written: `pipeline: [...]` in YAML, `[kind|lora] text` in a text file; and their steps as parts.

A key beside `pipeline` counts for every step that knows it and does not say otherwise. But `image` is the first
step's; `prompt` and `mask` belong to the first step that takes them; `variants`, `format`, `quality` and `on_keep` to
the last.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Capability, Recipe
from hotfolder.errors import BadSpec, NotYet, Problem
from hotfolder.intake import language
from hotfolder.intake.parts import Handed, Part
from hotfolder.intake.words import KEY_ALIASES, understood
from hotfolder.sentences import shown
from hotfolder.spec import JobSpec
from hotfolder.yamlfile import Document

MAX_STEPS = 20
_STEP = re.compile(r"\[\s*([\w\s-]+?)\s*(?:\|([^\]]*))?\]\s*(.*)")
_OF_THE_CHAIN = {"kind", "pipeline", "image_sha256", "name", "matrix"}
_OF_THE_LAST = {"variants", "format", "quality", "on_keep"}
_OF_ONE = ("prompt", "mask")


def is_chain(lines: Sequence[tuple[int, str]], name: str) -> bool:
    """Say whether the lines of a text file are a chain: its first begins with a kind in brackets.

    Raises:
        BadSpec: a later line begins a step, and the first does not.
    """
    is_step = [bool((step := _STEP.match(line)) and language.kind_of(step[1])) for _, line in lines]
    if any(is_step) and not is_step[0]:
        number, line = lines[is_step.index(True)]
        message = f"{shown(line)} is a step of a chain, and the lines before it are none; put a chain into a file alone"
        raise BadSpec([Problem(name, number, None, message)])
    return is_step[0]


def from_lines(lines: Sequence[tuple[int, str]], name: str) -> Document:
    """Return the chain that the lines of a text file are, as if it had been written as YAML.

    Args:
        lines: each with its number from 1.
        name: what messages call the file.

    Raises:
        BadSpec: a line is no step.
    """
    steps: list[dict[str, Any]] = []
    places: dict[tuple[str | int, ...], int] = {(): lines[0][0], ("pipeline",): lines[0][0]}
    problems = []
    for number, line in lines:
        written = _STEP.match(line)
        if written is None:
            message = f"{shown(line)} is no step of a chain; a step begins with its kind, such as `[upscale]`"
            problems.append(Problem(name, number, None, message))
            continue
        step: dict[str, Any] = {"kind": written[1]}
        if written[3]:
            step["prompt"] = written[3]
        if named := [lora.strip() for lora in re.split(r"[|,]", written[2] or "") if lora.strip()]:
            step["loras"] = [_lora(lora) for lora in named]
        places |= {("pipeline", len(steps), *key): number for key in ((), *((key,) for key in step))}
        steps.append(step)
    if problems:
        raise BadSpec(problems)
    return Document(name, {"pipeline": steps}, places)


def _lora(written: str) -> dict[str, Any]:
    """Return `tarot` or `tarot:0.8` as an entry of `loras`."""
    name, _, weight = written.rpartition(":")
    try:
        return {"name": name.strip(), "weight": float(weight)} if name else {"name": written}
    except ValueError:
        return {"name": written}


def parts(spec: JobSpec, layers: Sequence[Document], picture: Path | None) -> tuple[Part, ...]:
    """Return the steps of a chain, each after the one before it.

    Args:
        spec: the chain, resolved from `layers`.
        picture: what its first step works on, None for none.

    Raises:
        BadSpec: with every problem of every step.
        NotYet: nothing says yet which steps it has.
    """
    written = next((layer for layer in reversed(layers) if layer.values.get("pipeline") is not None), None)
    if written is None or spec.pipeline is None:
        raise NotYet("needs the steps of its chain: write `pipeline:` into a job file or a folder.yaml beside it")
    if not 1 <= len(spec.pipeline) <= MAX_STEPS:
        count = f"{len(spec.pipeline)} steps; at most {MAX_STEPS} can be run" if spec.pipeline else "no step"
        raise BadSpec([written.problem(("pipeline",), f"this chain has {count}")])
    steps = [_document(written, number) for number in range(len(spec.pipeline))]
    problems: list[Problem] = []
    kinds = [_kind(step, number, problems) for number, step in enumerate(steps)]
    takers = {key: _taker(key, kinds, steps) for key in _OF_ONE}
    specs: list[JobSpec] = []
    resolved: list[tuple[Document, ...]] = []
    for number, (kind, step) in enumerate(zip(kinds, steps, strict=True)):
        if kind is None:
            continue
        idle = _OF_THE_CHAIN | (_OF_THE_LAST if number < len(steps) - 1 else set()) | ({"image"} if number else set())
        idle |= {key for key, taker in takers.items() if taker != number}
        own = (*(_shared(layer, kind, idle) for layer in layers), step)
        try:
            specs.append(language.resolve(own, None))
            resolved.append(own)
        except BadSpec as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise BadSpec(sorted(problems, key=lambda problem: (problem.file, problem.line or 0)))
    _refuse_what_does_not_join(specs, steps, picture)
    digits, last = len(str(len(specs))), len(specs) - 1
    labels = [label(number, len(specs), one.kind) for number, one in enumerate(specs, start=1)]
    return tuple(
        Part(
            spec=one,
            layers=resolved[number],
            ending=f".{number + 1:0{digits}}-{one.kind}" if number < last else "",
            after=(number - 1,) if number else (),
            label=labels[number],
            waits=f"waits for {labels[number - 1]}" if number else None,
        )
        for number, one in enumerate(specs)
    )


def needs_picture(spec: JobSpec) -> bool:
    """Say whether the first step of a chain works on a picture and names none."""
    first = spec.pipeline[0] if spec.pipeline else {}
    kind = language.kind_of(str(first.get("kind")))
    own = spec.image or any(KEY_ALIASES.get(key, key) == "image" for key in first)
    if kind is None or issubclass(CAPABILITIES[kind], Recipe):  # what is wrong with it is said at once
        return False
    return "image" in CAPABILITIES[kind].needs and not own


def label(number: int, of: int, kind: str) -> str:
    """Return how sentences call a step."""
    return f"step {number} of {of}, {kind}"


def _document(written: Document, number: int) -> Document:
    """Return one step of a written chain as a document of its own, with the lines it has there."""
    here = ("pipeline", number)
    values = written.values["pipeline"][number]
    lines = {path[2:]: line for path, line in written.lines.items() if path[:2] == here}
    sources = {path[2:]: text for path, text in written.sources.items() if path[:2] == here}
    return Document(written.name, values, lines, sources)


def _kind(step: Document, number: int, problems: list[Problem]) -> type[Capability] | None:
    """Return the capability of a step; where it can have none, adds a problem."""
    word = step.values.get("kind")
    if word is None:
        nested = "pipeline" in step.values
        said = "a chain within a chain; write its steps here" if nested else "without a `kind`"
        problems.append(step.problem(("pipeline",) if nested else (), f"step {number + 1} is {said}"))
        return None
    kind = language.kind_of(str(word))
    if kind is None:
        try:
            language.resolve([step], None)
        except BadSpec as error:
            problems += [problem for problem in error.problems if problem.key == "kind"]
        return None
    if issubclass(CAPABILITIES[kind], Recipe):
        said = "write its steps here" if kind == "pipeline" else "it makes jobs of its own"
        problems.append(step.problem(("kind",), f"`{kind}` cannot be a step of a chain: {said}"))
        return None
    return CAPABILITIES[kind]


def _taker(key: str, kinds: Sequence[type[Capability] | None], steps: Sequence[Document]) -> int | None:
    """Return the first step that takes a key of the chain's and has none of its own: best one that needs it."""
    free = [(number, kind) for number, kind in enumerate(kinds) if kind and key not in steps[number].values]
    needing = [number for number, kind in free if key in kind.needs]
    return next(iter([*needing, *(number for number, kind in free if key in kind.uses)]), None)


def _shared(layer: Document, kind: type[Capability], idle: set[str]) -> Document:
    """Return what a layer says of one step: without the keys that are not this step's. A preset's may mean nothing."""
    values = {}
    for key, value in layer.values.items():
        own = "width" if key == "size" else KEY_ALIASES.get(key, key)
        if own not in idle and (language.is_preset(layer) or own in understood(kind)):
            values[key] = value
    return Document(layer.name, values, layer.lines, layer.sources)


def _refuse_what_does_not_join(specs: Sequence[JobSpec], steps: Sequence[Document], picture: Path | None) -> None:
    """Raise BadSpec for steps that cannot work on what the one before them makes."""
    problems = []
    is_there = picture is not None or specs[0].image is not None
    for number, (spec, step) in enumerate(zip(specs, steps, strict=True)):
        capability, name = CAPABILITIES[spec.kind], label(number + 1, len(specs), spec.kind)
        if number and spec.image:
            problems.append(step.problem(("image",), f"{name}, works on what step {number} makes, not on an `image:`"))
        if number and spec.mask and hands_mask(specs[number - 1], spec):
            problems.append(step.problem(("mask",), f"{name}, gets the mask of step {number}; keep one of the two"))
        if "image" in capability.needs and not is_there:
            before = (
                "the steps before it make none"
                if number
                else "it comes first; drop one with the chain, or name it with `image:`"
            )
            problems.append(step.problem(("kind",), f"{name}, needs a picture, and {before}"))
        is_there = is_there or capability.hands_on != "prompt"
        for key, count in (("variants", spec.variants), ("prompt", _count(spec))):
            if count > 1 and number < len(specs) - 1:
                message = f"{name}, makes {count} pictures, and step {number + 2} works on one"
                problems.append(step.problem((key,), f"{message}; only the last step may make several"))
    if problems:
        raise BadSpec(problems)


def _count(spec: JobSpec) -> int:
    return len(spec.prompt) if isinstance(spec.prompt, tuple) else 1


def hands_mask(before: JobSpec, spec: JobSpec) -> bool:
    """Say whether a step is given the mask that the step before it makes; for others that is a picture as any."""
    return CAPABILITIES[before.kind].hands_on == "mask" and "mask" in CAPABILITIES[spec.kind].uses


def hands_words(before: JobSpec, spec: JobSpec) -> bool:
    """Say whether the words that the step before makes are a step's prompt: of one that needs words, or paints."""
    capability = CAPABILITIES[spec.kind]
    takes = "prompt" in capability.needs or {"prompt", "seed"} <= capability.uses
    return CAPABILITIES[before.kind].hands_on == "prompt" and takes and not spec.prompt


def takes_picture(before: JobSpec, spec: JobSpec) -> bool:
    """Say whether a step works on the picture of the step before it; words alone make a new one, unless the step says
    how much of the old one is changed."""
    capability = CAPABILITIES[spec.kind]
    from_words = hands_words(before, spec) and "image" not in capability.needs and spec.strength is None
    return "image" in capability.uses | capability.needs and not from_words


def promised(before: JobSpec, spec: JobSpec) -> Handed:
    """Return what a step will get of the step before it, as far as that is known beforehand."""
    return Handed(
        prompt="words" if hands_words(before, spec) else None,
        mask="mask.png" if hands_mask(before, spec) else None,
        has_picture=takes_picture(before, spec),
    )
