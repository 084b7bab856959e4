"""What this machine is: each function returns plain facts and leaves nothing behind.

Nothing here imports torch. It is asked in a process of its own, so that a broken one cannot break the doctor.
"""

import contextlib
import ctypes
import functools
import json
import os
import platform
import secrets
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from hotfolder import atomic
from hotfolder.models.placement import Machine

ASK_TORCH = """
import json, torch
cards = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
print(json.dumps({
    "version": torch.__version__, "built_for": torch.version.cuda or torch.version.hip,
    "mps": torch.backends.mps.is_available(), "cards": [[card.name, card.total_memory] for card in cards],
}))
"""


@dataclass(frozen=True)
class Card:
    """An NVIDIA card as its driver reports it; `capability` is CUDA's, None where an old driver does not tell."""

    name: str
    total_bytes: int
    free_bytes: int
    capability: tuple[int, int] | None


def nvidia_cards(visible: str | None = None) -> list[Card]:
    """Return the NVIDIA cards that the driver reports, none where there is no driver; `visible` as in `cards_of`."""
    tool = shutil.which("nvidia-smi") or next(
        (
            path
            for path in ("/usr/lib/wsl/lib/nvidia-smi", r"C:\Windows\System32\nvidia-smi.exe")
            if Path(path).exists()
        ),
        None,
    )
    if tool is None:
        return []
    query = "--query-gpu=index,uuid,name,memory.total,memory.free,compute_cap"
    try:
        said = subprocess.run(
            [tool, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return cards_of(said.stdout, visible)


def cards_of(table: str, visible: str | None) -> list[Card]:
    """Read nvidia-smi's lines `index, uuid, name, MiB in all, MiB free, capability`.

    `visible` is CUDA_VISIBLE_DEVICES: numbers or beginnings of uuids, up to the first that names no card.

    **Source:** CUDA C++ Programming Guide, environment variables; order by PCI bus, as nvidia-smi numbers them.
    """
    known: list[tuple[str, str, Card]] = []
    for line in table.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 6 and fields[3].isdigit() and fields[4].isdigit():
            major, _, minor = fields[5].partition(".")
            capability = (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None
            card = Card(fields[2], int(fields[3]) * 2**20, int(fields[4]) * 2**20, capability)
            known.append((fields[0], fields[1], card))
    if visible is None:
        return [card for _, _, card in known]
    seen = []
    for wanted in (word.strip() for word in visible.split(",")):
        named = [card for index, uuid, card in known if wanted and (wanted == index or uuid.startswith(wanted))]
        if not named:
            break
        seen.append(named[0])
    return seen


@functools.cache
def facts() -> Machine:
    """Return what models can compute with on this machine: its first card, Apple's GPU, or the processor.

    Looked at once: what is free then is what nobody else has, before models of ours are loaded.
    """
    ram, system = ram_bytes(), f"{platform.system()} {platform.machine()}"
    if cards := nvidia_cards(os.environ.get("CUDA_VISIBLE_DEVICES")):
        card = cards[0]
        return Machine(
            device="cuda",
            name=card.name,
            device_bytes=card.total_bytes,
            free_bytes=card.free_bytes,
            ram_bytes=ram,
            capability=card.capability,
            windows=system.startswith("Windows"),
        )
    apple = system == "Darwin arm64"
    name = "Apple's GPU" if apple else "the processor"
    return Machine(device="mps" if apple else "cpu", name=name, device_bytes=ram, free_bytes=ram, ram_bytes=ram)


def ram_bytes() -> int:
    """Return the size of main memory, or what a container may take of it."""
    if sys.platform == "win32":
        return _windows_ram_bytes()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    with contextlib.suppress(OSError, ValueError):  # no such file, or the word `max`
        total = min(total, int(limit.read_text()))
    return total


def _windows_ram_bytes() -> int:
    """**Source:** MEMORYSTATUSEX of the Windows API: two 32-bit numbers, then 64-bit ones, first of them the total."""
    status = (ctypes.c_uint64 * 8)()
    ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
    windows: Any = ctypes
    windows.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status[1])


def ask_torch(python: str = sys.executable) -> tuple[dict[str, Any] | None, str]:
    """Return what torch says of itself, or None and its last words. `-I`: no torch.py lying about is taken for it."""
    try:
        said = subprocess.run([python, "-I", "-c", ASK_TORCH], capture_output=True, text=True, timeout=180, check=False)
        if said.returncode == 0:
            return json.loads(said.stdout.splitlines()[-1]), ""
    except subprocess.TimeoutExpired:
        return None, "no answer in three minutes"
    except (OSError, ValueError, IndexError) as error:
        return None, str(error)
    lines = said.stderr.strip().splitlines()
    return None, lines[-1].rstrip(".") if lines else f"it ended with {said.returncode}"


def installed(requirements: list[Requirement]) -> dict[str, tuple[str | None, bool]]:
    """Return each required name with its installed version (None: absent) and whether that satisfies."""
    found: dict[str, tuple[str | None, bool]] = {}
    for requirement in requirements:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found[requirement.name] = (None, False)
        else:
            found[requirement.name] = (version, requirement.specifier.contains(version, prereleases=True))
    return found


def try_folder(private: Path, folder: Path) -> OSError | None:
    """Do in `folder` what publishing does: make, flush, link, rename. Returns what went wrong.

    The names begin with a dot, which the inbox ignores.
    """
    mark = f".doctor-{secrets.token_hex(8)}"
    made, linked, renamed = private / mark, folder / mark, folder / f"{mark}.renamed"
    try:
        made.touch()
        atomic.fsync_file(made)
        try:
            os.link(made, linked)
        except OSError as error:
            # No link from here to there: what matters then is whether a copy could be made.
            linked.touch()
            os.rename(linked, renamed)
            return error
        os.rename(linked, renamed)
        atomic.fsync_folder(folder)
    except OSError as error:
        return error
    finally:
        for path in (made, linked, renamed):
            with contextlib.suppress(OSError):
                path.unlink()
    return None


def ignores_case(folder: Path) -> bool | None:
    """Return whether the folder's disk takes `A` and `a` for one name, None where no file can be made."""
    lower = folder / f".doctor-{secrets.token_hex(8)}-a"
    try:
        lower.touch()
        return lower.with_name(lower.name.upper()).exists()
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            lower.unlink()


def inotify_limits() -> dict[str, int]:
    """Return the numbers in /proc/sys/fs/inotify."""
    folder = Path("/proc/sys/fs/inotify")
    return {path.name: int(path.read_text()) for path in folder.iterdir()} if folder.is_dir() else {}


def inotify_error() -> OSError | None:
    """Open and close one inotify instance; the error names a limit that is used up."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init1(0)
    if descriptor < 0:
        code = ctypes.get_errno()
        return OSError(code, os.strerror(code))
    os.close(descriptor)
    return None


def requirements() -> list[Requirement]:
    try:
        lines = metadata.requires("hotfolder") or []
    except metadata.PackageNotFoundError:
        return []
    requirements = [Requirement(line) for line in lines]
    return [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]


def has_fts5() -> bool:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("create virtual table words using fts5(word)")
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


def same_device(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev
