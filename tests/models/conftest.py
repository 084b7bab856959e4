"""A hub of the test's own, in place of the real one, and an empty cache."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models import hubserver
from tests.models.hubserver import Hub

WEIGHTS = random.Random(1).randbytes(3_000_000)
CONFIG = b'{"model_type": "blip"}'
REPO = "people/model"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import huggingface_hub.constants

    for one in hubserver.serving(Hub({REPO: {"config.json": CONFIG, "model.bin": WEIGHTS, "twice.bin": WEIGHTS}})):
        monkeypatch.setenv("HF_ENDPOINT", one.endpoint)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.delenv("HF_HUB_CACHE", raising=False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        yield one
