"""The setup script: what it decides and what it says. Installing itself is what every other test rests on."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()


@pytest.fixture
def setup() -> ModuleType:
    """Return scripts/setup.py as a module of its own."""
    spec = importlib.util.spec_from_file_location("house_setup", ROOT / "scripts" / "setup.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("system", "machine", "has_nvidia", "cuda", "index"),
    [
        ("Windows", "AMD64", True, "13.2", "https://download.pytorch.org/whl/cu132"),
        ("Windows", "AMD64", True, "12.8", "https://download.pytorch.org/whl/cu128"),
        ("Windows", "AMD64", False, "13.2", None),
        ("Windows", "ARM64", True, "13.2", None),
        ("Windows", "AMD64", True, None, None),
        ("Linux", "x86_64", True, "13.2", None),
        ("Linux", "aarch64", True, "13.2", None),
        ("Darwin", "arm64", False, "13.2", None),
    ],
)
def test_pytorch_comes_from_its_cuda_index_only_where_pypi_has_no_cuda(
    setup: ModuleType, system: str, machine: str, has_nvidia: bool, cuda: str | None, index: str | None
) -> None:
    assert setup.torch_index(system, machine, has_nvidia, cuda) == index


def test_the_cuda_build_is_the_one_the_lock_was_made_for(setup: ModuleType) -> None:
    index = setup.torch_index("Windows", "AMD64", True, setup.cuda_of(LOCK))
    locked = re.search(r"^torch==(\S+)", LOCK, re.MULTILINE)
    assert index and locked
    build = index.rpartition("/")[2]
    assert re.fullmatch(r"cu\d{3}", build)
    assert f"torch=={locked[1]}+{build}" in setup.torch_requirements(LOCK, index)


def test_only_pytorchs_own_packages_come_from_its_index(setup: ModuleType) -> None:
    lock = "torch==2.15.0\ntorchvision==0.29.0 ; sys_platform == 'win32'\ntorchsde==0.2\nnumpy==2.4.6\n"
    assert setup.torch_requirements(lock, "https://x/whl/cu132/") == [
        "torch==2.15.0+cu132",
        "torchvision==0.29.0+cu132",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("ERROR: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError('Failed to resolve pypi.org')", "could not be reached"),
        ("ReadTimeoutError: read timed out", "could not be reached"),
        ("ERROR: something else", "pip could not install"),
    ],
)
def test_what_pip_says_becomes_a_sentence(setup: ModuleType, words: str, sentence: str) -> None:
    assert sentence in setup.explain(words, None)


def test_a_missing_cuda_wheel_names_the_way_without_it(setup: ModuleType) -> None:
    said = setup.explain("ERROR: No matching distribution found", "https://download.pytorch.org/whl/cu132")
    assert "cu132" in said
    assert "--torch-index none" in said


@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        (("Darwin", "x86_64", "15.1"), "Intel"),
        (("Darwin", "arm64", "13.6"), "macOS 14"),
        (("Darwin", "arm64", "26.0"), None),
        (("Linux", "x86_64", ""), None),
    ],
)
def test_machines_without_pytorch_are_told_so(
    setup: ModuleType, machine: tuple[str, str, str], sentence: str | None
) -> None:
    said = setup.impossible(*machine)
    assert said is None if sentence is None else sentence in said


def test_an_unsuitable_python_finds_the_best_suitable_one(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"python3.12": (3, 12), "python3.11": (3, 11)}
    monkeypatch.setattr(setup, "suitable", lambda version: False)
    monkeypatch.setattr(setup.shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(setup, "version_of", lambda command: there[command[0]])
    assert setup.find_python() == ["python3.12"]
    there.clear()
    with pytest.raises(setup.SetupError, match=r"needs Python 3\.11 to 3\.14"):
        setup.find_python()


def test_the_pythons_promised_are_those_of_the_package(setup: ModuleType) -> None:
    assert setup.suitable(sys.version_info[:2])
    wanted = f'requires-python = ">=3.{setup.OLDEST[1]},<3.{setup.NEWEST[1] + 1}"'
    assert wanted in (ROOT / "pyproject.toml").read_text()


@pytest.fixture
def clone(setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A clone whose pip only notes what it was asked; returns these notes."""
    asked: list[list[str]] = []
    for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    python = setup.venv_python(tmp_path / ".venv")
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "make_venv", lambda venv: ["pip"])
    monkeypatch.setattr(setup, "has_torch", lambda venv: True)
    monkeypatch.setattr(setup, "pip_install", lambda pip, venv, arguments, index=None: asked.append(arguments))
    return asked


def test_nothing_is_done_again_until_something_changes(
    setup: ModuleType, clone: list[list[str]], tmp_path: Path
) -> None:
    assert setup.main(["--dev"]) == 0
    assert len(clone) == 2, "the locks, then hotfolder itself"
    assert setup.main(["--dev"]) == setup.main([]) == 0
    assert len(clone) == 2
    (tmp_path / "requirements.lock").write_text("newer")
    assert setup.main([]) == 0
    assert len(clone) == 4


def test_another_index_replaces_pytorch_first(setup: ModuleType, clone: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("torch==2.15.0\n")
    assert setup.main(["--torch-index", "https://example.org/whl/cpu"]) == 0
    assert clone[0] == ["--index-url", "https://example.org/whl/cpu", "torch==2.15.0+cpu"]


def test_a_small_disk_is_refused_before_anything_is_loaded(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 3_200_000_000}))
    with pytest.raises(setup.SetupError, match=r"about 9 GB.*3\.2 GB free"):
        setup.check_disk()


def test_an_installed_pytorch_is_seen(setup: ModuleType, tmp_path: Path) -> None:
    assert not setup.has_torch(tmp_path)
    (tmp_path / "lib/python3.11/site-packages/torch").mkdir(parents=True)
    (tmp_path / "lib/python3.11/site-packages/torch/version.py").touch()
    assert setup.has_torch(tmp_path)


def test_the_locks_hold_every_dependency_at_one_version() -> None:
    pins = re.compile(r"^([a-z0-9.-]+)==(.+)$", re.MULTILINE)
    runtime = set(pins.findall(LOCK))
    dev = set(pins.findall((ROOT / "requirements-dev.lock").read_text()))
    names = {name for name, _ in runtime}
    assert not {pin for pin in dev - runtime if pin[0] in names}, "test tools must not change what users get"
    wanted = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert wanted
    assert set(re.findall(r'^    "([a-z0-9-]+)', wanted[1], re.MULTILINE)) <= names, "run `make lock`"
