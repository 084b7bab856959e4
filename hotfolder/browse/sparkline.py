"""The last minute of the graphics card as lines, with marks where models were loaded and freed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

SPAN_S = 60
WIDTH, HEIGHT = 300, 60
GAP_S = 3.0
"""Two samples further apart than this are not joined: nothing was measured between them."""


@dataclass(frozen=True)
class Mark:
    """A moment in which the models in memory changed. `says`: `17:02:03 loaded flux1-schnell`."""

    x: float
    says: str


@dataclass(frozen=True)
class Sparkline:
    """Lines as points of an SVG polyline, 300 x 60; `says` is the same in words."""

    utilisation: list[str]
    memory: list[str]
    marks: list[Mark]
    says: str


def draw(samples: list[dict[str, Any]]) -> Sparkline:
    """Return the last 60 s of samples, oldest first; there is at least one."""
    times = [datetime.fromisoformat(sample["at"]) for sample in samples]
    ages_s = [(times[-1] - time).total_seconds() for time in times]
    seen = [(WIDTH * (1 - age_s / SPAN_S), sample) for age_s, sample in zip(ages_s, samples) if age_s <= SPAN_S]
    marks = []
    before: set[str] | None = None
    for time, age_s, sample in zip(times, ages_s, samples):
        now = set(sample["loaded"])
        if before is not None and age_s <= SPAN_S:
            changes = [f"{verb} {', '.join(sorted(models))}" for verb, models in
                       (("loaded", now - before), ("freed", before - now)) if models]  # fmt: skip
            if changes:
                says = f"{time.astimezone():%H:%M:%S} {' and '.join(changes)}"
                marks.append(Mark(round(WIDTH * (1 - age_s / SPAN_S), 1), says))
        before = now
    return Sparkline(
        utilisation=_lines([(x, sample["utilisation_percent"]) for x, sample in seen]),
        memory=_lines([(x, _percent(sample)) for x, sample in seen]),
        marks=marks,
        says=_says([sample["utilisation_percent"] for _, sample in seen], marks),
    )


def _percent(sample: dict[str, Any]) -> float | None:
    used, total = sample["memory_used_mb"], sample["memory_total_mb"]
    return None if used is None or not total else 100 * used / total


def _lines(points: list[tuple[float, float | None]]) -> list[str]:
    """Return one line for each stretch without a gap."""
    lines: list[list[str]] = []
    last: float | None = None
    for x, percent in points:
        if percent is None:
            continue
        if last is None or x - last > WIDTH * GAP_S / SPAN_S:
            lines.append([])
        lines[-1].append(f"{x:.1f},{HEIGHT * (1 - percent / 100):.1f}")
        last = x
    return [" ".join(line) for line in lines]


def _says(utilisation: list[float | None], marks: list[Mark]) -> str:
    known = [percent for percent in utilisation if percent is not None]
    said = [f"utilisation in the last minute between {min(known):.0f} and {max(known):.0f} %"] if known else []
    return "; ".join([*said, *(mark.says for mark in marks)]) or "nothing is known of the last minute"
