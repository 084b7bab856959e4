"""The proof can fail: planted faults are noticed. And a few random kills each time; `make prove` does all."""

from pathlib import Path

import pytest

from tests.prove import audit, mutants
from tests.prove.kills import random_kills

FASTEST = {"copied_in", "settle_skipped", "files_left_behind", "published_before_intended"}


@pytest.mark.parametrize("mutant", [one for one in mutants.MUTANTS if one.fault in FASTEST], ids=lambda one: one.fault)
def test_a_planted_fault_is_noticed(mutant: mutants.Mutant, tmp_path: Path) -> None:
    said = mutants.outcome(mutant, tmp_path / "w")
    assert mutants.is_caught(mutant, said), f"not noticed as `{mutant.says}`: {said!r}"


def test_every_fault_is_planted_somewhere() -> None:
    text = (Path(__file__).parent / "planted" / "faults.py").read_text()
    planted = {line.removeprefix("def ").partition("(")[0] for line in text.splitlines() if line.startswith("def ")}
    used = {one.fault for one in mutants.MUTANTS} | {one.planted.partition("=")[0] for one in audit.MISSING}
    assert planted == used


def test_random_kills_lose_nothing(tmp_path: Path) -> None:
    counted = random_kills(tmp_path / "w", seed=1, kills=10, files=20)
    assert counted["kills"] >= 10
    assert counted["drops"] == 20


@pytest.mark.skipif(not audit.is_possible(), reason="needs strace, and to be allowed to trace")
@pytest.mark.parametrize("other_device", [False, True], ids=["same disk", "another disk"])
def test_everything_is_flushed_before_what_relies_on_it(other_device: bool, tmp_path: Path) -> None:
    broken, seen = audit.audit(tmp_path / "w", other_device=other_device)
    assert broken == []
    assert seen["links into outbox"] >= 2, f"too little was traced: {seen}"


@pytest.mark.skipif(not audit.is_possible(), reason="needs strace, and to be allowed to trace")
def test_a_flush_left_out_is_noticed(tmp_path: Path) -> None:
    missing = audit.MISSING[0]
    broken, _ = audit.audit(tmp_path / "w", missing.planted)
    assert any(missing.says in sentence for sentence in broken), broken
