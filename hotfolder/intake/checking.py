"""`hotfolder check`: what a job file would do, without doing it."""

from pathlib import Path

from hotfolder import yamlfile
from hotfolder.errors import Unsupported
from hotfolder.intake import language, prompts
from hotfolder.intake.presets import Presets
from hotfolder.workspace import Workspace


def check(workspace: Workspace, file: Path) -> str:
    """Return the resolved jobs of a .yaml or .txt as YAML documents.

    A file in inbox/, done/ or failed/ is read with the presets of its hot folder; elsewhere it must say its `kind` (a
    .txt is generate).

    Raises:
        BadSpec, Unsupported: with every problem found.
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
    return f"# {file.name}\n" + "---\n".join(
        language.dump(language.resolve([*layers, document], kind)) for document in documents
    )
