"""NF4 on a processor: the arithmetic, the file that keeps it, and what stays in 16 bits. Real classes, tiny."""

from pathlib import Path

import pytest
import torch

from hotfolder.models import load, nf4, quantized, sources
from hotfolder.models.families.flux1 import Flux1
from tests.service import tiny

TOKENS = torch.arange(12).reshape(1, 12)


@pytest.fixture(autouse=True)
def plain_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """On processors with AVX512-BF16 bitsandbytes packs weights in a way that fails below 64 columns."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)


@pytest.fixture(scope="module")
def t5() -> sources.Source:
    return sources.part_of(tiny.weights(), "text_encoder_2")


def test_the_second_time_the_quantised_file_is_read_and_gives_the_same_numbers(
    t5: sources.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Flux1.PARTS["text_encoder_2"]
    first = load.load(kind, t5, "nf4", "cpu", tmp_path)
    with torch.no_grad():
        expected = first(TOKENS).last_hidden_state
    monkeypatch.setattr(nf4, "quantise", None)
    second = load.load(kind, t5, "nf4", "cpu", tmp_path)
    assert not any(tensor.is_meta for tensor in load._tensors(second))
    with torch.no_grad():
        assert torch.equal(second(TOKENS).last_hidden_state, expected)


def test_four_bits_come_near_sixteen(t5: sources.Source, tmp_path: Path) -> None:
    kind = Flux1.PARTS["text_encoder_2"]
    with torch.no_grad():
        four = load.load(kind, t5, "nf4", "cpu", tmp_path)(TOKENS).last_hidden_state.float()
        sixteen = load.load(kind, t5, "bf16", "cpu", tmp_path)(TOKENS).last_hidden_state.float()
    assert 0 < (four - sixteen).norm() / sixteen.norm() < 0.3  # 1.4 if they had nothing in common


def test_wo_stays_in_16_bits_and_the_scales_are_counted(t5: sources.Source, tmp_path: Path) -> None:
    module = load.load(Flux1.PARTS["text_encoder_2"], t5, "nf4", "cpu", tmp_path)
    quantised = {name for name, layer in module.named_modules() if isinstance(layer, nf4.Linear4bit)}
    assert quantised
    assert not any(name.endswith("wo") for name in quantised)
    wo = [layer.weight for name, layer in module.named_modules() if name.endswith(".wo")]
    assert {weight.dtype for weight in wo} == {torch.bfloat16}
    weights = sum(tensor.nbytes for tensor in module.parameters())
    scales = sum(module.get_submodule(name).weight.quant_state.absmax.nbytes for name in quantised)
    assert load.bytes_of(module) >= weights - module.shared.weight.nbytes + scales


def test_a_transformer_works_in_nf4(tmp_path: Path) -> None:
    source = sources.part_of(tiny.weights(), "transformer")
    for _ in ("quantised", "read back"):
        module = load.load(Flux1.PARTS["transformer"], source, "nf4", "cpu", tmp_path)
        assert module.is_loaded_in_4bit
        assert any(isinstance(layer, nf4.Linear4bit) for layer in module.modules())
        with torch.no_grad():
            made = module(
                hidden_states=torch.ones(1, 16, 16, dtype=torch.bfloat16),
                encoder_hidden_states=torch.ones(1, 8, 32, dtype=torch.bfloat16),
                pooled_projections=torch.ones(1, 32, dtype=torch.bfloat16), timestep=torch.tensor([0.5]),
                img_ids=torch.zeros(16, 3), txt_ids=torch.zeros(8, 3),
            ).sample  # fmt: skip
        assert made.isfinite().all()


def test_a_full_disk_costs_nothing_but_time(
    t5: sources.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nf4, "save_file", refuse)
    assert load.load(Flux1.PARTS["text_encoder_2"], t5, "nf4", "cpu", tmp_path).is_loaded_in_4bit
    assert list((tmp_path / "quantized").iterdir()) == []


def test_the_file_is_named_after_what_it_was_made_of(tmp_path: Path, t5: sources.Source) -> None:
    kind = Flux1.PARTS["text_encoder_2"]
    blob, other = tmp_path / "one" / "blobs" / ("a" * 64), tmp_path / "two" / "blobs" / ("a" * 64)
    for path in (blob, other):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"weights")
    one, two = (sources.Source(path.parent, (sources.file_of(path),)) for path in (blob, other))
    assert quantized.file_of(kind, one, tmp_path) == quantized.file_of(kind, two, tmp_path)
    assert quantized.file_of(kind, one, tmp_path) != quantized.file_of(kind, t5, tmp_path)
