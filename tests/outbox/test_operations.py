"""A hundred things that people do to pictures in outbox: the catalog says afterwards what they did, and files and
catalog agree. `make prove` does it with more seeds."""

from pathlib import Path

from tests.outbox.playing import play


def test_a_hundred_random_operations_are_followed(tmp_path: Path) -> None:
    assert play(tmp_path / "w", 20_261_121) == 100
