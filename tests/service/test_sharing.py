"""A queue that alternates models, in a real run: what they share is loaded once, as the kernel saw it, and memory that
does not hold them all is never exceeded."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hotfolder import images
from hotfolder.models import fit, loras
from hotfolder.models.entries import entries
from hotfolder.models.pool import ModelPool
from hotfolder.spec import JobSpec, LoraUse, Planned
from tests.models import lorafiles, twins
from tests.models.twins import CPU, DEV, SCHNELL, SHARED
from tests.prove import audit
from tests.service.living import ROOT, Living

EDGE_PX = 32
JOBS = [(SCHNELL, ""), (DEV, ""), (SCHNELL, "outlines"), (DEV, ""), (SCHNELL, ""), (DEV, "outlines")]
"""The model and the LoRA of each."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Put both models into the hub's cache, each with copies of its own, named after their content; the snapshots."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return {name: twins.put_in_cache(tmp_path / "hub", name, number) for number, name in enumerate((SCHNELL, DEV))}


def weights(snapshot: Path) -> dict[str, Path]:
    """Return the files of weights by the name of their part."""
    return {path.parent.name: path.resolve() for path in snapshot.rglob("*.safetensors")}


def alone(models: Path, number: int) -> str:
    """Make the picture of one job with nothing else in memory; returns the hash of its pixels."""
    name, lora = JOBS[number]
    spec = JobSpec(kind="generate", width=EDGE_PX, height=EDGE_PX, steps=1)
    used = [loras.locate(LoraUse(name=lora, weight=1.0), models, entries()[name])] if lora else []
    planned = Planned(seed=number, seed_locked=True, prompt="a boat")
    made, _ = ModelPool(models).use(name, CPU).generate(planned, spec, lambda step, of: None, None, used)
    return images.pixel_sha256(made)


@pytest.mark.skipif(not audit.is_possible(), reason="the system calls are read by strace, which is not here or may not")
def test_a_queue_that_alternates_models(tmp_path: Path, hub: dict[str, Path]) -> None:
    """By its calls: a look at a file reads its head, a load maps it, twice in a row, as the libraries do."""
    pool = ModelPool(tmp_path)
    work = fit.headroom_bytes(EDGE_PX**2, tiled=False)
    pool.use(SCHNELL, CPU)
    budget = pool.device_bytes + work + 20_000
    pool.use(DEV, CPU)
    assert pool.device_bytes + work > budget + 200_000, "both would not fit"
    place = Living(tmp_path / "w", f"overtake_bound: 0\nmemory_gb: {budget / 1e9:.9f}\n")
    models = place.workspace.models
    lora = lorafiles.write(models / "loras" / "outlines.safetensors", lorafiles.as_diffusers(*lorafiles.matrices()))
    for number, (name, uses) in enumerate(JOBS):
        job = f"prompt: a boat\nmodel: {name}\nsize: {EDGE_PX}\nsteps: 1\nseed: {number}\n"
        place.drop(f"generate/job{number}.yaml", job + (f"loras: {uses}\n" if uses else ""))
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-e", "trace=execve,openat,mmap", "-o", trace, sys.executable,
         "-m", "hotfolder", "--workspace", place.root, "run", "--once"],
        capture_output=True, text=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

    text = trace.read_text(errors="replace")
    (worker,) = re.findall(r'^(\d+) +execve\(.*"hotfolder\.worker"', text, re.M)
    files = {str(path): f"{name}/{part}" for name in hub for part, path in weights(hub[name]).items()}
    files[str(lora)] = "lora"
    mapped = [one for one in re.findall(r"^(\d+) +mmap\(.*?<([^<>]+)>", text, re.M) if one[1] in files]
    assert {process for process, _ in mapped} == {worker}
    assert [files[path] for path, _ in itertools.groupby(path for _, path in mapped)] == [
        f"{SCHNELL}/transformer", *(f"{SCHNELL}/{part}" for part in SHARED), f"{DEV}/transformer",
        f"{SCHNELL}/transformer", "lora", f"{DEV}/transformer",
        f"{SCHNELL}/transformer", f"{DEV}/transformer", "lora",
    ]  # fmt: skip
    opened = re.findall(rf"^{worker} +openat\(.* = \d+<([^<>]+)>$", text, re.M)
    assert all(opened.count(str(weights(hub[DEV])[part])) <= 1 for part in SHARED), "at most a look at its head"

    log = (place.workspace.private / "logs" / "worker.log").read_text()
    told = re.findall(r"models in memory: (.*); (\d+) bytes, besides (\d+) for the work, of (\d+)$", log, re.M)
    assert [names for names, *_ in told] == [name for name, _ in JOBS], "never both at once"
    assert all(int(took) + int(room) <= int(most) == budget for _, took, room, most in told)
    assert all(int(room) >= work for _, _, room, _ in told)
    for number in range(len(JOBS)):
        (image,) = place.images(f"job{number}")
        assert image["pixel_sha256"] == alone(models, number), JOBS[number]
        assert image["peak_vram_mb"] is None, "there is no card"
