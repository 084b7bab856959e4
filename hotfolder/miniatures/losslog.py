"""A small loss curve on disk, and progress on the screen."""

from __future__ import annotations

import time
from pathlib import Path


class Enough(Exception):
    """As many steps were made as were asked for."""


class LossLog:
    """Averages over a stretch of steps, one CSV line for each stretch.

    Args:
        path: The CSV file, begun anew.
        every: Steps per line.
        columns: Names of the logged values.
        limit: Step after which ``add`` ends the training by raising ``Enough``; None for its own end.
    """

    def __init__(self, path: Path, every: int, columns: tuple[str, ...], limit: int | None = None) -> None:
        self._path = path
        self._every = every
        self._limit = limit
        self._start = time.monotonic()
        self._sums = [0.0] * len(columns)
        path.write_text(",".join(("step", "seconds", *columns)) + "\n")

    def add(self, step: int, *values: float) -> None:
        """Takes one step's values; writes and prints a line at the end of a stretch."""
        self._sums = [total + value for total, value in zip(self._sums, values, strict=True)]
        if step % self._every:
            return
        means = ",".join(f"{total / self._every:.5f}" for total in self._sums)
        line = f"{step},{time.monotonic() - self._start:.0f},{means}"
        with self._path.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)
        self._sums = [0.0] * len(self._sums)
        if step == self._limit:
            raise Enough
