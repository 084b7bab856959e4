"""Make `.venv` beside this repository and install hotfolder into it: `python scripts/setup.py [--dev]`.

Standard library only. Runs on Linux, macOS and Windows, and does nothing when nothing has changed. It must start even
on a Python too old for hotfolder, to look for a better one or say what to do: hence the quoted annotations.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 14)
NEEDED_BYTES = 9_000_000_000  # 5.6 GB installed, most of it PyTorch and CUDA, and 3.1 GB of wheels meanwhile (2026-11)
ROOMY_BYTES = 12_000_000_000  # with room for pip's cache of those wheels as well
TORCH_PACKAGES = ("torch", "torchvision")


class SetupError(Exception):
    """Setting up cannot go on; the text says why and what to do."""


def cuda_of(lock: str) -> "str | None":
    """Return the CUDA version, such as "13.2", that the locked PyTorch is built for on Linux."""
    found = re.search(r"^cuda-toolkit==(\d+\.\d+)", lock, re.MULTILINE)
    return found.group(1) if found else None


def torch_index(system: str, machine: str, has_nvidia: bool, cuda: "str | None") -> "str | None":
    """Return the wheel index to take PyTorch from, or None for PyPI.

    PyPI's wheels compute on NVIDIA cards under Linux and on Apple's GPU under macOS, but only on the CPU under Windows.

    Args:
        system, machine: as `platform.system()` and `platform.machine()` say.
        has_nvidia: an NVIDIA card with its driver is there.
        cuda: CUDA version of the locked PyTorch, so that every system runs the same build.
    """
    if system != "Windows" or machine.upper() not in ("AMD64", "X86_64") or not has_nvidia or cuda is None:
        return None
    return "https://download.pytorch.org/whl/cu" + cuda.replace(".", "")


def torch_requirements(lock: str, index: str) -> "list[str]":
    """Return the locked PyTorch packages as `index` names its builds: `torch==2.15.0+cu132`.

    The build is part of the version, so a CPU wheel installed earlier is replaced and a right one left alone.
    """
    build = index.rstrip("/").rpartition("/")[2]
    names = "|".join(TORCH_PACKAGES)
    return [
        f"{name}=={version}+{build}" for name, version in re.findall(rf"^({names})==([^ ;+\n]+)", lock, re.MULTILINE)
    ]


def suitable(version: "tuple[int, int]") -> bool:
    """Say whether hotfolder and all its dependencies run on this (major, minor)."""
    return OLDEST <= version <= NEWEST


def impossible(system: str, machine: str, macos: str) -> "str | None":
    """Return the sentence for a machine that has no PyTorch wheels, else None. `macos` is "" elsewhere."""
    if system == "Darwin" and machine == "x86_64":
        return "PyTorch is no longer made for Macs with Intel processors, so hotfolder cannot run on this one."
    if system == "Darwin" and macos and int(macos.split(".")[0]) < 14:
        return f"PyTorch needs macOS 14 or newer; this is {macos}. Update macOS, then run this again."
    if sys.maxsize < 2**32:
        return "This Python is a 32-bit one; hotfolder needs a 64-bit Python."
    return None


def explain(output: str, index: "str | None") -> str:
    """Turn what pip complained about into a sentence that says what to do."""
    low = output.lower()
    if re.search(r"no space left|errno 28|not enough space", low):
        return f"The disk is full; hotfolder needs {NEEDED_BYTES // 10**9} GB in {ROOT}. Free some and run this again."
    if re.search(r"failed to establish|name resolution|resolve|connection error|timed out|getaddrinfo", low):
        return f"{index or 'PyPI'} could not be reached. Check the network (and HTTPS_PROXY), then run this again."
    if index:
        return (
            f"PyTorch could not be installed from {index}. With `--torch-index none` it comes from PyPI; under Windows "
            "that one does not use the NVIDIA card: real models will be out of reach, the miniatures will work."
        )
    return "pip could not install hotfolder's dependencies; its own words are above."


def has_nvidia() -> bool:
    """Ask the NVIDIA driver's own tool whether a card is there."""
    places = [
        shutil.which("nvidia-smi"),
        r"C:\Windows\System32\nvidia-smi.exe",
        r"C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
        "/usr/bin/nvidia-smi",
        "/usr/lib/wsl/lib/nvidia-smi",
    ]
    for place in places:
        if place and os.path.exists(place):
            return "GPU 0" in said([place, "-L"])
    return False


