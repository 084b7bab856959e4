"""The whole corpus dropped into one workspace, `hotfolder run --once`, and what lies there afterwards."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.hostile import broken_jobs, broken_pictures, odd_names
from tests.hostile.case import Case
from tests.intake.bench import Bench, digest, picture

ROOT = Path(__file__).parents[2]
CASES = [*broken_pictures.cases(), *broken_jobs.cases(), *odd_names.cases()]
GOOD = [f"upscale/{folder}good {number}.png" for folder in ("", "words/", "zz/") for number in range(4)]

# the command itself, which then writes down the most memory it ever held
_COMMAND = """
import os, pathlib, re, sys
from hotfolder import cli
try:
    cli.main()
finally:
    peak = re.search("VmHWM:\\\\s+(\\\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]
    pathlib.Path(os.environ["PEAK"]).write_text(peak)
"""


@dataclass
class Aftermath:
    """`top` holds the workspace, a folder that nobody may touch, and the folder the command ran in."""

    top: Path
    bench: Bench = field(init=False)
    code: int = -1
    said: str = ""
    peak_mb: float = 0
    idle_mb: float = 0

    def __post_init__(self) -> None:
        self.bench = Bench(self.top / "workspace")
        self.outside = self.top / "outside"
        self.cwd = self.top / "cwd"
        for folder in (self.outside, self.cwd):
            folder.mkdir()
        (self.outside / "canary.png").write_bytes(picture(1))
        self.before = self.snapshot()

    def drop(self) -> "Aftermath":
        for case in CASES:
            for name, content in case.files.items():
                path = os.fsencode(self.bench.inbox) + b"/" + case.folder + b"/" + name
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content.replace(b"OUTSIDE", os.fsencode(self.outside)))
        for name in GOOD:
            self.bench.put(name)
        places, gone = self.bench.inbox / "upscale/places", self.bench.inbox / "upscale/gone"
        (places / "link to outside").symlink_to(self.outside)
        (places / "linked canary.png").symlink_to(self.outside / "canary.png")
        (places / "loop").symlink_to("loop")
        os.mkfifo(gone / "pipe")
        os.mkfifo(gone / "pipe.png")
        return self

    def run(self) -> "Aftermath":
        idle = Bench(self.top / "cwd" / "idle")
        _, _, self.idle_mb = self.command(idle.root, "run", "--once")
        self.code, self.said, self.peak_mb = self.command(self.bench.root, "run", "--once")
        return self

    def command(self, root: Path, *words: str) -> tuple[int, str, float]:
        """Run hotfolder on a workspace; returns its exit code, all it printed, and its own peak of memory in MB."""
        peak = self.top / "peak"
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, "--workspace", str(root), *words],
            cwd=self.cwd, timeout=120, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PEAK": str(peak), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        return done.returncode, done.stdout.decode(), int(peak.read_text()) / 1000

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Return everything outside the workspace that a wrong path could reach, with times and contents."""
        found = {}
        for folder in (self.outside, Path("/etc/passwd"), Path("/etc/hostname")):
            for path in [folder, *sorted(folder.glob("*"))]:
                status = path.stat()
                found[str(path)] = (status.st_mtime_ns, status.st_size, path.read_bytes() if path.is_file() else b"")
        return found

    # -- what lies there ----------------------------------------------------------------------------------------

    @cached_property
    def jobs_by_origin(self) -> dict[str, list[dict[str, Any]]]:
        found = defaultdict(list)
        for job in self.bench.jobs():
            for file in json.loads(job["files"]):
                found[file["origin"]].append(job)
        return found

    @cached_property
    def places(self) -> dict[str, list[str]]:
        """Hash of a file's bytes -> where such files lie, relative to the workspace."""
        found = defaultdict(list)
        for base in ("inbox", "done", "failed"):
            for folder, _, names in os.walk(self.bench.root / base):
                for path in (Path(folder, name) for name in names):
                    if path.is_file() and not path.is_symlink():
                        found[digest(path.read_bytes())].append(str(path.relative_to(self.bench.root)))
        return found

    @cached_property
    def made_from(self) -> set[str]:
        return {value.strip("'\"") for value in self.bench.input_hashes()}

    def reason_of(self, case: Case) -> str:
        jobs = self.jobs_by_origin[case.origin]
        return "\n".join(dict.fromkeys(job["error"] or job["wait_reason"] or "" for job in jobs))
