"""What is in memory, and when: parts shared, the budget kept, what is needed latest gone first. Tiny pipelines."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from hotfolder import miniatures
from hotfolder.errors import OutOfMemory
from hotfolder.models import fit, load, sources
from hotfolder.models.loras import Lora
from hotfolder.models.pool import ModelPool
from hotfolder.spec import JobSpec, Planned
from tests.models import lorafiles, twins
from tests.models.twins import CPU, DEV, SCHNELL, SHARED, THIRD


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return twins.put(tmp_path_factory.mktemp("models"))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is loaded: the folders of parts with weights."""
    noted: list[str] = []
    whole = load.load

    def note(kind: Any, source: Any, *args: Any) -> Any:
        if kind.has_weights:
            noted.append(f"{source.folder.parent.name}/{source.folder.name}")
        return whole(kind, source, *args)

    monkeypatch.setattr(load, "load", note)
    return noted


@pytest.fixture
def pool(models: Path) -> ModelPool:
    return ModelPool(models)


def size(pool: ModelPool, *names: str) -> int:
    """Return what these models take together."""
    for name in names:
        pool.use(name, CPU)
    found = pool.device_bytes
    pool.release()
    return found


def make(family: Any) -> Any:
    planned = Planned(seed=1, seed_locked=True, prompt="a boat")
    spec = JobSpec(kind="generate", width=32, height=32, steps=1)
    return family.generate(planned, spec, lambda step, of: None)[0]


def test_parts_with_equal_files_are_loaded_once(pool: ModelPool, loaded: list[str]) -> None:
    one, two = pool.use(SCHNELL, CPU), pool.use(DEV, CPU)
    assert pool.use(SCHNELL, CPU) is one
    assert loaded == [f"{SCHNELL}/{part}" for part in ("transformer", *SHARED)] + [f"{DEV}/transformer"]
    assert all(getattr(one.pipeline, part) is getattr(two.pipeline, part) for part in SHARED)
    assert one.pipeline.transformer is not two.pipeline.transformer
    assert one.pipeline.scheduler is not two.pipeline.scheduler


def test_a_shared_model_makes_the_picture_it_makes_alone(pool: ModelPool) -> None:
    alone = make(pool.use(DEV, CPU))
    pool.release()
    pool.use(SCHNELL, CPU)
    assert make(pool.use(DEV, CPU)).tobytes() == alone.tobytes()
    assert pool.use(DEV, CPU).pipeline.transformer.dtype == torch.float32


def test_another_precision_is_another_part(pool: ModelPool) -> None:
    half = CPU.model_copy(update={"precision": "bf16"})
    one = pool.use(SCHNELL, CPU).pipeline
    two = pool.use(SCHNELL, half).pipeline
    assert (one.transformer.dtype, two.transformer.dtype) == (torch.float32, torch.bfloat16)
    assert two.text_encoder_2 is one.text_encoder_2


def test_weights_that_are_replaced_are_loaded_anew(models: Path, tmp_path: Path, loaded: list[str]) -> None:
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    pool = ModelPool(tmp_path)
    before = pool.use(DEV, CPU)
    path = tmp_path / "checkpoints" / DEV / twins.TRANSFORMER
    fresh = path.with_suffix(".new")
    shutil.copy(path, fresh)
    twins.change_weights(fresh, 1)
    fresh.rename(path)
    loaded.clear()
    after = pool.use(DEV, CPU)
    assert after is not before
    assert loaded == [f"{DEV}/transformer"]


def test_files_are_compared_only_where_their_sizes_are_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("one", b"abc"), ("two", b"abcd"), ("three", b"abd"), ("four", b"abc")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.safetensors").write_bytes(content)
    one, two, three, four = (sources.part_of(tmp_path / name, "") for name in ("one", "two", "three", "four"))
    assert one.is_same(four)
    assert not one.is_same(three)
    monkeypatch.setattr(sources, "sha256_of", None)
    assert not one.is_same(two)


