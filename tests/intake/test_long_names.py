"""Names as long as a disk allows, taken again and again: numbers and reasons must still fit."""

from pathlib import Path

import pytest

from hotfolder import control, names
from tests.intake.bench import Bench, digest

LONG = "n" * 251 + ".png"
RAW = "r\udcff" + "r" * 248 + ".png"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Each name dropped twice as a good and twice as a broken picture, then one of the broken ones tried again."""
    bench = Bench(tmp_path_factory.mktemp("long") / "w")
    for round in range(2):
        for name in (LONG, RAW):
            bench.put(f"upscale/{name}")
            bench.put(f"upscale/bad/{name}", b"no picture %d" % round)
        bench.run()
    (job, _) = bench.jobs(f"upscale/bad/{LONG}")
    control.ask(bench.workspace, control.Command("retry", job["id"]))
    return bench.run()


@pytest.mark.parametrize("name", [LONG, RAW])
def test_each_drop_is_kept_under_a_name_that_fits(name: str, bench: Bench) -> None:
    assert bench.states(f"upscale/{name}") == ["done", "done"]
    kept = [path for path in bench.workspace.done.rglob("*.png") if path.name[0] == name[0]]
    assert len(kept) == len({digest(path.read_bytes()) for path in kept}) == 2


def test_each_failure_has_its_own_reason(bench: Bench) -> None:
    failed = list(bench.workspace.failed.rglob("*.png"))
    assert len(failed) == 4
    for path in failed:
        assert path.with_name(names.reason_name(path.name)).read_text().startswith("n" if path.name[0] == "n" else "r")
    assert len(list(bench.workspace.failed.rglob("*.error.txt"))) == 4


def test_a_retry_took_it_back_and_failed_it_anew(bench: Bench) -> None:
    assert bench.states(f"upscale/bad/{LONG}") == ["failed", "failed", "failed"]
    assert not list((bench.inbox / "upscale").rglob("*.png"))


def test_reasons_of_names_that_begin_alike_are_apart(tmp_path: Path) -> None:
    other = Bench(tmp_path / "w")
    for end in "ab":
        other.put(f"upscale/{'x' * 250}{end}.png", b"no picture " + end.encode())
    other.run()
    assert len(list(other.workspace.failed.rglob("*.error.txt"))) == 2
