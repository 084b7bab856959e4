"""`hotfolder doctor`: what is wrong with this machine or workspace, in sentences, and the command that mends each.

Judging is apart from looking: `examine` gathers facts, and each judge is a pure function from facts to a Finding.
Nothing here imports torch. It is asked in a process of its own, so that a broken one cannot break the doctor.
"""

import errno
import os
import platform
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotfolder import gpu, machine, workspace
from hotfolder.errors import ConfigError, NotYet
from hotfolder.models import download, entries, fit, profile
from hotfolder.models.placement import Machine
from hotfolder.models.profile import Choice
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
OLDEST_SQLITE = (3, 35)  # UPDATE ... RETURNING
# Two connections that write or checkpoint at the same instant can corrupt the file (sqlite.org/wal.html, 2026-03).
WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))
LITTLE_DISK_BYTES = 2 * 10**9
FEW_WATCHES = 8192
CUDA_WHEELS = "https://download.pytorch.org/whl/cu132"  # PyPI's wheels for Windows have no CUDA
PIP = f'"{sys.executable}" -m pip install' if " " in sys.executable else f"{sys.executable} -m pip install"
SET_LIMIT = "echo fs.inotify.{} | sudo tee -a /etc/sysctl.d/60-hotfolder.conf && sudo sysctl --system"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `ok`: True is well, False wants mending, None is only worth knowing."""

    name: str
    ok: bool | None
    says: str
    mend: str | None = None


def examine(root: Path, own_profile: str | None = None) -> list[Finding]:
    """Look at the machine and at the workspace at `root`; never raises for what it finds there.

    `own_profile` is asked about instead of the settings'.
    """
    cards, system = [card.name for card in machine.nvidia_cards()], f"{platform.system()} {platform.machine()}"
    findings = [
        judge_python(sys.version_info[:3], sys.maxsize > 2**32),
        judge_sqlite(sqlite3.sqlite_version_info, machine.has_fts5()),
        judge_graphics(cards, *machine.ask_torch(), system),
        judge_measuring(gpu.look()),
        judge_libraries(machine.installed(machine.requirements())),
        judge_exiftool(shutil.which("exiftool")),
    ]
    try:
        place = workspace.open_workspace(root, own_profile)
    except ConfigError as error:
        mend = None if (root / "hotfolder.yaml").exists() else f"hotfolder init {root}"
        return [*findings, Finding("workspace", False, f"{error}.", mend)]
    try:
        findings += _examine_workspace(place)
        here = machine.facts().limited(place.settings.memory_gb)
        if workspace.is_running(place):  # what its models hold of the card is theirs to use
            here = here.model_copy(update={"free_bytes": here.device_bytes})
        findings += _examine_models(place, here)
    except OSError as error:  # a share that went away while it was looked at
        findings.append(
            Finding("folders", False, f"{error.filename} cannot be read: {error.strerror}.", "mount it again")
        )
    return findings


def _examine_models(place: Workspace, here: Machine) -> Iterator[Finding]:
    """Yield the profile, and for each kind the model that serves it, how it is put on this machine, what is missing."""
    name = place.settings.profile
    try:
        table = profile.profile(name, place.profiles)
    except ConfigError as error:
        yield Finding("profile", False, f"{error}.", "set `profile:` in hotfolder.yaml, or mend the profile")
        return
    yield Finding("profile", True, f"The profile is {name}. Models run on {fit.describe(here)}.")
    for kind in table:
        choice = profile.choose(JobSpec(kind=kind), name, place.profiles, place.models, "", here.device != "cpu")
        if choice and choice.entry.is_loaded:
            yield judge_model(kind, choice, here, *_on_disk(choice, place.models))
        elif choice:
            yield Finding(f"model for {kind}", True, f"{choice.entry.name}, which needs no weights.")


def _on_disk(choice: Choice, models: Path) -> tuple[int | None, list[str]]:
    """Return the size of the model's weights on this disk, None if they are not here; and the names of what is not."""
    missing, size = [], None
    for entry in [choice.entry, *choice.known_loras]:
        try:
            found = entries.weights_folder(entry, models)
        except NotYet:
            missing.append(entry.name)
        else:
            size = entries.weights_bytes(found) if entry is choice.entry else size
    return size, missing


