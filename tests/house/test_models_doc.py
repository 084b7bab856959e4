"""What docs/models.md says of sizes, profiles and machines is what the code decides."""

import re
from pathlib import Path

import pytest

from hotfolder import yamlfile
from hotfolder.errors import NotYet
from hotfolder.models import fit, profile
from hotfolder.models.download import gigabytes
from hotfolder.models.entries import entries
from hotfolder.models.fit import Wish
from hotfolder.models.parts import parts
from hotfolder.models.placement import Machine, Placement, Precision

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]


def weights(name: str, precision: Precision) -> int:
    entry = entries()[name]
    if entry.lora_for:
        return (entry.bytes or 0) // 2
    known = [parts()[part] for part in entry.parts.values() if part in parts()]
    return sum(part.bytes(precision) for part in known)


@pytest.mark.parametrize("name", [name for name, entry in entries().items() if entry.repo])
def test_each_model_has_its_size_and_licence(name: str) -> None:
    entry = entries()[name]
    (row,) = [row for row in ROWS if row[0] == f"`{name}`"]
    _, _, files, bf16, nf4, licence = row
    assert files == gigabytes(entry.bytes or 0) + (", gated" if entry.gated else "")
    assert (bf16, nf4 or bf16) == (gigabytes(weights(name, "bf16")), gigabytes(weights(name, "nf4")))
    assert licence.startswith(entry.licence)
    assert ("not for commercial use" in licence) is not entry.commercial


def test_each_profile_is_named_with_its_model(tmp_path: Path) -> None:
    for path in (ROOT / "hotfolder" / "models" / "profiles").glob("*.yaml"):
        (row,) = [row for row in ROWS if row[0] == f"`{path.stem}`"]
        serving = profile.profile(path.stem, tmp_path)["generate"]
        assert serving.model in row[1] or path.stem == "miniature"
        assert all(f"at {lora.weight:g}" in row[1] for lora in serving.loras)
        assert serving.steps is None or f"{serving.steps} steps" in row[1]


def test_the_profile_that_is_shown_can_be_used(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "shown.yaml").write_text(shown)
    table = profile.profile("shown", tmp_path)
    assert set(table["generate"].model_fields_set) >= {"precision", "offload", "loras", "max_edge_px"}
    assert yamlfile.parse(shown.encode(), "shown.yaml")


@pytest.mark.parametrize(
    "row", [row for row in ROWS if re.match(r"\d+ GB card|Mac of \d+ GB$", row[0])], ids=lambda r: r[0]
)
def test_each_machine_gets_what_is_said(row: list[str]) -> None:
    size = int(re.findall(r"\d+", row[0])[0]) * 2**30
    device = "mps" if row[0].startswith("Mac") else "cuda"
    machine = Machine(device=device, name="", device_bytes=size, free_bytes=size, ram_bytes=max(size, 2**36))
    model = entries()["flux1-schnell"]
    found = fit.place(model, None, Wish(), machine)
    assert found == expected(row[1], found)
    peak = fit.need(model, found, 1024 * 1024).peak
    assert row[2] == f"{peak / 1e9:.1f} of {fit.usable_bytes(machine) / 1e9:.1f} GB"


def expected(words: str, found: Placement) -> Placement:
    """Return the placement that the document's words describe."""
    precision = "nf4" if words.startswith("NF4") else "bf16"
    return found.model_copy(
        update={
            "precision": precision,
            "text_precision": "nf4" if "NF4" in words else "bf16",
            "offload": "group" if "streamed block by block" in words else "none",
            "encoders_leave": "the text encoders leave" in words,
            "tile_vae": "VAE in tiles" in words,
        }
    )


def test_small_macs_and_processors_wait() -> None:
    model, size = entries()["flux1-schnell"], 32 * 2**30
    for device in ("mps", "cpu"):
        machine = Machine(device=device, name="", device_bytes=size, free_bytes=size, ram_bytes=size)
        with pytest.raises(NotYet):
            fit.place(model, None, Wish(), machine)
    least = next(ram for ram in range(1, 99) if _runs(ram * 10**9))
    assert f"only with {least} GB\nof memory" in TEXT


def _runs(ram: int) -> bool:
    machine = Machine(device="cpu", name="", device_bytes=ram, free_bytes=ram, ram_bytes=ram)
    try:
        fit.place(entries()["flux1-schnell"], None, Wish(by_name=True), machine)
    except NotYet:
        return False
    return True


def test_every_test_that_the_traps_name_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "traps.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    for path, test in named:
        assert not test or f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"
        assert (ROOT / path).is_file()
