"""`rerun` and `vary`: the job that made a picture, out of what the picture says of itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotfolder import names, yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Recipe
from hotfolder.errors import BadSpec, JobError, NotYet, RejectedInput
from hotfolder.intake import language, translating
from hotfolder.intake.completing import Completer
from hotfolder.intake.parts import Part
from hotfolder.intake.words import KEY_ALIASES
from hotfolder.metadata import read
from hotfolder.spec import JobSpec
from hotfolder.yamlfile import Document

VARIATION = 0.2
VARIANTS = 4
TOOLS = {
    "hotfolder": "hotfolder",
    "a1111": "an A1111 web UI",
    "comfyui": "ComfyUI",
    "invokeai": "InvokeAI",
    "swarmui": "SwarmUI",
    "fooocus": "Fooocus",
}
"""How sentences call what made a picture."""
OURS = ("rerun of ", "variation of ")
"""How the line begins that is added to a job's note."""

_OF_ONE = {"name", "priority", "variants", "note", "matrix", "variation", "variation_seed"}
"""Keys of a finished job that were for that picture alone."""
_OF_RECIPE = {"kind", "image", "image_sha256"}
"""Keys of a job file in rerun/ or vary/ that say what is to be made again."""


@dataclass
class _Recalled:
    """What a picture says: the keys of its job as a document, the seed it was made from, and what is to be said."""

    document: Document
    kind: str
    seed: int | None
    tool: str
    told: list[str] = field(default_factory=list)
    is_sheet: bool = False
    """It shows all pictures of its job."""


def rerun(spec: JobSpec, layers: Sequence[Document], picture: Path, completer: Completer) -> tuple[Part, ...]:
    """Return the job that made a picture, without its seed; what `layers` say counts more.

    Raises:
        NotYet, JobError: as `unfolding.unfold`; RejectedInput where the picture does not say how it was made.
    """
    recalled = _recall(spec, picture, completer)
    return (_part(recalled, layers, {}, f"rerun of {_seeded(recalled, picture)}"),)


def vary(spec: JobSpec, layers: Sequence[Document], picture: Path, completer: Completer) -> tuple[Part, ...]:
    """Return the job that makes variations of a picture: its seed locked, its noise moved a little.

    Raises:
        NotYet, JobError: as `rerun`; RejectedInput where its seed is not known.
    """
    recalled = _recall(spec, picture, completer)
    name = names.display(picture.name)
    if recalled.is_sheet and recalled.kind != "sheet":
        raise RejectedInput(f"{name} shows several pictures; drop the one that is to be varied")
    if recalled.kind != "generate":
        raise RejectedInput(f"{name} was made by `{recalled.kind}`, and only what `generate` made can be varied")
    if recalled.seed is None:
        raise RejectedInput(f"{name} does not say which seed it was made from, so nothing is there to vary; use rerun/")
    if recalled.tool != "hotfolder":
        recalled.told.append(f"a seed makes another picture here than in {TOOLS[recalled.tool]}")
    if spec.options.get("variation") == 0:
        problem = layers[-1].problem(("variation",), "`variation: 0` would change nothing; 0.05 is a little, 0.5 much")
        raise BadSpec([problem])
    given = {"seed": recalled.seed, "variants": VARIANTS, "variation": VARIATION}
    return (_part(recalled, layers, given, f"variation of {_seeded(recalled, picture)}"),)


def _seeded(recalled: _Recalled, picture: Path) -> str:
    seed = "" if recalled.seed is None else f", seed {recalled.seed}"
    return f"{names.display(picture.name)}{seed}"


def _part(recalled: _Recalled, layers: Sequence[Document], given: dict[str, Any], line: str) -> Part:
    """Return the job: what the picture says, what the recipe adds, what its user wants otherwise; and the line that
    says where it comes from, with what was left out, in its note."""
    own = [_without_recipe(layer) for layer in layers]
    added = Document("the recipe", given, {})
    mixed = (recalled.document, added, *own)
    spec = language.resolve(mixed, recalled.kind)
    note = "\n".join(filter(None, (spec.note, "; ".join((line, *recalled.told)))))
    return Part(spec.model_copy(update={"note": note}), mixed, takes_picture=False)


def _without_recipe(layer: Document) -> Document:
    values = {key: value for key, value in layer.values.items() if KEY_ALIASES.get(key, key) not in _OF_RECIPE}
    return Document(layer.name, values, layer.lines, layer.sources)


def _recall(spec: JobSpec, picture: Path, completer: Completer) -> _Recalled:
    """Return what a picture says of how it was made; raises RejectedInput where that is nothing."""
    name = names.display(picture.name)
    try:
        found = read.read(picture)
    except OSError as error:
        raise NotYet(f"{name} cannot be read: {error.strerror}") from None
    if found.job:
        return _own(found.job, spec, name, found.record.get("kind") == "sheet")
    if found.parameters:
        document, told = translating.translated(found.parameters, spec, picture, completer)
        return _Recalled(document, "generate", found.parameters.get("seed"), found.tool, told)
    raise RejectedInput(
        f"{name} does not say how it was made: hotfolder, A1111, Forge, SD.Next, ComfyUI, InvokeAI, SwarmUI and "
        "Fooocus write that into their pictures, and many programs and sites take it out; write its words into a .txt "
        "in inbox/generate/ for a new one"
    )


def _own(job: dict[str, Any], spec: JobSpec, name: str, is_sheet: bool) -> _Recalled:
    """Return the job that is kept in a picture of ours, as far as it is for another picture too; that of a sheet with
    as many pictures as it shows."""
    seed, note = job.get("seed"), job.get("note")
    other = {"model"} if spec.profile and not spec.model else set()  # another profile has another model
    kept = {key: value for key, value in job.items() if key not in {"seed", *_OF_ONE, *other}}
    kept |= {key: job[key] for key in ("variants", "variation") if is_sheet and key in job}
    if isinstance(note, str):
        kept["note"] = "\n".join(line for line in note.splitlines() if not line.startswith(OURS)) or None
    try:
        (document,) = yamlfile.parse(json.dumps(kept, ensure_ascii=False).encode(), f"the job in {name}")
        kind = language.resolve([document], None).kind
    except (JobError, ValueError) as error:
        why = "a text in it is damaged" if isinstance(error, UnicodeError) else error
        raise RejectedInput(f"the job that is kept in {name} cannot be used: {why}") from None
    if issubclass(CAPABILITIES[kind], Recipe):
        raise RejectedInput(f"the job that is kept in {name} cannot be used: `{kind}` makes no picture itself")
    told = ["it is a variation itself: this begins from its seed"] if "variation" in job else []
    return _Recalled(document, kind, seed if isinstance(seed, int) else None, "hotfolder", told, is_sheet)


RECIPES = {"rerun": rerun, "vary": vary}
