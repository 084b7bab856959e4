"""`matrix: {steps: [4, 8], seed: [1, 2]}`: a job for each combination of the values, and one that draws their sheet.

The first key's values are the sheet's columns, the second's its rows; further keys make blocks of it.
"""

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Recipe
from hotfolder.errors import BadSpec, Problem
from hotfolder.intake import language
from hotfolder.intake.pairing import is_picture
from hotfolder.intake.parts import Part
from hotfolder.intake.words import KEY_ALIASES, understood
from hotfolder.spec import JobSpec
from hotfolder.yamlfile import Document, Path

MAX_CELLS = 400
MAX_ENDING_BYTES = 80
MAX_WORD = 24
"""Characters of one value in a file's name."""
MAX_LABEL = 200
_FIXED = {"matrix", "kind", "name", "pipeline", "image_sha256", "on_keep"}
_OF_THE_SHEET = ("format", "quality", "tags", "note", "priority")


def parts(spec: JobSpec, layers: Sequence[Document]) -> tuple[Part, ...]:
    """Return the jobs of the cells, row after row, and the sheet's, which comes after all of them.

    Without a `seed` all cells have one and the same. It follows from what they have in common, so that a matrix which
    is tried again, perhaps with other values, goes on with the seed it had.

    Raises:
        BadSpec: with every value that is wrong, each with its line.
    """
    written = next(layer for layer in reversed(layers) if layer.values.get("matrix") is not None)
    table: dict[str, list[Any]] = written.values["matrix"]
    _refuse_what_is_no_table(spec, table, written)
    base = tuple(_without_matrix(layer) for layer in layers)
    own_seed = random.Random(spec.model_copy(update={"matrix": None}).model_dump_json(exclude_defaults=True))
    common: dict[str, Any] = {"name": None, "contact_sheet": False}
    if "seed" in understood(CAPABILITIES[spec.kind]) and spec.seed is None:
        common["seed"] = own_seed.randrange(2**32 - spec.variants)
    problems: dict[Problem, None] = {}
    cells: list[tuple[JobSpec, Document]] = []
    # the first key's values follow each other fastest: they are the columns
    choices = itertools.product(*(range(len(table[key])) for key in reversed(table)))
    places = [dict(zip(reversed(table), choice, strict=True)) for choice in choices]
    for place in places:
        cell = _document(written, place)
        try:
            one = language.resolve([*base, cell], spec.kind)
            update = {key: value for key, value in common.items() if key != "seed" or one.seed is None}
            cells.append((one.model_copy(update=update), cell))
        except BadSpec as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise BadSpec(list(problems))
    words = {key: [_word(value) for value in values] for key, values in table.items()}
    endings = _endings(["".join(f"_{key}-{words[key][place[key]]}" for key in table) for place in places])
    has_own_picture = any(KEY_ALIASES.get(key, key) == "image" for key in table)
    jobs = [
        Part(one, (*base, cell), ending=ending, takes_picture=not has_own_picture)
        for (one, cell), ending in zip(cells, endings, strict=True)
    ]
    return (*jobs, _sheet(spec, table, written, len(jobs)))


def names_pictures(spec: JobSpec) -> bool:
    """Say whether the cells of a job's matrix name the pictures that they work on."""
    return any(KEY_ALIASES.get(key, key) == "image" for key in spec.matrix or ())


def _refuse_what_is_no_table(spec: JobSpec, table: dict[str, list[Any]], written: Document) -> None:
    """Raise BadSpec for a matrix of which no cell could be made."""

    def refuse(path: tuple[str, ...], message: str) -> None:
        raise BadSpec([written.problem(path, message)])

    if issubclass(CAPABILITIES[spec.kind], Recipe):
        refuse(("matrix",), f"`matrix` does not go with `{spec.kind}`, which makes jobs of its own")
    for key, values in table.items():
        if KEY_ALIASES.get(key, key) in _FIXED:
            refuse(("matrix", key), f"`{key}` is the same for all cells of a matrix; write it beside `matrix:`")
        if not values:
            refuse(("matrix", key), f"`matrix.{key}` is an empty list; give it values, or take it out")
    count = math.prod(map(len, table.values()))
    if count > MAX_CELLS:
        shape = " x ".join(str(len(values)) for values in table.values())
        refuse(("matrix",), f"this matrix has {shape} = {count:,} cells; at most {MAX_CELLS} are made")
    if count < 2:
        refuse(("matrix",), "this matrix has one cell; give a key of it two values or more: `matrix: {steps: [4, 8]}`")


def _without_matrix(layer: Document) -> Document:
    values = {key: value for key, value in layer.values.items() if key != "matrix"}
    return Document(layer.name, values, layer.lines, layer.sources)


def _document(written: Document, place: dict[str, int]) -> Document:
    """Return the keys of one cell as a document of its own, with the lines that its values have in the matrix."""
    table = written.values["matrix"]
    values = {key: table[key][place[key]] for key in table}
    lines: dict[Path, int] = {(): written.lines.get(("matrix",), 1)}
    sources: dict[Path, str] = {}
    for key, number in place.items():
        here = ("matrix", key, number)
        lines |= {(key, *path[3:]): line for path, line in written.lines.items() if path[:3] == here}
        sources |= {(key, *path[3:]): text for path, text in written.sources.items() if path[:3] == here}
    return Document(written.name, values, lines, sources)


def _sheet(spec: JobSpec, table: dict[str, list[Any]], written: Document, count: int) -> Part:
    labels = [[f"{key}: {_label(value)}" for value in values] for key, values in table.items()]
    options: dict[str, Any] = {"pictures": ("",) * count, "columns": labels[0]}
    if len(labels) > 1:
        options["rows"] = labels[1]
    if len(labels) > 2:
        options["blocks"] = [", ".join(reversed(choice)) for choice in itertools.product(*reversed(labels[2:]))]
    own = {key: getattr(spec, key) for key in _OF_THE_SHEET}
    sheet = JobSpec(kind="sheet", options=options, **own)
    waits = f"waits for the {count} cells of its matrix"
    return Part(sheet, (written,), ending="_sheet", after=tuple(range(count)), waits=waits)


def _label(value: Any) -> str:
    """Return a value as it stands on the sheet."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " + ".join(map(_label, value))
    if isinstance(value, dict):
        return " ".join(map(_label, value.values()))
    text = str(value)
    return text if len(text) <= MAX_LABEL else f"{text[:MAX_LABEL]}…"


def _word(value: Any) -> str:
    """Return a value as it stands in a file's name: short, without what a name cannot hold."""
    text = _label(value)
    if isinstance(value, str) and is_picture(value):
        text = PurePosixPath(value).stem
    return re.sub(r"[^\w.]+", "-", text)[:MAX_WORD].strip("-.") or "empty"


def _endings(wanted: list[str]) -> list[str]:
    """Return what comes behind the name of each cell: no two alike, none too long; numbers make them so."""
    cut = [ending.encode()[:MAX_ENDING_BYTES].decode(errors="ignore") for ending in wanted]
    often, digits = Counter(cut), len(str(len(wanted)))
    return [
        f"{ending}_{number:0{digits}}" if often[ending] > 1 else ending for number, ending in enumerate(cut, start=1)
    ]
