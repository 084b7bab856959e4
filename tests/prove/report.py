"""Figures as a table on the terminal and in docs/."""

import os
import platform
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

INTRO = """# What was proved

`make prove` plays what may go wrong on real processes, with real SIGKILLs, and checks from outside what hotfolder
promises: every file that was dropped is in exactly one place, with its bytes, at every moment; each result appears
once, whole, and is recorded; files and catalog agree. What is expected is kept outside the system. The checks run right
after each kill, before recovery, and once more when all is quiet.

Planted faults show that the proof can fail: each is a careless change to one step of the protocol, and is noticed with
the right words. A kill leaves the system's memory intact and so never shows a forgotten flush: the order of flushes is
read from a trace of the system calls (strace), and leaving one out is noticed there. What all this does not show: what
a disk does that lies about a flush.
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
    if len({row.part for row in rows}) == 1:
        return aligned([line[1:] for line in cells])
    return aligned(cells)


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Return the lines, the first of them headings, as a Markdown table whose last two columns are numbers."""
    columns = range(len(cells[0]))
    widths = [max(len(line[column]) for line in cells) for column in columns]
    signs = ["<" if column < len(cells[0]) - 2 else ">" for column in columns]
    lines = [" | ".join(f"{line[n]:{signs[n]}{widths[n]}}" for n in columns) for line in cells]
    rule = "|".join(
        "-" * (widths[n] + (2 if signs[n] == "<" else 1)) + ("" if signs[n] == "<" else ":") for n in columns
    )
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def machine(command: str, seed: int | None, took_s: float) -> list[str]:
    """Return the lines that say where, when and how the figures were found."""
    head = f"`{command}`" + ("" if seed is None else f", seed {seed}")
    system = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return [
        f"- Command: {head}",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}, {took_s:.0f} s",
        f"- Machine: {system}{load}; {versions}",
    ]


def updated(text: str, rows: list[Row], facts: list[str], intro: str = INTRO) -> str:
    """Return a page, docs/proof.md for one, with the sections of these rows' parts replaced or added, and the `intro`
    before them; other parts stay as they were."""
    old = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    sections = {section.partition("\n")[0]: section for section in old}
    for part in dict.fromkeys(row.part for row in rows):
        mine = [row for row in rows if row.part == part]
        sections[part] = "\n".join([part, "", *facts, "", table(mine), "", ""])
    return intro + "\n" + "".join(f"## {section.rstrip()}\n\n" for section in sections.values()).rstrip() + "\n"