def _examine_workspace(place: Workspace) -> Iterator[Finding]:
    folders = {"workspace": place.root, "inbox": place.inbox, "outbox": place.outbox}
    try:
        if place.private.is_dir():  # before that nobody has made them
            workspace.refuse_bad_folders(place)
        yield Finding("folders", True, f"The workspace is {place.root}; inbox {place.inbox}, outbox {place.outbox}.")
    except ConfigError as error:
        yield Finding("folders", False, f"{error}.", "edit hotfolder.yaml, or create the folder that is named")
    there = {name: path for name, path in folders.items() if path.is_dir()}
    for name, path in there.items():
        if name == "workspace" or not machine.same_device(path, place.root):
            yield judge_disk(name, path, shutil.disk_usage(path).free)
        yield judge_file_system(name, workspace.file_system(path))
    if not place.private.is_dir():
        yield Finding("permissions", None, "This workspace has not been used yet.", f"hotfolder init {place.root}")
    else:
        for name in ("inbox", "outbox"):
            if name in there:
                yield judge_permissions(name, there[name], machine.try_folder(place.private, there[name]))
    if "outbox" in there:
        yield judge_case(machine.ignores_case(there["outbox"]))
    if "inbox" in there and sys.platform == "linux":
        yield judge_watches(machine.inotify_limits(), sum(1 for _ in os.walk(there["inbox"])), machine.inotify_error())
    newest = place.catalog.stat().st_mtime if place.catalog.exists() else 0.0
    yield judge_clock(time.time(), max(newest, Path(__file__).stat().st_mtime))


# The judges: facts in, a Finding out.


def judge_python(version: tuple[int, ...], is_64_bit: bool) -> Finding:
    shown = ".".join(map(str, version))
    if not is_64_bit:
        return Finding(
            "Python", False, f"Python {shown} is a 32-bit one; models need 64 bits.", "install 64-bit Python"
        )
    if not OLDEST_PYTHON <= version[:2] <= NEWEST_PYTHON:
        return Finding(
            "Python", False, f"Python {shown} is not one hotfolder is made for (3.11 to 3.14).", "install Python 3.13"
        )
    return Finding("Python", True, f"Python {shown}.")


def judge_sqlite(version: tuple[int, ...], has_fts5: bool) -> Finding:
    shown = ".".join(map(str, version))
    if version < OLDEST_SQLITE or not has_fts5:
        lack = "too old" if version < OLDEST_SQLITE else "built without full-text search (FTS5)"
        return Finding("SQLite", False, f"SQLite {shown} is {lack}.", "install Python 3.13 from python.org")
    if WAL_RESET_BUG[0] <= version <= WAL_RESET_BUG[1]:
        return Finding(
            "SQLite",
            None,
            f"SQLite {shown} has the WAL-reset bug, which can harm a database that two programs write at once. "
            "hotfolder writes through one connection only; let no other program write catalog.db.",
        )
    return Finding("SQLite", True, f"SQLite {shown}.")


def judge_graphics(cards: list[str], torch: dict[str, Any] | None, problem: str, machine: str) -> Finding:
    """Judge what computes. `torch` is None where asking it failed, and `problem` says how."""
    name, windows = "graphics", machine.startswith("Windows")
    reinstall = f"{PIP} --force-reinstall torch torchvision" + (f" --index-url {CUDA_WHEELS}" if windows else "")
    if torch is None:
        return Finding(name, False, f"PyTorch does not start: {problem}.", reinstall)
    version = f"PyTorch {torch['version']}"
    if torch["cards"]:
        shown = [f"{card} ({size / 2**30:.0f} GiB)" for card, size in torch["cards"]]
        return Finding(name, True, f"{version} computes on {', '.join(shown)}.")
    if cards and not torch["built_for"]:
        return Finding(name, False, f"{version} was built without CUDA, so {', '.join(cards)} lies idle.", reinstall)
    if cards:
        return Finding(
            name,
            False,
            f"{version} is built for CUDA {torch['built_for']} but cannot use {', '.join(cards)}: the NVIDIA driver is "
            "too old for it, or CUDA_VISIBLE_DEVICES hides the card.",
            "install the newest driver from nvidia.com/drivers, then restart the machine",
        )
    if torch["mps"]:
        return Finding(name, True, f"{version} computes on Apple's GPU (MPS).")
    if machine == "Darwin arm64":
        return Finding(name, False, f"{version} cannot use Apple's GPU.", "update macOS to 14 or newer")
    return Finding(
        name,
        None,
        f"{version} computes on the processor: no NVIDIA card answers. The miniatures and small models work; jobs for "
        "large models wait.",
    )


def judge_measuring(monitor: gpu.Monitor) -> Finding:
    """Judge whether the card tells what it does; `monitor` knows by now."""
    if monitor.why_not:
        return Finding("measuring", None, f"{monitor.why_not[0].upper()}{monitor.why_not[1:]}.")
    lacks = f", all but {', '.join(monitor.lacks)}" if monitor.lacks else ""
    return Finding("measuring", True, f"{monitor.device} is measured each second while a job runs{lacks}.")


def judge_libraries(found: dict[str, tuple[str | None, bool]]) -> Finding:
    """Judge what must be there: name -> (version or None, whether the requirement is met)."""
    bad = {name: version for name, (version, met) in found.items() if not met}
    if not found:
        return Finding("libraries", False, "hotfolder itself is not installed, only its code is here.", f"{PIP} -e .")
    if bad:
        words = [f"{name} {version or ''}".strip() for name, version in bad.items()]
        return Finding("libraries", False, f"Missing or of the wrong version: {', '.join(words)}.", f"{PIP} -e .")
    return Finding("libraries", True, f"{', '.join(f'{name} {version}' for name, (version, _) in found.items())}.")


