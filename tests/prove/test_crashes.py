"""Each step of the protocol, killed once with one seed; `make prove` does ten of each and the random kills."""

from pathlib import Path

import pytest

from tests.prove.crashes import crash_run
from tests.prove.trial import crash_points


@pytest.mark.parametrize("point", crash_points())
def test_a_kill_at_every_step_loses_nothing_and_repeats_nothing(point: str, tmp_path: Path) -> None:
    assert crash_run(tmp_path / "w", point, seed=1) >= 1
