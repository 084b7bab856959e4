"""`hotfolder check`: what a job file would do, without doing it."""

import random
from collections.abc import Callable
from pathlib import Path

from hotfolder import yamlfile
from hotfolder.errors import NotYet, Unsupported
from hotfolder.intake import chains, language, prompts, unfolding
from hotfolder.intake.admit import Admitter
from hotfolder.intake.parts import ALONE, Draft
from hotfolder.intake.presets import Presets
from hotfolder.models.placement import Machine
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace
from hotfolder.yamlfile import Document


def check(workspace: Workspace, file: Path, machine: Callable[[], Machine]) -> str:
    """Return the resolved jobs of a .yaml or .txt as YAML documents.

    A file in inbox/, done/ or failed/ is read with the presets of its hot folder; elsewhere it must say its `kind` (a
    .txt is generate).

    A comment above a job says what it would wait for as things are here; `machine` says what it would run on.

    Raises:
        JobError: with every problem found, or why the job can never run.
    """
    file = file.absolute()
    layers, kind = [], None
    for base in (workspace.inbox, workspace.done, workspace.failed):
        if file.is_relative_to(base):
            hot = Presets(workspace.inbox).of(file.parent.relative_to(base).as_posix().removeprefix("."))
            layers, kind = list(hot.layers), hot.kind
    data = file.read_bytes()
    if file.suffix.lower() == ".txt":
        found = prompts.prompt_lines(data, file.name)
        if found and (kind == "pipeline" or chains.is_chain(found, file.name)):
            documents = [chains.from_lines(found, file.name)]
        else:
            documents = [Document(file.name, {"prompt": text}, {("prompt",): line}) for line, text in found]
        kind = kind or "generate"
    elif file.suffix.lower() in (".yaml", ".yml"):
        documents = yamlfile.parse(data, file.name)
    else:
        raise Unsupported(f"{file.name}: `check` reads job files (.yaml) and prompts (.txt)")
    admitter = Admitter(workspace, Presets(workspace.inbox), lambda sha256: None, random.Random(0), machine)
    shown = []
    for document in documents:
        spec = language.resolve([*layers, document], kind)
        shown.append(_outlook(admitter, spec, [*layers, document], file) + language.dump(spec))
    return f"# {file.name}\n" + "---\n".join(shown)


def _outlook(admitter: Admitter, spec: JobSpec, layers: list[Document], file: Path) -> str:
    """Return a comment that says what a job would wait for, "" where it would start.

    Raises:
        JobError: it can never run.
    """
    label, before = "", None
    try:
        picture = admitter.named_picture(spec.image, file.parent) if spec.image else None
        for part in unfolding.unfold(spec, layers, picture, admitter.completer):
            label = f"{part.label}: " if part.label else ""
            handed = chains.promised(before, part.spec) if before and part.after else ALONE
            admitter.completer.complete(Draft(file.stem, part.spec), None if part.after else picture, file.name, handed)
            before = part.spec
    except NotYet as reason:
        return f"# as things are: {label}{' '.join(str(reason).split())}\n"
    return ""
