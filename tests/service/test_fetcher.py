"""What is fetched when: sizes, intervals between tries, what jobs are told; the process is played, time given."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotfolder import fetcher as fetching
from hotfolder import workspace as places
from hotfolder.catalog import queue
from hotfolder.catalog.queue import NewJob
from hotfolder.catalog.store import Catalog
from hotfolder.fetcher import AGAIN_S, LONGEST_S, Fetcher

GONE = {"event": "died", "how": "it was ended by signal 9"}


class Played:
    """Stands for a fetching process: says what the test puts into `says`."""

    started: list["Played"] = []

    def __init__(self, module: str, words: list[str], log: Path, ring: Callable[[], None]) -> None:
        assert module == "hotfolder.models.fetching"
        self.words, self.killed = words, False
        self.says: list[dict[str, Any]] = []
        Played.started.append(self)

    def hear(self) -> Iterator[dict[str, Any]]:
        while self.says:
            yield self.says.pop(0)

    def kill(self) -> None:
        self.killed = True


class Bench:
    def __init__(self, root: Path, limit_gb: float = 2) -> None:
        places.init(root)
        (root / "hotfolder.yaml").write_text(f"fetch_limit_gb: {limit_gb:g}\n")
        workspace = places.open_workspace(root)
        self.catalog = Catalog(workspace.catalog)
        self.told: list[tuple[str, str]] = []
        self.fetcher = Fetcher(
            workspace, self.catalog, lambda: None, lambda model, event: self.told.append((event, model["says"]))
        )

    def wait_for(self, *models: str) -> None:
        """Let one job wait for each of these models, and none for others."""
        with self.catalog.transaction():
            self.catalog.rows("delete from jobs")
            for model in models:
                job = NewJob(model, "caption", 0, "{}", "[]", model, None, "waiting", "lacks weights")
                queue.put_drop(self.catalog, model, "caption", model, "waiting", [], [job])
        self.fetcher.look_what_lacks()

    def hear(self, now: float, **message: Any) -> bool:
        Played.started[-1].says.append(message)
        return self.fetcher.step(now)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(fetching, "ChildProcess", Played)
    monkeypatch.setattr(Played, "started", [])
    return Bench(tmp_path / "w")


def test_what_a_job_lacks_is_fetched_and_the_job_told(bench: Bench) -> None:
    assert not bench.fetcher.step(0)
    bench.wait_for("blip-large")
    assert bench.fetcher.step(0), "its sentence is new"
    assert Played.started[0].words == ["blip-large", "2000000000"]
    assert bench.fetcher.sentences == {"blip-large": "fetching blip-large (1.9 GB)"}
    assert not bench.hear(1, event="progress", done=1_240_000_000, of=1_880_000_000), "no row is written for progress"
    assert bench.fetcher.saying == {"model": "blip-large", "says": "fetching blip-large, 1.2 of 1.9 GB"}
    assert bench.hear(2, event="fetched"), "the jobs are looked at again"
    assert not bench.fetcher.is_busy
    assert bench.fetcher.saying == {}
    assert bench.fetcher.sentences == {}


def test_a_failure_is_tried_again_at_growing_intervals(bench: Bench) -> None:
    bench.wait_for("blip-large")
    now, gaps = 0.0, []
    for _ in range(9):
        bench.fetcher.step(now)
        assert bench.fetcher.is_busy
        assert bench.fetcher.due_at == math.inf
        bench.hear(now, event="failed", error="the hub is down")
        assert bench.fetcher.sentences == {"blip-large": "the hub is down; it is tried again by itself"}
        due_at = bench.fetcher.due_at
        bench.fetcher.step(due_at - 0.01)
        assert not bench.fetcher.is_busy
        gaps.append(due_at - now)
        now = due_at
    assert gaps == [min(LONGEST_S, AGAIN_S * 2**n) for n in range(9)]
    assert gaps[-1] == LONGEST_S


def test_another_model_is_fetched_while_one_cannot_be_had(bench: Bench) -> None:
    bench.wait_for("blip-large", "realesrgan-x4plus")
    bench.fetcher.step(0)
    bench.hear(0, event="failed", error="gated")
    assert [played.words[0] for played in Played.started] == ["blip-large", "realesrgan-x4plus"]
    bench.hear(1, event="fetched")
    bench.wait_for("blip-large")
    assert bench.fetcher.due_at == AGAIN_S


def test_what_did_not_help_is_not_fetched_again_at_once(bench: Bench) -> None:
    bench.wait_for("blip-large")
    bench.fetcher.step(0)
    bench.hear(5, event="fetched")
    assert not bench.fetcher.is_busy
    assert bench.fetcher.due_at == 5 + AGAIN_S


def test_once_each_model_is_tried_once_and_told_of(bench: Bench) -> None:
    bench.wait_for("blip-large", "realesrgan-x4plus")
    bench.fetcher.step(0, tries_again=False)
    for now in (0, 2 * LONGEST_S):
        Played.started[-1].says.append({"event": "failed", "error": "no network"})
        bench.fetcher.step(now, tries_again=False)
    assert not bench.fetcher.is_busy
    assert bench.fetcher.due_at == math.inf
    assert [played.words[0] for played in Played.started] == ["blip-large", "realesrgan-x4plus"]
    assert bench.told == [
        ("fetching", "fetching blip-large (1.9 GB)"),
        ("fetching", "fetching realesrgan-x4plus (66.9 MB)"),
    ]


def test_a_process_that_dies_is_noticed(bench: Bench) -> None:
    bench.wait_for("blip-large")
    bench.fetcher.step(0)
    bench.hear(0, **GONE)
    assert "ended by signal 9" in bench.fetcher.sentences["blip-large"]
    bench.fetcher.step(AGAIN_S)
    assert len(Played.started) == 2


def test_nothing_is_fetched_that_no_job_waits_for_any_more(bench: Bench) -> None:
    bench.wait_for("blip-large")
    bench.fetcher.step(0)
    bench.wait_for()
    assert Played.started[0].killed
    assert not bench.fetcher.is_busy
    assert bench.fetcher.sentences == {}
    assert bench.fetcher.due_at == math.inf


def test_large_models_and_the_shipped_ones_are_never_fetched_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "ChildProcess", Played)
    monkeypatch.setattr(Played, "started", [])
    for limit_gb, models in ((2, ("flux1-schnell", "flux1-schnell-miniature", "lanczos")), (0, ("blip-large",))):
        bench = Bench(tmp_path / f"{limit_gb}", limit_gb)
        bench.wait_for(*models)
        bench.fetcher.step(0)
        assert bench.fetcher.due_at == math.inf
    assert not Played.started


def test_the_catalog_lists_the_models_that_are_here(bench: Bench) -> None:
    bench.fetcher.step(0)
    rows = bench.catalog.rows("select * from models")
    miniature = next(row for row in rows if row["name"] == "flux1-schnell-miniature")
    assert (miniature["family"], miniature["licence"]) == ("flux1", "Apache-2.0")
    assert Path(miniature["path"]).is_dir()
    assert miniature["bytes"] > 1_000_000
    assert "blip-large" not in {row["name"] for row in rows}
