"""`hotfolder check`: what a job file would do, without doing it."""

import random
from collections.abc import Callable
from pathlib import Path

from hotfolder import yamlfile
from hotfolder.errors import NotYet, Unsupported
from hotfolder.intake import language, prompts
from hotfolder.intake.admit import Admitter
from hotfolder.intake.parts import Draft
from hotfolder.intake.presets import Presets
from hotfolder.models.placement import Machine
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace


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
        documents = [yamlfile.Document(file.name, {"prompt": text}, {("prompt",): line}) for line, text in found]
        kind = kind or "generate"
    elif file.suffix.lower() in (".yaml", ".yml"):
        documents = yamlfile.parse(data, file.name)
    else:
        raise Unsupported(f"{file.name}: `check` reads job files (.yaml) and prompts (.txt)")
    admitter = Admitter(workspace, Presets(workspace.inbox), lambda sha256: None, random.Random(0), machine)
    specs = [language.resolve([*layers, document], kind) for document in documents]
    return f"# {file.name}\n" + "---\n".join(_outlook(admitter, spec, file) + language.dump(spec) for spec in specs)


def _outlook(admitter: Admitter, spec: JobSpec, file: Path) -> str:
    """Return a comment that says what a job would wait for, "" where it would start.

    Raises:
        JobError: it can never run.
    """
    try:
        picture = admitter.named_picture(spec.image, file.parent) if spec.image else None
        admitter.completer.complete(Draft(file.stem, spec), picture, file.name)
    except NotYet as reason:
        return f"# as things are: {' '.join(str(reason).split())}\n"
    return ""
