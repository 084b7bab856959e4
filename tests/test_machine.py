"""What a machine computes with, read from what its driver and its system say."""

import sys
from pathlib import Path

import pytest

from hotfolder import machine
from hotfolder.models import fit

TABLE = """0, GPU-aa11, NVIDIA GeForce RTX 4090, 24564, 24111, 8.9
1, GPU-bb22, NVIDIA GeForce GTX 1080, 8192, 8000, 6.1
2, GPU-cc33, NVIDIA GB10, [N/A], [N/A], 12.1
3, GPU-dd44, Quadro, 4096, 4000, [N/A]
"""


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["NVIDIA GeForce RTX 4090", "NVIDIA GeForce GTX 1080", "Quadro"]),
        ("1,0", ["NVIDIA GeForce GTX 1080", "NVIDIA GeForce RTX 4090"]),
        ("GPU-bb", ["NVIDIA GeForce GTX 1080"]),
        ("0,7,1", ["NVIDIA GeForce RTX 4090"]),
        ("", []),
        ("-1", []),
    ],
)
def test_the_cards_are_those_that_cuda_programs_see(visible: str | None, names: list[str]) -> None:
    assert [card.name for card in machine.cards_of(TABLE, visible)] == names


def test_a_card_has_its_memory_and_what_it_can() -> None:
    first, _, last = machine.cards_of(TABLE, None)
    assert (first.total_bytes, first.free_bytes, first.capability) == (24564 * 2**20, 24111 * 2**20, (8, 9))
    assert last.capability is None
    assert machine.cards_of("Failed to initialize NVML: Driver/library version mismatch\n", None) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the driver's tool")
@pytest.mark.parametrize(
    ("script", "visible", "device"),
    [(f"cat <<'E'\n{TABLE}E", None, "cuda"), (f"cat <<'E'\n{TABLE}E", "", "cpu"), ("exit 9", None, "cpu")],
)
def test_the_first_card_is_what_models_run_on(
    script: str, visible: str | None, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    found = machine.facts.__wrapped__()
    assert found.device == device
    assert found.capability == ((8, 9) if device == "cuda" else None)
    assert (device == "cuda") == ("RTX 4090, 25.8 GB of memory" in fit.describe(found))


def test_apples_gpu_shares_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "nvidia_cards", lambda visible: [])
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(machine.platform, "machine", lambda: "arm64")
    found = machine.facts.__wrapped__()
    assert (found.device, found.device_bytes) == ("mps", found.ram_bytes)


def test_main_memory_is_as_large_as_the_system_says() -> None:
    if not (listed := Path("/proc/meminfo")).exists():
        pytest.skip("no /proc here")
    total = int(listed.read_text().split("MemTotal:")[1].split()[0]) * 1024
    assert 2**28 < machine.ram_bytes() <= total
