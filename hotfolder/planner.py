"""Which job next: a pure function over what is queued and what is in memory.

Order: priority; then a job whose model is in memory already, as long as the oldest job has not been overtaken `bound`
times; then arrival. Loading a model costs as much as many pictures, so this is the largest gain a queue can make. A job
that needs no model overtakes nobody: nothing would be saved by it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A queued job of the highest priority. `model` is "" when it loads none; `position` is its place of arrival."""

    id: int
    position: int
    model: str


def next_job(candidates: Sequence[Candidate], loaded: Collection[str], overtaken: int, bound: int) -> Candidate | None:
    """Return the job to run.

    Args:
        candidates: queued jobs of one priority, at least the oldest one and the oldest one for a model in `loaded`.
        loaded: the models in memory.
        overtaken: how many younger jobs of this priority started while the oldest candidate was queued.
        bound: how often that may happen; 0 means strictly by arrival.
    """
    ordered = sorted(candidates, key=lambda job: job.position)
    if not ordered:
        return None
    oldest = ordered[0]
    if oldest.model in ("", *loaded) or overtaken >= bound:
        return oldest
    return next((job for job in ordered if job.model in loaded), oldest)
