"""What the light processes import. The order of the layers themselves is import-linter's (pyproject.toml)."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "peft", "bitsandbytes", "spandrel"}


def heavy_after(code: str, workspace: Path) -> set[str]:
    """Run `code` in a fresh interpreter inside `workspace` and return which heavy packages it imported."""
    report = f"print(*({HEAVY!r} & set(sys.modules)))"
    body = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n{report}"
    done = subprocess.run([sys.executable, "-c", body], cwd=workspace, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "module", ["cli", "service", "capabilities", "intake.language", "planner", "publish", "browse"]
)
def test_no_heavy_package_comes_with(module: str, tmp_path: Path) -> None:
    name = f"hotfolder.{module}"
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not there")
    assert not heavy_after(f"import {name}", tmp_path)


@pytest.mark.parametrize("words", [["status"], ["--help"], ["schema"], ["check", "job.yaml"]])
def test_commands_that_only_look_stay_light(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("kind: generate\nprompt: a red circle\n")
    assert not heavy_after(f"sys.argv[1:] = {words!r}; from hotfolder.cli import main; main()", tmp_path)


def test_every_package_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = set(re.findall(r"^[\w-]+", "\n".join(project["dependencies"]), re.MULTILINE))
    homes = importlib.metadata.packages_distributions()
    undeclared = set()
    for path in (ROOT / "hotfolder").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for top in {name.partition(".")[0] for name in names} - {"hotfolder"} - sys.stdlib_module_names:
                distributions = {home.lower().replace("_", "-") for home in homes.get(top, [top])}
                if not distributions & declared:
                    undeclared.add(f"{path.name}: {top}")
    assert not undeclared