def test_the_budget_is_never_exceeded(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ModelPool(models)
    largest = size(pool, DEV)
    budget = CPU.model_copy(update={"budget_bytes": largest + 1000})
    seen: list[int] = []
    whole = load.own

    def weigh(module: Any) -> None:
        seen.append(pool.device_bytes)  # with the part that gets memory of its own now
        whole(module)

    monkeypatch.setattr(load, "own", weigh)
    for name in (SCHNELL, DEV, SCHNELL, DEV):
        pool.use(name, budget)
        assert pool.device_bytes <= largest + 1000
    assert len(seen) == 4 + 3
    assert max(seen) <= largest + 1000


def test_room_is_made_for_the_work_too_also_when_nothing_is_loaded(pool: ModelPool, loaded: list[str]) -> None:
    both = size(pool, SCHNELL, DEV)
    easy = CPU.model_copy(update={"budget_bytes": both + 1000, "headroom_bytes": 1000})
    for name in (SCHNELL, DEV, SCHNELL):
        pool.use(name, easy)
    assert pool.loaded == (DEV, SCHNELL)
    loaded.clear()
    pool.use(SCHNELL, easy.model_copy(update={"headroom_bytes": 1001}))
    assert (pool.loaded, loaded) == ((SCHNELL,), [])
    pool.use(DEV, easy.model_copy(update={"headroom_bytes": 0, "encoding_bytes": 1001}))
    assert (pool.loaded, loaded) == ((DEV,), [f"{DEV}/transformer"])
    pool.use(DEV, easy.model_copy(update={"headroom_bytes": both}))
    assert pool.loaded == (DEV,), "whether it fits alone was decided when it was placed"


@pytest.mark.parametrize(
    ("how", "stay", "reading", "painting"),
    [
        ({}, ["transformer", *SHARED], [], []),
        ({"encoders_leave": True}, ["transformer", "vae"], ["text_encoder"], []),
        ({"offload": "model"}, [], ["text_encoder"], ["transformer"]),
        ({"offload": "group"}, ["vae"], ["text_encoder"], [100]),
        ({"offload": "sequential"}, [], [10], [10]),
    ],
    ids=str,
)
def test_what_leaves_the_device_counts_while_it_is_there(
    pool: ModelPool, monkeypatch: pytest.MonkeyPatch, how: Any, stay: Any, reading: Any, painting: Any
) -> None:
    """Counted as fit.need does: at each of two moments what stays, the largest of what comes and goes, and the work."""
    monkeypatch.setattr(fit, "STREAMED", {"group": 100, "sequential": 10})
    pipeline = pool.use(SCHNELL, CPU).pipeline
    bytes_of = {part: load.bytes_of(getattr(pipeline, part)) for part in ("transformer", *SHARED)}
    assert bytes_of["text_encoder"] > bytes_of["text_encoder_2"] and bytes_of["transformer"] > bytes_of["vae"]
    pool.use(SCHNELL, CPU.model_copy(update=how))
    weights = [sum(bytes_of.get(one, one) for one in (*stay, *there)) for there in (reading, painting)]
    assert pool.device_bytes == max(weights)
    for encoding, headroom in ((0, 0), (10**6, 0), (0, 10**6)):
        assert pool._bytes_at_most(encoding, headroom) == max(weights[0] + encoding, weights[1] + headroom)


def test_text_encoders_that_leave_make_no_other_model_go(pool: ModelPool) -> None:
    """The picture needs as much room as the encoders took: it has that while they are away."""
    both = size(pool, SCHNELL, DEV)
    pipeline = pool.use(SCHNELL, CPU).pipeline
    encoders = load.bytes_of(pipeline.text_encoder) + load.bytes_of(pipeline.text_encoder_2)
    tight = CPU.model_copy(update={"budget_bytes": both, "headroom_bytes": encoders})
    leave = tight.model_copy(update={"encoders_leave": True})
    for placement, stays in ((leave, (SCHNELL, DEV)), (tight, (DEV,))):
        pool.release()
        for name in (SCHNELL, DEV):
            pool.use(name, placement)
        assert pool.loaded == stays


def test_the_most_that_models_took_counts_loras_too(pool: ModelPool, tmp_path: Path) -> None:
    path = lorafiles.write(tmp_path / "x.safetensors", lorafiles.as_diffusers(*lorafiles.matrices()))
    spec, planned = (
        JobSpec(kind="generate", width=32, height=32, steps=1),
        Planned(seed=1, seed_locked=True, prompt="x"),
    )
    plain = size(pool, SCHNELL)
    pool.attempt(SCHNELL, CPU, lambda family: family.generate(planned, spec, print, None, [Lora("x", 1.0, path)]))
    assert pool.peak_bytes == pool.device_bytes == plain + 3 * 2 * lorafiles.RANK * lorafiles.DIM * 4


def test_what_is_shared_stays_when_its_first_model_makes_room(pool: ModelPool, loaded: list[str]) -> None:
    tight = CPU.model_copy(update={"budget_bytes": size(pool, DEV)})
    loaded.clear()
    for name in (SCHNELL, DEV, SCHNELL, DEV):
        pool.use(name, tight)
    assert [one for one in loaded if not one.endswith("/transformer")] == [f"{SCHNELL}/{part}" for part in SHARED]


@pytest.mark.parametrize(("upcoming", "stays"), [((SCHNELL, DEV), SCHNELL), ((DEV, SCHNELL), DEV), ((), DEV)])
def test_what_is_needed_latest_makes_room(
    models: Path, upcoming: tuple[str, ...], stays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third model comes where two fit; of those never needed again the one longest unused goes."""
    monkeypatch.setattr(miniatures, "path", lambda name: models / "third")
    pool = ModelPool(models)
    tight = CPU.model_copy(update={"budget_bytes": size(pool, SCHNELL, DEV)})
    for name in (SCHNELL, DEV):
        pool.use(name, tight)
    pool.upcoming = upcoming
    pool.use(THIRD, tight)
    assert set(pool.loaded) == {stays, THIRD}


def test_a_model_larger_than_the_budget_is_refused_with_its_size(pool: ModelPool) -> None:
    with pytest.raises(OutOfMemory, match=r"flux1-dev takes .* GB of memory, more than the .* GB"):
        pool.use(DEV, CPU.model_copy(update={"budget_bytes": 1000}))
    assert pool.device_bytes == 0


def test_weights_have_memory_of_their_own_aligned_as_sums_like_it(pool: ModelPool) -> None:
    """As they come, they lie in the mapped file, at multiples of 8 bytes; pictures then differ in the last digits."""
    pipeline = pool.use(SCHNELL, CPU).pipeline
    for part in ("transformer", *SHARED):
        assert all(tensor.data_ptr() % 64 == 0 for tensor in getattr(pipeline, part).parameters())