def judge_model(kind: str, choice: Choice, here: Machine, size: int | None, missing: list[str]) -> Finding:
    """Judge what serves a kind. `size`: bytes of its weights here, None for none; `missing`: what is not here."""
    title, name = f"model for {kind}", choice.entry.name
    try:
        placed = choice.placement(JobSpec(kind=kind), here, size)
    except NotYet as reason:
        return Finding(title, None, f"{reason}. Such jobs wait.")
    loras = "".join(f", with {lora.name} at {lora.weight:g}," for lora in choice.serving.loras)
    says = f"{name}{loras} {fit.explain(choice.entry, placed, here, choice.lora_bytes)}."
    if missing:
        bytes = sum(entries.entries()[one].bytes or 0 for one in missing)
        says += f" Not on this disk yet: {', '.join(missing)} ({download.gigabytes(bytes)})."
        return Finding(title, None, says, f"hotfolder models pull {' '.join(missing)}")
    return Finding(title, True, says)


def judge_exiftool(path: str | None) -> Finding:
    if path:
        return Finding("exiftool", True, f"exiftool is at {path}.")
    return Finding("exiftool", None, "exiftool is not here; hotfolder works without it.")


def judge_disk(name: str, path: Path, free_bytes: int) -> Finding:
    says = f"{free_bytes / 10**9:.1f} GB free for the {name} ({path})"
    if free_bytes < LITTLE_DISK_BYTES:
        return Finding(f"disk of {name}", False, f"Only {says}; jobs fail when it is full.", "hotfolder models prune")
    return Finding(f"disk of {name}", True, f"{says}.")


def judge_file_system(name: str, kind: str) -> Finding:
    title = f"file system of {name}"
    if kind not in workspace.NETWORK_FILE_SYSTEMS:
        return Finding(title, True, f"The {name} is on a local disk{f' ({kind})' if kind else ''}.")
    if name == "workspace":
        return Finding(
            title,
            False,
            f"The workspace is on a network disk ({kind}), where SQLite loses data.",
            "move it to a local disk and set `inbox:` and `outbox:` in hotfolder.yaml to the network folders",
        )
    return Finding(
        title,
        None,
        f"The {name} is on a network disk ({kind}). Files that other machines drop there are found by looking every "
        "`rescan_s` seconds, not at once.",
    )


def judge_permissions(name: str, path: Path, problem: OSError | None) -> Finding:
    title = f"permissions of {name}"
    if problem is None:
        return Finding(title, True, f"Files can be made, flushed, linked and renamed in the {name}.")
    if problem.errno == errno.EXDEV:
        return Finding(title, None, f"The {name} is on another disk: files are copied there and checked, then removed.")
    if problem.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
        return Finding(title, None, f"The {name}'s disk has no hard links: files are copied and checked instead.")
    words = f"Files cannot be made and renamed in the {name}: {problem.strerror}."
    if problem.errno == errno.ENOSPC:
        return Finding(title, False, words, "free some disk space")
    mend = f'icacls "{path}" /grant "%USERNAME%":(OI)(CI)M' if os.name == "nt" else f'sudo chown -R "$USER" "{path}"'
    return Finding(title, False, words, mend)


def judge_case(ignores: bool | None) -> Finding:
    if ignores is None:
        return Finding("names in outbox", None, "It could not be tried whether outbox tells Photo.png from photo.png.")
    if ignores:
        return Finding(
            "names in outbox", None, "Photo.png and photo.png are one name in outbox; hotfolder numbers the second."
        )
    return Finding("names in outbox", True, "Outbox tells Photo.png from photo.png.")


def judge_watches(limits: dict[str, int], folders: int, problem: OSError | None) -> Finding:
    """Judge inotify: `limits` as in /proc/sys/fs/inotify, `folders` to be watched, what opening one instance said."""
    watches = limits.get("max_user_watches", FEW_WATCHES)
    if problem is not None:
        return Finding(
            "file events",
            False,
            f"No more watches can be opened ({problem.strerror}); new files are only found by looking now and then.",
            SET_LIMIT.format("max_user_instances=1024"),
        )
    if watches < max(FEW_WATCHES, 2 * folders):
        return Finding(
            "file events",
            False,
            f"The system allows {watches} watches, too few for the {folders} folders of the inbox and other programs.",
            SET_LIMIT.format("max_user_watches=524288"),
        )
    return Finding("file events", True, f"{watches} watches are allowed; the inbox has {folders} folders.")


def judge_clock(now_s: float, newest_s: float) -> Finding:
    """Judge the clock against the newest time that is known to have passed."""
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_s))
    if now_s < newest_s - 60:
        mend = "w32tm /resync" if os.name == "nt" else "sudo timedatectl set-ntp true"
        return Finding("clock", False, f"The clock says {shown}, earlier than files written before.", mend)
    return Finding("clock", True, f"The clock says {shown}.")
