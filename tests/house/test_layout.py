"""What keeps "one capability is one file, one example, one test" true, and files small."""

import shutil
import subprocess
from pathlib import Path

import pytest

from hotfolder import yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.intake import language

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
KINDS = list(CAPABILITIES)


@pytest.mark.parametrize("kind", KINDS)
def test_every_capability_has_its_own_file(kind: str) -> None:
    assert CAPABILITIES[kind].__module__ == f"hotfolder.capabilities.{kind}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_capability_has_an_example_that_resolves(kind: str) -> None:
    example = ROOT / "jobs" / f"{kind}.yaml"
    for document in yamlfile.parse(example.read_bytes(), example.name):
        assert language.resolve([document], None).kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_capability_has_a_test_file(kind: str) -> None:
    assert (ROOT / "tests" / "capabilities" / f"test_{kind}.py").is_file()


def test_no_module_grows_too_long() -> None:
    modules = (ROOT / "hotfolder").rglob("*.py")
    long = {path.name: len(path.read_text().splitlines()) for path in modules}
    assert not {name: lines for name, lines in long.items() if lines > MAX_LINES}


def test_every_module_says_what_it_is() -> None:
    modules = (ROOT / "hotfolder").rglob("*.py")
    assert not [path for path in modules if path.stat().st_size and not path.read_text().startswith('"""')]


def test_the_project_refers_to_nothing_that_a_reader_does_not_have() -> None:
    outside = ["../" + "shared", "/work/" + "main", "SPEC" + ".md", "DESIGN" + ".md", "INTEROP" + ".md"]
    outside += [
        "RELIABILITY" + ".md",
        "PERFORMANCE" + ".md",
        "MODELS" + ".md",
        "FIX" + "ME",
        "TO" + "DO:",
        "issue " + "#",
    ]
    listed = shutil.which("git") and subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if not listed or listed.returncode != 0:
        pytest.skip("not a git checkout")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "ignore")
            found += [f"{name}: {word}" for word in outside if word in text]
    assert not found


def test_weights_are_loaded_without_the_network() -> None:
    """A worker that asked the hub would wait for it, and fetch what nobody agreed to."""
    loads = ("from_pretrained(", "from_single_file(", ".load_config(")
    for path in (ROOT / "hotfolder").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for number, call in enumerate(text.split("\n")):
            if any(load in call for load in loads) and "def " not in call:
                following = "\n".join(text.split("\n")[number : number + 8])
                assert "local_files_only=True" in following, f"{path.name}:{number + 1}"
