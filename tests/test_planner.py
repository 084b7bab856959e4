"""What the planner promises: nobody is overtaken more often than the bound allows, and models are loaded rarely.

It decides job by job, from the oldest one and those for the model in memory. With a bound as large as the queue that is
the best there is; with a smaller one the best order may save a load or so more by keeping its overtaking for later.
"""

import itertools
import random
from collections.abc import Sequence

import pytest

from hotfolder.planner import Candidate, next_job


def play(models: Sequence[str], bound: int, room: int = 1) -> tuple[list[int], int]:
    """Run a queue to its end; returns the positions in the order run, and how many loads it took.

    `room`: how many models fit into memory; the one longest unused goes.
    """
    queue = [Candidate(id=100 + number, position=number, model=model) for number, model in enumerate(models)]
    order: list[int] = []
    loaded: list[str] = []
    loads = 0
    while queue:
        overtaken = sum(position > queue[0].position for position in order)
        job = next_job(queue, loaded, overtaken, bound)
        assert job is not None
        queue.remove(job)
        order.append(job.position)
        if job.model:
            loads += job.model not in loaded
            loaded = [*(model for model in loaded if model != job.model), job.model][-room:]
    return order, loads


def most_overtaken(order: Sequence[int]) -> int:
    return max(sum(other > job for other in order[:place]) for place, job in enumerate(order))


def fewest_loads(models: Sequence[str], bound: int) -> int:
    """Search every order in which no job is overtaken more than `bound` times."""
    best = len(models)

    def search(left: tuple[int, ...], resident: str, loads: int, overtaken: dict[int, int]) -> None:
        nonlocal best
        if loads >= best:
            return
        if not left:
            best = loads
            return
        for job in left:
            older = [other for other in left if other < job]
            if any(overtaken[other] >= bound for other in older):
                break
            passed = overtaken | {other: overtaken[other] + 1 for other in older}
            model = models[job]
            rest = tuple(other for other in left if other != job)
            search(rest, model or resident, loads + (model not in ("", resident)), passed)

    search(tuple(range(len(models))), "", 0, dict.fromkeys(range(len(models)), 0))
    return best


SMALL = [queue for length in range(1, 6) for queue in itertools.product(["", "a", "b", "c"], repeat=length)]


@pytest.mark.parametrize("bound", [0, 1, 2, 3, 9])
def test_every_small_queue(bound: int) -> None:
    missed = 0
    for models in SMALL:
        order, loads = play(models, bound)
        assert sorted(order) == list(range(len(models)))
        assert most_overtaken(order) <= bound
        more = loads - fewest_loads(models, bound)
        assert 0 <= more <= 1, f"{models}: {more} loads too many"
        missed += more
    if bound in (0, 9):
        assert missed == 0
    assert missed <= len(SMALL) // 10


def test_the_bound_is_used_up_and_not_passed() -> None:
    order, loads = play(["a", "b", *["a"] * 10], bound=4)
    assert order == [0, 2, 3, 4, 5, 1, 6, 7, 8, 9, 10, 11]
    assert (most_overtaken(order), loads) == (4, 3)


def test_the_model_in_memory_goes_first_and_arrival_decides_among_its_jobs() -> None:
    jobs = [Candidate(1, 10, "a"), Candidate(2, 30, "b"), Candidate(3, 20, "b")]
    assert next_job(jobs, ["b"], 0, 32) == jobs[2]
    assert next_job(jobs, ["c"], 0, 32) == jobs[0]
    assert next_job(jobs, [], 0, 32) == jobs[0]
    assert next_job([], ["a"], 0, 32) is None


def test_every_model_in_memory_counts_not_only_the_one_used_last() -> None:
    jobs = [Candidate(1, 10, "c"), Candidate(2, 20, "a"), Candidate(3, 30, "b")]
    assert next_job(jobs, ["a", "b"], 0, 32) == jobs[1]
    assert next_job(jobs, ["b"], 0, 32) == jobs[2]
    assert next_job(jobs[1:], ["b", "a"], 0, 32) == jobs[1], "arrival decides among them"
    assert next_job(jobs, ["a", "b"], 32, 32) == jobs[0]
    order, loads = play(["a", "b"] * 20, bound=0, room=2)
    assert (order, loads) == (list(range(40)), 2)
    by_turns = ["a", "b", *"abc" * 10]
    assert [play(by_turns, bound=4, room=room)[1] for room in (1, 2, 3)] == [8, 6, 3]


def test_a_job_without_a_model_overtakes_nobody_and_keeps_its_turn() -> None:
    jobs = [Candidate(1, 1, "a"), Candidate(2, 2, "")]
    assert next_job(jobs, ["b"], 0, 32) == jobs[0]
    assert next_job(jobs[::-1], [], 0, 32) == jobs[0]
    waiting = [Candidate(1, 1, ""), Candidate(2, 2, "a")]
    assert next_job(waiting, ["a"], 0, 32) == waiting[0]


@pytest.mark.parametrize("seed", range(5))
def test_two_hundred_jobs_over_four_models(seed: int) -> None:
    chance = random.Random(seed)
    models = [chance.choice("abcd") for _ in range(200)]
    by_arrival = play(models, 0)[1]
    assert by_arrival > 120
    for bound, at_most in [(8, by_arrival // 2), (32, by_arrival // 5), (200, 4)]:
        order, loads = play(models, bound)
        assert most_overtaken(order) <= bound
        assert loads <= at_most, f"bound {bound}: {loads} loads, {by_arrival} by arrival"
