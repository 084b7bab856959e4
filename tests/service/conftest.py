"""A fresh workspace for a test, or one whose service lives on through a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.living import Living, living


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Living]:
    yield from living(tmp_path / "w", "stop_grace_s: 20\n")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A service that runs through all tests of a module; each takes names of its own and leaves nothing queued."""
    for one in living(tmp_path_factory.mktemp("running") / "w"):
        yield one.start()
        assert one.end() == 0
        assert "Traceback" not in one.told()
