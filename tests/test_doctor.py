"""Every verdict of the doctor, from facts; and one real look at this machine."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from hotfolder import doctor, machine, workspace
from hotfolder.models.placement import Machine
from hotfolder.models.profile import choose
from hotfolder.spec import JobSpec

TORCH: dict[str, Any] = {"version": "2.15.0", "built_for": None, "mps": False, "cards": []}


@pytest.mark.parametrize(
    ("version", "wide", "ok"),
    [((3, 11, 0), True, True), ((3, 14, 2), True, True), ((3, 10, 9), True, False), ((3, 15, 0), True, False),
     ((3, 12, 1), False, False)],
)  # fmt: skip
def test_python(version: tuple[int, ...], wide: bool, ok: bool) -> None:
    finding = doctor.judge_python(version, wide)
    assert finding.ok is ok
    assert (finding.mend is None) is ok


@pytest.mark.parametrize(
    ("version", "fts5", "ok"),
    [((3, 34, 1), True, False), ((3, 53, 0), False, False), ((3, 40, 1), True, None), ((3, 51, 2), True, None),
     ((3, 51, 3), True, True), ((3, 53, 0), True, True)],
)  # fmt: skip
def test_sqlite(version: tuple[int, ...], fts5: bool, ok: bool | None) -> None:
    finding = doctor.judge_sqlite(version, fts5)
    assert finding.ok is ok
    assert ("WAL-reset" in finding.says) is (ok is None)


@pytest.mark.parametrize(
    ("cards", "torch", "machine", "ok", "words", "mend"),
    [
        (["RTX 4090"], {}, "Linux x86_64", False, "without CUDA, so RTX 4090 lies idle", "--force-reinstall torch"),
        (["RTX 4090"], {}, "Windows AMD64", False, "lies idle", doctor.CUDA_WHEELS),
        (["RTX 4090"], {"built_for": "13.2"}, "Linux x86_64", False, "driver is too old", "newest driver"),
        (
            ["H200"],
            {"built_for": "13.2", "cards": [["H200", 139 * 2**30]]},
            "Linux x86_64",
            True,
            "H200 (139 GiB)",
            None,
        ),
        ([], {"built_for": "7.1", "cards": [["RX 7900", 2**34]]}, "Linux x86_64", True, "RX 7900 (16 GiB)", None),
        ([], {"mps": True}, "Darwin arm64", True, "Apple's GPU (MPS)", None),
        ([], {}, "Darwin arm64", False, "cannot use Apple's GPU", "update macOS"),
        ([], {"built_for": "13.2"}, "Linux x86_64", None, "no NVIDIA card answers", None),
    ],
)
def test_graphics(
    cards: list[str], torch: dict[str, Any], machine: str, ok: bool | None, words: str, mend: str | None
) -> None:
    finding = doctor.judge_graphics(cards, {**TORCH, **torch}, "", machine)
    assert finding.ok is ok
    assert words in finding.says
    assert (mend in (finding.mend or "")) if mend else finding.mend is None
    assert (doctor.CUDA_WHEELS in (finding.mend or "")) is machine.startswith("Windows")


def test_a_broken_torch_is_reported_not_raised(tmp_path: Path) -> None:
    finding = doctor.judge_graphics([], None, "ImportError: libcudart.so.13: cannot open", "Linux x86_64")
    assert (finding.ok, "libcudart" in finding.says) == (False, True)
    assert machine.ask_torch(str(tmp_path / "no-python"))[0] is None
    liar = tmp_path / "python"
    liar.write_text("#!/bin/sh\necho 'ImportError: broken.' >&2\nexit 1\n")
    liar.chmod(0o755)
    if sys.platform != "win32":
        assert machine.ask_torch(str(liar)) == (None, "ImportError: broken")
        liar.write_text("#!/bin/sh\necho not json\n")
        assert machine.ask_torch(str(liar))[0] is None


def test_libraries() -> None:
    found = machine.installed([Requirement("pillow>=12"), Requirement("pillow-none"), Requirement("click>=99")])
    assert found["pillow"][1]
    assert found["pillow-none"] == (None, False)
    assert found["click"][1] is False
    finding = doctor.judge_libraries(found)
    assert finding.ok is False
    assert "pillow-none" in finding.says
    assert doctor.judge_libraries({"pillow": ("13.0.0", True)}).says == "pillow 13.0.0."
    assert doctor.judge_libraries({}).ok is False


def test_exiftool_is_only_information() -> None:
    assert doctor.judge_exiftool(None).ok is None
    assert doctor.judge_exiftool("/usr/bin/exiftool").ok is True


def test_disk() -> None:
    assert doctor.judge_disk("outbox", Path("/x"), 10**9).ok is False
    assert doctor.judge_disk("outbox", Path("/x"), 50 * 10**9).says == "50.0 GB free for the outbox (/x)."


@pytest.mark.parametrize(
    ("name", "kind", "ok"),
    [("workspace", "ext4", True), ("workspace", "", True), ("workspace", "nfs4", False), ("inbox", "cifs", None)],
)
def test_file_system(name: str, kind: str, ok: bool | None) -> None:
    assert doctor.judge_file_system(name, kind).ok is ok


@pytest.mark.parametrize(
    ("code", "ok"),
    [(None, True), (errno.EXDEV, None), (errno.EPERM, None), (errno.EACCES, False), (errno.EROFS, False),
     (errno.ENOSPC, False)],
)  # fmt: skip
def test_permissions(code: int | None, ok: bool | None) -> None:
    problem = None if code is None else OSError(code, os.strerror(code))
    finding = doctor.judge_permissions("outbox", Path("/x"), problem)
    assert finding.ok is ok
    assert (finding.mend is not None) is (ok is False)


def test_case() -> None:
    assert [doctor.judge_case(value).ok for value in (True, False, None)] == [None, True, None]


def test_watches() -> None:
    assert doctor.judge_watches({"max_user_watches": 200_000}, 14, None).ok is True
    assert "524288" in (doctor.judge_watches({"max_user_watches": 1000}, 14, None).mend or "")
    assert doctor.judge_watches({"max_user_watches": 20_000}, 15_000, None).ok is False
    full = doctor.judge_watches({"max_user_watches": 200_000}, 14, OSError(errno.EMFILE, "Too many open files"))
    assert "max_user_instances" in (full.mend or "")


def test_clock() -> None:
    assert doctor.judge_clock(1_800_000_000, 1_799_999_999).ok is True
    assert doctor.judge_clock(0, 1_799_999_999).ok is False


def test_trying_a_folder_leaves_nothing(tmp_path: Path) -> None:
    private, folder = tmp_path / "private", tmp_path / "folder"
    private.mkdir()
    folder.mkdir()
    assert machine.try_folder(private, folder) is None
    assert machine.ignores_case(folder) in (True, False)
    assert [*private.iterdir(), *folder.iterdir()] == []
    missing = machine.try_folder(private, tmp_path / "absent")
    assert missing is not None
    assert missing.errno == errno.ENOENT
    assert machine.ignores_case(tmp_path / "absent") is None


@pytest.mark.skipif(sys.platform != "linux", reason="a second disk that is always there: /dev/shm")
def test_another_disk_is_seen(tmp_path: Path) -> None:
    if os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is no disk of its own here")
    folder = Path("/dev/shm") / f"doctor-test-{os.getpid()}"
    folder.mkdir()
    try:
        problem = machine.try_folder(tmp_path, folder)
        assert problem is not None
        assert problem.errno == errno.EXDEV
        assert list(folder.iterdir()) == []
    finally:
        folder.rmdir()


def test_no_workspace_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ask_torch", lambda: (TORCH, ""))
    last = doctor.examine(tmp_path / "nowhere")[-1]
    assert (last.name, last.ok) == ("workspace", False)
    assert last.mend == f"hotfolder init {tmp_path / 'nowhere'}"


def test_unreadable_settings_are_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ask_torch", lambda: (TORCH, ""))
    (tmp_path / "hotfolder.yaml").write_text("setle_s: 1\n")
    last = doctor.examine(tmp_path)[-1]
    assert (last.ok, last.mend) == (False, None)
    assert "setle_s" in last.says


def test_a_missing_outbox_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ask_torch", lambda: (TORCH, ""))
    place = workspace.init(tmp_path)
    place.outbox.rmdir()
    findings = {finding.name: finding for finding in doctor.examine(tmp_path)}
    assert findings["folders"].ok is False
    assert "permissions of outbox" not in findings


def test_a_real_look_imports_no_torch(tmp_path: Path) -> None:
    workspace.init(tmp_path)
    program = (
        "import sys; from pathlib import Path; from hotfolder import doctor\n"
        "findings = doctor.examine(Path(sys.argv[1]))\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
        "for finding in findings: print(finding.name, finding.ok, finding.says, sep=' | ')"
    )
    said = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = said.stdout.splitlines()
    assert {line.split(" | ")[0] for line in lines} >= {
        "Python", "SQLite", "graphics", "libraries", "exiftool", "folders", "disk of workspace", "permissions of inbox",
        "permissions of outbox", "names in outbox", "clock",
    }  # fmt: skip
    assert all(line.endswith(".") for line in lines)
    assert "PyTorch 2." in said.stdout


CARD = Machine(
    device="cuda", name="RTX 4090", device_bytes=24 * 2**30, free_bytes=24 * 2**30, ram_bytes=2**36, capability=(8, 9)
)
OLD = CARD.model_copy(update={"name": "RTX 2080", "device_bytes": 2**33, "free_bytes": 2**33, "capability": (7, 5)})
NONE = CARD.model_copy(update={"device": "cpu", "name": "the processor", "capability": None})


@pytest.mark.parametrize(
    ("profile", "kind", "here", "ok", "words"),
    [
        ("auto", "generate", CARD, True, ["flux1-schnell in NF4 (6.7 GB), T5 in NF4 (4.3 GB); all of it in the card's",
                                          "at most 16.1 GB of 24.5 GB for a picture of 1024x1024", "38.4 GB"]),
        ("hyper", "generate", CARD, True, ["flux1-dev, with hyper-flux1-dev-8steps at 0.125, in NF4", "16.8 GB"]),
        ("quality", "generate", CARD, True, ["flux1-dev in bf16 (23.8 GB), T5 in bf16 (9.5 GB); streamed block by"]),
        ("auto", "generate", OLD, True, ["streamed block by block", "a card before Ampere computes bf16 slowly"]),
        ("auto", "generate", NONE, None, ["flux1-schnell needs a graphics card", "Such jobs wait."]),
        ("fast", "generate", NONE, None, ["flux1-schnell in NF4 needs an NVIDIA card"]),
        ("auto", "upscale", CARD, True, ["realesrgan-x4plus in fp16, all of it in the card's memory."]),
        ("auto", "caption", NONE, True, ["blip-large in fp32, all of it in memory."]),
    ],
)  # fmt: skip
def test_it_says_which_model_serves_and_how_it_is_put_there(
    profile: str, kind: str, here: Machine, ok: bool | None, words: list[str], tmp_path: Path
) -> None:
    choice = choose(JobSpec(kind=kind), profile, tmp_path, tmp_path, "", here.device != "cpu")
    assert choice
    finding = doctor.judge_model(kind, choice, here, choice.entry.bytes, [])
    assert (finding.name, finding.ok, finding.mend) == (f"model for {kind}", ok, None)
    assert [word for word in words if word not in finding.says] == []


def test_it_says_what_is_not_on_the_disk_and_how_to_fetch_it(tmp_path: Path) -> None:
    choice = choose(JobSpec(kind="generate"), "hyper", tmp_path, tmp_path, "", True)
    assert choice
    finding = doctor.judge_model("generate", choice, CARD, None, ["flux1-dev", "hyper-flux1-dev-8steps"])
    assert finding.ok is None
    assert "Not on this disk yet: flux1-dev, hyper-flux1-dev-8steps (35.1 GB)." in finding.says
    assert finding.mend == "hotfolder models pull flux1-dev hyper-flux1-dev-8steps"


def test_it_looks_at_the_profile_that_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ask_torch", lambda: (TORCH, ""))
    workspace.init(tmp_path / "w")
    found = {finding.name: finding for finding in doctor.examine(tmp_path / "w", "miniature")}
    assert found["profile"].says.startswith("The profile is miniature. Models run on ")
    assert found["model for generate"].says.startswith("flux1-schnell-miniature in ")
    assert found["model for generate"].ok is True
    wrong = {finding.name: finding for finding in doctor.examine(tmp_path / "w", "fsat")}
    assert wrong["profile"].ok is False
    assert "did you mean `fast`?" in wrong["profile"].says
