"""What the documents show is true: jobs resolve, commands and targets exist, links lead somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hotfolder import yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.intake import language
from hotfolder.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.is_file())
FENCE = re.compile(r"^( *)```([a-z]*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELLS = {"sh", "bash", "console", "powershell"}


def fences(languages: set[str]) -> Iterator[tuple[str, str]]:
    """Yield (where, content) of every fenced block in one of the languages."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[2] in languages:
                line = text.count("\n", 0, match.start()) + 1
                body = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
                yield f"{path.relative_to(ROOT)}:{line}", body


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield (where, line) of every command that a document shows, in a block or between backticks."""
    for where, body in fences(SHELLS):
        for line in body.splitlines():
            yield where, line.strip().removeprefix("$ ").removeprefix("> ").removeprefix(".venv/bin/")
    for path in DOCUMENTS:
        for span in re.findall(r"`([^`\n]+)`", FENCE.sub("", path.read_text(encoding="utf-8"))):
            yield str(path.relative_to(ROOT)), span.removeprefix(".venv/bin/")


YAML = [shown for shown in fences({"yaml"}) if not shown[0].startswith("CONTRIBUTING")]  # has a test of its own
HOTFOLDER = [(where, line) for where, line in command_lines() if line.startswith("hotfolder ")]
MAKE = [(where, line) for where, line in command_lines() if line.startswith("make ")]


@pytest.mark.parametrize(("where", "body"), YAML, ids=[where for where, _ in YAML])
def test_every_job_shown_resolves(where: str, body: str) -> None:
    for document in yamlfile.parse(body.encode(), where):
        keys = set(document.values)
        if keys <= set(Settings.model_fields):
            Settings.model_validate(document.values)
        elif not keys <= set(CAPABILITIES):  # else it is a profile
            language.resolve([document], "generate")


@pytest.mark.parametrize(("where", "line"), HOTFOLDER, ids=[line for _, line in HOTFOLDER])
def test_every_command_shown_exists(where: str, line: str) -> None:
    from hotfolder.cli import commands

    command: click.Command = commands
    for word in shlex.split(line, comments=True)[1:]:
        if word.startswith("-"):
            known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            assert word.partition("=")[0] in known | {"-h", "--help"}, f"{where}: `{line}` has no {word}"
        elif isinstance(command, click.Group) and re.fullmatch("[a-z][a-z-]*", word):
            assert word in command.commands, f"{where}: there is no `hotfolder {word}`"
            command = command.commands[word]


@pytest.mark.parametrize(("where", "line"), MAKE, ids=[line for _, line in MAKE])
def test_every_make_target_shown_exists(where: str, line: str) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for word in shlex.split(line, comments=True)[1:]:
        assert "=" in word or word.startswith("-") or word in targets, f"{where}: there is no `make {word}`"


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_every_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", FENCE.sub("", path.read_text(encoding="utf-8")))
    assert not [link for link in links if "://" not in link and not (path.parent / link).exists()]
