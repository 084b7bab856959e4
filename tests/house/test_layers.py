"""What the light processes import. The order of the layers themselves is import-linter's (pyproject.toml)."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "diffusers", "transformers", "peft", "bitsandbytes", "spandrel"}


def heavy_after(code: str, workspace: Path) -> set[str]:
    """Run `code` in a fresh interpreter inside `workspace` and return which heavy packages it imported."""
    report = f"print(*({HEAVY!r} & set(sys.modules)))"
    body = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n{report}"
    done = subprocess.run([sys.executable, "-c", body], cwd=workspace, capture_output=True, text=True, timeout=60)
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
    if importlib.util.find_spec("hotfolder.cli") is None:
        pytest.skip("no commands yet")
    (tmp_path / "job.yaml").write_text("kind: generate\nprompt: a red circle\n")
    assert not heavy_after(f"sys.argv[1:] = {words!r}; from hotfolder.cli import main; main()", tmp_path)
