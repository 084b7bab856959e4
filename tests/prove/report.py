"""Figures as a table on the terminal and in docs/."""

import os
import platform
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTRO = """# What was proved

`make prove` plays what may go wrong on real processes, with real SIGKILLs, and checks from outside what hotfolder
promises: every file that was dropped is in exactly one place, with its bytes, at every moment; each result appears
once, whole, and is recorded; files and catalog agree. What is expected is kept outside the system. The checks run right
after each kill, before recovery, and once more when all is quiet.

Planted faults show that the proof can fail: each is a careless change to one step of the protocol, and is noticed with
the right words. Killing leaves the system's memory intact, so it cannot miss a forgotten flush; the order of flushes is
therefore read from a trace of the system calls (strace), and leaving one out is noticed there. What this does not show:
disks that lie about a flush.
"""


@dataclass(frozen=True)
class Row:
    """One figure. `goal` is a number it must equal, or `>= 500`, `< 0.5`; None where there is none."""

    part: str
    what: str
    value: float
    goal: float | str | None = None

    @property
    def is_met(self) -> bool:
        if not isinstance(self.goal, str):
            return self.goal is None or self.value == self.goal
        sign, number = self.goal.split()
        goal = float(number)
        return {">=": self.value >= goal, "<=": self.value <= goal, "<": self.value < goal}[sign]


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table, which reads well on a terminal too."""
    cells = [("", "", "found", "goal")]
    part = ""
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal}"
        cells.append((row.part if row.part != part else "", row.what, f"{row.value:,}", goal))
        part = row.part
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    aligned = [f"| {a:{widths[0]}} | {b:{widths[1]}} | {c:>{widths[2]}} | {d:>{widths[3]}} |" for a, b, c, d in cells]
    rule = f"|{'-' * (widths[0] + 2)}|{'-' * (widths[1] + 2)}|{'-' * (widths[2] + 1)}:|{'-' * (widths[3] + 1)}:|"
    return "\n".join([aligned[0], rule, *aligned[1:]])


def machine(command: str, seed: int | None, took_s: float) -> list[str]:
    """Return the lines that say where, when and how the figures were found."""
    head = f"`{command}`" + ("" if seed is None else f", seed {seed}")
    system = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return [
        f"- Command: {head}",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}, {took_s / 60:.0f} minutes",
        f"- Machine: {system}{load}; {versions}",
    ]


def markdown(rows: list[Row], facts: list[str], failures: list[str]) -> str:
    """Return docs/proof.md."""
    failed = ["", "## Failures", "", *(f"- {failure}" for failure in failures)] if failures else []
    return "\n".join([INTRO, *facts, "", table(rows), *failed]) + "\n"
