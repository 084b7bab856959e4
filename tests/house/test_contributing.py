"""CONTRIBUTING.md's worked example, done: its files are written into a copy of the package and put to use."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
CHAPTER = GUIDE.partition("## Add a capability")[2].partition("\n## ")[0]


def blocks() -> dict[str, str]:
    """Return the chapter's blocks by the path that the sentence before names (the last sentence names two)."""
    found: dict[str, str] = {}
    for before, body in re.findall(r"((?:[^\n]+\n)+)\n```\w+\n(.*?)^```", CHAPTER, re.MULTILINE | re.DOTALL):
        for path in re.findall(r"`([\w./]+\.(?:py|yaml))`", before):
            found[path] = body
    return found


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with the example added; what the example does not touch is linked, not copied."""
    root = tmp_path_factory.mktemp("clone")
    written = blocks()
    own = {root / path for path in written}
    copied = {folder for path in own for folder in path.parents}
    for folder in sorted(folder for folder in copied if folder.is_relative_to(root)):
        folder.mkdir(exist_ok=True)
        original = ROOT / folder.relative_to(root)
        for child in original.iterdir() if original.is_dir() else ():
            target = folder / child.name
            if target in copied or child.name in {".git", ".venv", "__pycache__"}:
                continue
            if target in own:
                target.write_bytes(child.read_bytes())
            else:
                target.symlink_to(child, target_is_directory=child.is_dir())
    for path, body in written.items():
        with open(root / path, "a", encoding="utf-8") as file:
            file.write(body)
    return root


def run(clone: Path, *words: str) -> str:
    """Run Python in the clone, whose package comes before the installed one."""
    env = {**os.environ, "PYTHONPATH": str(clone), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *words], cwd=clone, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_chapter_names_every_file() -> None:
    assert list(blocks()) == [
        "hotfolder/capabilities/mirror.py",
        "jobs/mirror.yaml",
        "tests/capabilities/test_mirror.py",
    ]


def test_its_own_test_passes(clone: Path) -> None:
    assert "2 passed" in run(clone, "-m", "pytest", "-p", "no:cacheprovider", "tests/capabilities/test_mirror.py")


def test_the_house_takes_it(clone: Path) -> None:
    passed = run(clone, "-m", "pytest", "-p", "no:cacheprovider", "tests/house/test_layout.py", "-k", "mirror")
    assert "3 passed" in passed


def test_it_is_styled_and_typed(clone: Path) -> None:
    files = [path for path in blocks() if path.endswith(".py")]
    run(clone, "-m", "ruff", "check", "--no-cache", *files)
    run(clone, "-m", "ruff", "format", "--no-cache", "--check", *files)


def test_dropped_pictures_are_mirrored(clone: Path, tmp_path: Path) -> None:
    pytest.importorskip("hotfolder.cli")
    from PIL import Image

    picture = Image.new("RGB", (64, 32), "white")
    picture.paste("red", (0, 0, 16, 16))
    workspace = tmp_path / "workspace"
    run(clone, "-m", "hotfolder", "init", str(workspace))
    (workspace / "inbox/mirror").mkdir()
    (workspace / "inbox/mirror/folder.yaml").write_text("kind: mirror\n")
    picture.save(workspace / "inbox/mirror/photo.png")
    run(clone, "-m", "hotfolder", "--workspace", str(workspace), "run", "--once")
    (result,) = (workspace / "outbox/mirror").rglob("*.png")
    with Image.open(result) as mirrored:
        assert mirrored.getpixel((63, 0)) == (255, 0, 0)
        assert mirrored.getpixel((0, 0)) == (255, 255, 255)
