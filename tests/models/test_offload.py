"""Parts that come and go: the hooks at work where there is one memory only; what they save shows on a card alone."""

from pathlib import Path
from typing import Any

import pytest

from hotfolder.models.pool import ModelPool
from hotfolder.spec import JobSpec, Planned
from tests.models import twins
from tests.models.twins import CPU, DEV, SCHNELL


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return twins.put(tmp_path_factory.mktemp("models"))


def make(family: Any) -> bytes:
    planned = Planned(seed=1, seed_locked=True, prompt="a boat")
    spec = JobSpec(kind="generate", width=32, height=32, steps=1)
    return family.generate(planned, spec, lambda step, of: None)[0].tobytes()


@pytest.mark.parametrize(
    "how", [{"encoders_leave": True}, {"offload": "model"}, {"offload": "group"}, {"offload": "sequential"}], ids=str
)
def test_a_picture_is_the_same_however_its_model_is_placed(models: Path, how: dict[str, Any]) -> None:
    """Two models share what moves; each finds it in order when its turn comes, and so does one that is whole."""
    pool = ModelPool(models)
    plain = {name: make(pool.use(name, CPU)) for name in (SCHNELL, DEV)}
    moved = CPU.model_copy(update=how)
    for name in (SCHNELL, DEV, SCHNELL):
        assert make(pool.use(name, moved)) == plain[name]
    assert make(pool.use(DEV, CPU)) == plain[DEV]
