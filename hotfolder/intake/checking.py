"""`hotfolder check`: what a job file would do, without doing it."""

import random
from collections.abc import Callable
from pathlib import Path

from hotfolder import yamlfile
from hotfolder.errors import NotYet, Unsupported
from hotfolder.intake import again, chains, language, prompts, unfolding
from hotfolder.intake.admit import Admitter
from hotfolder.intake.pairing import is_picture
from hotfolder.intake.parts import ALONE, Draft
from hotfolder.intake.presets import Presets
from hotfolder.models.placement import Machine
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace
from hotfolder.yamlfile import Document


def check(workspace: Workspace, file: Path, machine: Callable[[], Machine]) -> str:
    """Return the resolved jobs of a .yaml, a .txt or a picture as YAML documents; of one for rerun/ or vary/ the job
    that is read out of its picture.

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
    dropped = next((path for path in (file, file.with_suffix("")) if is_picture(path.name) and path.is_file()), None)
    if dropped == file:
        documents = [Document(file.name, {}, {})]
    elif file.suffix.lower() == ".txt":
        found = prompts.prompt_lines(file.read_bytes(), file.name)
        if found and (kind == "pipeline" or chains.is_chain(found, file.name)):
            documents = [chains.from_lines(found, file.name)]
        else:
            documents = [Document(file.name, {"prompt": text}, {("prompt",): line}) for line, text in found]
        kind = kind or "generate"
    elif file.suffix.lower() in (".yaml", ".yml"):
        documents = yamlfile.parse(file.read_bytes(), file.name)
    else:
        raise Unsupported(f"{file.name}: `check` reads job files (.yaml), prompts (.txt) and pictures")
    admitter = Admitter(workspace, Presets(workspace.inbox), lambda sha256: None, random.Random(0), machine)
    shown = []
    for document in documents:
        spec = language.resolve([*layers, document], kind)
        shown.append(_outlook(admitter, spec, [*layers, document], file, dropped))
    return f"# {file.name}\n" + "---\n".join(shown)


def _outlook(admitter: Admitter, spec: JobSpec, layers: list[Document], file: Path, dropped: Path | None) -> str:
    """Return a job as YAML, under a comment that says what it would wait for where it would not start.

    Args:
        dropped: the picture it would be dropped with.

    Raises:
        JobError: it can never run.
    """
    label, before, made = "", None, spec
    try:
        picture = dropped or (admitter.named_picture(spec.image, file.parent) if spec.image else None)
        for part in unfolding.unfold(spec, layers, picture, admitter.completer):
            if spec.kind in again.RECIPES:
                made = part.spec
                picture = admitter.named_picture(made.image, file.parent) if made.image else None
            label = f"{part.label}: " if part.label else ""
            handed = chains.promised(before, part.spec) if before and part.after else ALONE
            admitter.completer.complete(Draft(file.stem, part.spec), None if part.after else picture, file.name, handed)
            before = part.spec
    except NotYet as reason:
        return f"# as things are: {label}{' '.join(str(reason).split())}\n{language.dump(made)}"
    return language.dump(made)
