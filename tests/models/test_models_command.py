"""`hotfolder models`, `models pull` and `models prune`, on a hub and a cache of the test's own."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from hotfolder import cli
from hotfolder import workspace as places
from hotfolder.models import download, fetch, hub, prune
from hotfolder.models.entries import entries
from tests.models import singlefile
from tests.models.conftest import WEIGHTS
from tests.models.hubserver import COMMIT, Hub
from tests.service import tiny

BLIP = "Salesforce/blip-image-captioning-large"


class Command:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._monkeypatch, self._capsys = root, monkeypatch, capsys
        places.init(root)
        monkeypatch.setenv("COLUMNS", "200")

    def __call__(self, *words: str) -> tuple[int, str]:
        """Run one command; returns its exit code and all that it said."""
        self._monkeypatch.setattr(sys, "argv", ["hotfolder", "--workspace", str(self.root), "models", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
        said = self._capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out + said.err


@pytest.fixture
def models(tmp_path: Path, server: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    server.repos[BLIP] = {
        name: WEIGHTS if name == "model.safetensors" else b"{}" for name in entries()["blip-large"].files
    }
    return Command(tmp_path / "w", monkeypatch, capsys)


def cached(repo: str = BLIP) -> list[str]:
    folder = hub.storage(repo)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_every_model_is_listed_with_what_decides(models: Command) -> None:
    code, said = models()
    lines = {entry.split()[0]: " ".join(entry.split()) for entry in re.split(r"\n(?! )", said.strip()) if entry.strip()}
    assert code == 0
    assert {entry.name for entry in entries().values() if entry.is_loaded} <= set(lines)
    for word in ("generate", "no", "33.7 GB", "11.7 nf4", "FLUX.1 [dev]", "Non-Commercial", "gated"):
        assert word in lines["flux1-dev"]
    assert "34.0 bf16" in said
    assert "ommercial" not in lines["flux1-schnell"]
    assert "LoRA for" in lines["hyper-flux1-dev-8steps"] and "non-commercial" in lines["hyper-flux1-dev-8steps"]
    assert "1.6 fp16" in lines["realesrgan-x4plus"]
    assert "shipped" in lines["flux1-schnell-miniature"]


def test_a_narrow_terminal_breaks_no_word(models: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    _, wide = models()
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        _, said = models()
        assert max(map(len, said.splitlines())) <= columns
        assert sorted(said.split()) == sorted(wide.split())


def test_programs_read_the_same(models: Command) -> None:
    code, said = models("--json")
    rows = {row["name"]: row for row in json.loads(said)}
    assert code == 0
    assert rows["flux1-dev"]["commercial"] is False
    assert rows["flux1-dev"]["gated"] is True
    assert 30e9 < rows["flux1-dev"]["bytes"] < 36e9
    assert 8e9 < rows["flux1-dev"]["vram"]["nf4"] < rows["flux1-dev"]["vram"]["bf16"] < 40e9
    assert (rows["blip-large"]["path"], rows["blip-large"]["here_bytes"]) == (None, 0)
    assert Path(rows["flux1-schnell-miniature"]["path"]).is_dir()


def test_a_model_is_fetched_by_name_and_goes_on_where_it_ended(
    models: Command, server: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.drops = [2_000_000, 0]
    monkeypatch.setattr(download, "TRIES", 1)
    code, said = models("pull", "blip-large")
    assert code == 1
    assert "blip-large (BSD-3-Clause)" in said
    told = re.findall(r"([0-9.]+) of 3\.0 MB", said)
    assert 1.8 <= float(told[-1]) <= 2, "each tenth is told with the piece that reaches it"
    assert "hotfolder: Salesforce/blip-image-captioning-large/model.safetensors cannot be fetched" in said
    assert "begun" in next(line for line in models()[1].splitlines() if line.startswith("blip-large "))
    server.drops.clear()
    code, said = models("pull", "blip-large")
    assert (code, said.splitlines()[-1]) == (0, "blip-large is on this machine.")
    assert (hub.storage(BLIP) / "snapshots" / COMMIT / "model.safetensors").read_bytes() == WEIGHTS


def test_what_cannot_be_fetched_is_wrong_use(models: Command, server: Hub) -> None:
    for name, words in (
        ("blip-larg", "did you mean `blip-large`?"),
        ("lanczos", "comes with hotfolder"),
        ("flux1-schnell-miniature", "comes with hotfolder"),
    ):
        code, said = models("pull", name)
        assert code == 2
        assert words in said
    assert models("pull")[0] == 2
    assert not server.asked


def test_pruning_frees_what_nothing_here_needs(models: Command, server: Hub) -> None:
    assert models("prune") == (0, "There is nothing to delete.\n")
    models("pull", "blip-large")
    assert models("prune") == (0, "There is nothing to delete.\n"), "the profile `auto` captions with it"
    (models.root / "hotfolder.yaml").write_text("profile: miniature\n")
    code, said = models("prune", "--yes")
    files = 2 * len(set(server.repos[BLIP])) - (len(server.repos[BLIP]) - 2)
    assert code == 0
    assert said.splitlines() == [f"blip-large: {files} files, 3.0 MB", "3.0 MB would be free.", "Deleted."]
    assert not hub.storage(BLIP).exists()


def test_what_ships_is_not_pruned_and_said_so(models: Command) -> None:
    for name in ("flux1-schnell-miniature", "lanczos"):
        code, said = models("prune", name, "--yes")
        assert code == 2
        assert f"{name} comes with hotfolder; it stays" in said
        assert "nothing to fetch" not in said


def test_pruning_asks_first(models: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    models("pull", "blip-large")
    before = cached()
    monkeypatch.setattr(cli.click, "confirm", lambda question: False)
    models("prune", "blip-large")
    assert cached() == before
    monkeypatch.setattr(cli.click, "confirm", lambda question: True)
    models("prune", "blip-large")
    assert cached() == []


def test_pruning_leaves_what_another_program_brought(models: Command) -> None:
    folder = hub.storage(BLIP)
    theirs = folder / "blobs" / "theirs"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    pointer = folder / "snapshots" / COMMIT / "theirs.bin"
    pointer.parent.mkdir(parents=True)
    pointer.symlink_to(os.path.relpath(theirs, pointer.parent))
    own = models.root / "models" / "checkpoints" / "blip-large" / "model.safetensors"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"the user's")
    models("pull", "blip-large")
    models("prune", "blip-large", "--yes")
    assert [name for name in cached() if "theirs" in name] == ["blobs/theirs", f"snapshots/{COMMIT}/theirs.bin"]
    assert not [name for name in cached() if "model" in name]
    assert pointer.read_bytes() == b"theirs"
    assert own.exists()


def test_parts_go_and_shared_content_stays(models: Command, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    esrgan = entries()["realesrgan-x4plus"].model_copy(update={"sha256": {}})
    assert esrgan.repo
    server.repos[esrgan.repo] = {"RealESRGAN_x4plus.safetensors": WEIGHTS}
    models("pull", "blip-large")
    fetch.fetch(esrgan, lambda done, of: None)
    assert sum(one.bytes for one in prune.find({"realesrgan-x4plus"})) < 1000, "its weights are another's too"
    assert sum(one.bytes for one in prune.find({})) // 1_000_000 == 3
    models("prune", "blip-large", "--yes")
    (weights,) = hub.storage(esrgan.repo).glob("snapshots/*/*")
    assert weights.read_bytes() == WEIGHTS
    server.drops = [1000, 0]
    monkeypatch.setattr(download, "TRIES", 1)
    server.repos[BLIP]["model.safetensors"] = WEIGHTS[::-1]
    models("pull", "blip-large")
    assert any(name.endswith(".part") for name in cached())
    models("prune", "blip-large", "--yes")
    assert cached() == []


def test_what_is_being_fetched_is_not_pruned(models: Command) -> None:
    models("pull", "blip-large")
    before = cached()
    with fetch.alone(entries()["blip-large"]):
        code, said = models("prune", "blip-large", "--yes")
    assert code == 1
    assert "is being fetched" in said
    assert cached() == before


def test_copies_in_nf4_of_what_is_gone_are_pruned(models: Command) -> None:
    folder = models.root / "models" / "quantized"
    folder.mkdir()
    (folder / "T5EncoderModel-nf4-0123456789abcdef.safetensors").write_bytes(bytes(2_000_000))
    (folder / "notes.txt").write_text("the user's")
    assert models("prune", "blip-large", "--yes") == (0, "There is nothing to delete.\n")
    code, said = models("prune", "--yes")
    assert (code, said.splitlines()[0]) == (0, "models/quantized: 1 files, 2.0 MB")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_what_a_checkpoint_of_one_file_borrows_is_not_pruned(models: Command) -> None:
    """A model of the same parts was fetched; a file of one's own is the transformer to them."""
    (models.root / "hotfolder.yaml").write_text("profile: miniature\n")
    repo = hub.storage("black-forest-labs/FLUX.1-schnell")
    snapshot = repo / "snapshots" / COMMIT
    shutil.copytree(tiny.weights(), snapshot)
    files = [path.relative_to(repo).as_posix() for path in snapshot.rglob("*") if path.is_file()]
    (repo / fetch.LEDGER).write_text("".join(f"{name}\n" for name in files))
    mine = singlefile.put_header(
        models.root / "models" / "checkpoints" / "mine.safetensors", singlefile.SHAPES | singlefile.GUIDANCE
    )
    assert "There is nothing to delete.\n" in models("prune", "--yes")[1]
    mine.unlink()
    assert "flux1-schnell: " in models("prune", "--yes")[1]
    assert not snapshot.exists()