def said(command: "list[str]") -> str:
    """Return what a command prints, or nothing when it fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip()


def version_of(python: "list[str]") -> "tuple[int, int]":
    """Return the (major, minor) of an interpreter, (0, 0) when it does not start."""
    words = said([*python, "-c", "import sys; print(*sys.version_info[:2])"]).split()
    return (int(words[0]), int(words[1])) if len(words) == 2 else (0, 0)


def find_python() -> "list[str]":
    """Return the command of a suitable Python: this one, else the best that is installed."""
    here = sys.version_info[:2]
    if suitable(here):
        return [sys.executable]
    for minor in (13, 12, 11, 14):
        for command in ([f"python3.{minor}"], ["py", f"-3.{minor}"]):
            if shutil.which(command[0]) and version_of(command) == (3, minor):
                return command
    raise SetupError(
        f"hotfolder needs Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}; this is {here[0]}.{here[1]}. "
        "Install one (Debian and Ubuntu: `apt install python3 python3-venv`, macOS: `brew install python@3.13`, "
        "Windows: https://www.python.org/downloads/), then run this again."
    )


def venv_python(venv: Path) -> Path:
    """Return where a virtual environment keeps its interpreter."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_venv(venv: Path) -> "list[str]":
    """Make sure of a working virtual environment and return the pip command that installs into it."""
    inside = str(venv_python(venv))
    if not suitable(version_of([inside])):
        python = find_python()
        print(f"Making {venv} with {' '.join(python)}.", flush=True)
        make = [*python, "-m", "venv", "--clear", str(venv)]
        if subprocess.run(make, stdout=subprocess.DEVNULL).returncode != 0:
            subprocess.run([*make, "--without-pip"])
    if said([inside, "-m", "pip", "--version"]) or said([inside, "-m", "ensurepip"]):
        return [inside, "-m", "pip"]
    outside = [*find_python(), "-m", "pip"]  # Debian's Python without python3-venv: a pip from outside can fill .venv
    if version_of([inside]) != (0, 0) and said([*outside, "--version"]):
        return [*outside, "--python", inside]
    raise SetupError(
        f"{outside[0]} cannot make virtual environments. On Debian and Ubuntu: `apt install python3-venv`; "
        "then run this again."
    )


def pip_install(pip: "list[str]", venv: Path, arguments: "list[str]", index: "str | None" = None) -> None:
    """Run pip; raises SetupError, after pip's own words. Downloads go beside the environment: /tmp may be small."""
    temporary = venv / "tmp"
    temporary.mkdir(exist_ok=True)
    env = dict(os.environ, TMPDIR=str(temporary), TEMP=str(temporary), TMP=str(temporary))
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    cache = [] if shutil.disk_usage(str(ROOT)).free > ROOMY_BYTES else ["--no-cache-dir"]
    options = ["--disable-pip-version-check", "--no-input", "--no-deps", *quiet, *cache]
    try:
        done = subprocess.run([*pip, "install", *options, *arguments], cwd=str(ROOT), env=env, stderr=subprocess.PIPE)
        if done.returncode != 0:
            words = done.stderr.decode(errors="replace")
            print(words, file=sys.stderr)
            raise SetupError(explain(words, index))
    finally:
        shutil.rmtree(str(temporary), ignore_errors=True)


def has_torch(venv: Path) -> bool:
    """Say whether PyTorch, by far the largest part, is already installed."""
    return bool(list(venv.glob("**/site-packages/torch/version.py")))


def check_disk() -> None:
    """Refuse to begin what would fill the disk; raises SetupError."""
    free = shutil.disk_usage(str(ROOT)).free
    if free < NEEDED_BYTES:
        raise SetupError(
            f"hotfolder needs about {NEEDED_BYTES // 10**9} GB of disk, most of it PyTorch and its CUDA libraries; "
            f"{ROOT} has {free / 1e9:.1f} GB free. Free some, or clone hotfolder onto a larger disk."
        )


def stamp_of(locks: "list[Path]", index: "str | None") -> str:
    """Return a fingerprint of everything that decides what is installed."""
    digest = hashlib.sha256(f"{ROOT}\n{index}\n".encode())
    for path in [*locks, ROOT / "pyproject.toml"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def choose_index(wanted: "str | None", lock: str) -> "str | None":
    """Return PyTorch's index: the one asked for, else the one that fits this machine."""
    if wanted:
        return None if wanted == "none" else wanted
    system = platform.system()
    return torch_index(system, platform.machine(), system == "Windows" and has_nvidia(), cuda_of(lock))


def main(arguments: "list[str] | None" = None) -> int:
    """Set up and return the exit code: 0 ready, 2 something is in the way."""
    parser = argparse.ArgumentParser(description="Make .venv and install hotfolder into it.")
    parser.add_argument("--dev", action="store_true", help="also what tests and linters need")
    parser.add_argument(
        "--torch-index",
        metavar="URL",
        default=os.environ.get("HOTFOLDER_TORCH_INDEX"),
        help="take PyTorch from this wheel index; `none` means PyPI (default: what fits this machine)",
    )
    asked = parser.parse_args(arguments)
    venv = ROOT / ".venv"
    runtime, dev = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
    locks = [runtime, dev] if asked.dev else [runtime]
    lock = runtime.read_text(encoding="utf-8")
    try:
        index = choose_index(asked.torch_index, lock)
        stamp, stamp_file = stamp_of(locks, index), venv / f"setup-{'dev' if asked.dev else 'run'}.stamp"
        if stamp_file.exists() and stamp_file.read_text() == stamp and venv_python(venv).exists():
            return 0
        sentence = impossible(platform.system(), platform.machine(), platform.mac_ver()[0])
        if sentence:
            raise SetupError(sentence)
        if not has_torch(venv):
            check_disk()
            print("The first time this downloads about 3 GB, most of it PyTorch.", flush=True)
        pip = make_venv(venv)
        print("Installing what hotfolder needs.", flush=True)
        if index:
            pip_install(pip, venv, ["--index-url", index, *torch_requirements(lock, index)], index)
        pip_install(pip, venv, [word for path in locks for word in ("-r", str(path))])
        pip_install([str(venv_python(venv)), "-m", "pip"], venv, ["--no-build-isolation", "-e", "."])
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2
    stamp_file.write_text(stamp)
    if asked.dev:
        (venv / "setup-run.stamp").write_text(stamp_of([runtime], index))
    print(f"hotfolder is ready: {venv_python(venv).parent / 'hotfolder'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
