"""When memory runs out: the ladder, step by step. No card is here, so a device is played by a limit."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hotfolder.errors import OutOfMemory
from hotfolder.models import memory
from hotfolder.models.placement import Placement
from hotfolder.models.pool import ModelPool
from tests.models import twins
from tests.models.twins import CPU, DEV, SCHNELL

CARD = Placement(device="cuda", precision="bf16", text_precision="bf16")
PIPELINE = ("transformer", "text_encoder", "vae")
EDGE_PX = 192
BETWEEN_BYTES = 1_000_000
"""Below what decoding a whole picture takes (1,179,648: 8 channels of 192 x 192), above what a tile of 64 x 64 does."""


class MockDevice:
    """A device that says no: a layer whose result has more than `limit` bytes raises torch's own error.

    `refused` counts how often.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.refused = limit, 0

    def __enter__(self) -> "MockDevice":
        self.hook = torch.nn.modules.module.register_module_forward_hook(self.look)
        return self

    def __exit__(self, *error: object) -> None:
        self.hook.remove()

    def look(self, module: Any, given: Any, made: Any) -> None:
        if isinstance(made, torch.Tensor) and made.nbytes > self.limit:
            self.refused += 1
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {made.nbytes} bytes.")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return twins.put(tmp_path_factory.mktemp("models"))


def decode(family: Any) -> tuple[int, ...]:
    """Decode a picture of EDGE_PX; returns the shape, (1, 3, H, W)."""
    with torch.no_grad():
        return tuple(family.pipeline.vae.decode(torch.zeros(1, 4, EDGE_PX // 8, EDGE_PX // 8)).sample.shape)


def test_the_ladder_of_a_card() -> None:
    assert [rung for rung, _ in memory.rungs(CARD, PIPELINE)] == [
        "", "other models made room", "VAE in tiles", "text encoders away while sampling", "model offload",
        "sequential offload",
    ]  # fmt: skip
    steps = [step for _, step in memory.rungs(CARD, PIPELINE)]
    assert (steps[0], steps[1]) == (CARD, CARD)
    assert [step.offload for step in steps] == ["none"] * 4 + ["model", "sequential"]
    assert all(step.tile_vae for step in steps[2:])


@pytest.mark.parametrize(
    ("placement", "last"),
    [
        (CPU, "VAE in tiles"),
        (CARD.model_copy(update={"device": "mps"}), "VAE in tiles"),
        (CARD.model_copy(update={"offload": "model", "tile_vae": True}), "sequential offload"),
        (CARD.model_copy(update={"offload": "sequential", "tile_vae": True}), "other models made room"),
    ],
)
def test_the_ladder_begins_where_the_placement_is(placement: Placement, last: str) -> None:
    ladder = list(memory.rungs(placement, PIPELINE))
    assert ladder[-1][0] == last
    assert len({step for _, step in ladder[1:]}) == len(ladder) - 1


def test_what_is_no_pipeline_is_put_in_one_way_only() -> None:
    assert [rung for rung, _ in memory.rungs(CARD, ("network",))] == ["", "other models made room"]


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (OutOfMemory("too large"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 18.00 GB)"), True),
        (RuntimeError("shapes do not fit"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_running_out(error: Exception, is_it: bool) -> None:
    assert memory.ran_out(error) is is_it


def test_other_models_make_room_and_it_is_tried_again(models: Path) -> None:
    pool = ModelPool(models)
    pool.use(DEV, CPU)
    seen: list[tuple[str, ...]] = []

    def work(family: Any) -> str:
        seen.append(pool.loaded)
        if len(pool.loaded) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return "made"

    assert pool.attempt(SCHNELL, CPU, work) == ("made", "other models made room")
    assert seen == [(DEV, SCHNELL), (SCHNELL,)]


def test_the_vae_works_in_tiles_when_the_whole_picture_is_too_much(models: Path) -> None:
    pool = ModelPool(models)
    with MockDevice(BETWEEN_BYTES) as device:
        made, rung = pool.attempt(SCHNELL, CPU, decode)
        assert rung == "VAE in tiles"
        assert device.refused == 2
        assert made == (1, 3, EDGE_PX, EDGE_PX)
        _, again = pool.attempt(SCHNELL, CPU, decode)
        assert again == "VAE in tiles"
        assert device.refused == 2, "the second picture begins on the rung of the first"
    _, rung = pool.attempt(DEV, CPU, decode)
    assert rung == ""


def test_what_fits_in_no_way_fails_with_the_last_words(models: Path) -> None:
    pool = ModelPool(models)
    with MockDevice(100), pytest.raises(OutOfMemory) as error:
        pool.attempt(SCHNELL, CPU, decode)
    assert "flux1-schnell did not fit into memory, though it was tried step by step to VAE in tiles" in str(error.value)
    assert "Tried to allocate" in str(error.value)
    assert pool.attempt(SCHNELL, CPU, decode)[1] == ""


def test_an_upscaler_is_tried_again_when_others_made_room(models: Path) -> None:
    pool, seen = ModelPool(models), []
    pool.use(DEV, CPU)

    def work(family: Any) -> None:
        seen.append(pool.loaded)
        raise torch.OutOfMemoryError("CUDA out of memory.")

    upscaler = "realesrgan-x4plus-miniature"
    with pytest.raises(OutOfMemory, match="to other models made room"):
        pool.attempt(upscaler, CARD.model_copy(update={"device": "cpu"}), work)
    assert seen == [(DEV, upscaler), (upscaler,)]


def test_the_most_that_a_card_held_is_told_in_megabytes_since_the_last_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.take_peak_mb() is None
    peaks = [5_000_000_000]
    cuda = SimpleNamespace(
        is_available=lambda: True,
        max_memory_allocated=lambda: peaks[-1],
        reset_peak_memory_stats=lambda: peaks.append(2_500_000),
    )
    monkeypatch.setattr(torch, "cuda", cuda)
    assert [memory.take_peak_mb(), memory.take_peak_mb()] == [5000.0, 2.5]


def test_what_a_failed_attempt_held_is_free_before_the_next(models: Path) -> None:
    """An exception keeps the frames it came through, and with them their tensors."""
    import weakref

    pool = ModelPool(models)
    held: list[Any] = []

    def work(family: Any) -> bool:
        if held:
            return held[0]() is None
        large = torch.zeros(10)
        held.append(weakref.ref(large))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    assert pool.attempt(SCHNELL, CPU, work) == (True, "other models made room")


def test_other_errors_are_not_tried_again(models: Path) -> None:
    calls: list[Any] = []

    def work(family: Any) -> None:
        calls.append(family)
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        ModelPool(models).attempt(SCHNELL, CPU, work)
    assert len(calls) == 1
