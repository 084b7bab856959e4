"""What commands print: tables and lines for people. Text from files is shown with control characters escaped."""

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hotfolder import names
from hotfolder.models.download import gigabytes
from hotfolder.status import SHOWN, Status

if TYPE_CHECKING:
    from hotfolder.doctor import Finding
    from hotfolder.models.inventory import Known
    from hotfolder.models.prune import Unneeded


def safe(text: str) -> str:
    """Return text for a terminal: line by line, control and bidi characters visible."""
    return "\n".join(names.display(line) for line in text.split("\n"))


def status(found: Status) -> str:
    """Return the status as a few lines and tables."""
    out = Console(file=io.StringIO(), width=Console().width, highlight=False)
    state = "running" if found.running else "not running"
    out.print(
        f"hotfolder is {state}; profile {found.profile}" + (" (draws coloured shapes)" * (found.profile == "miniature"))
    )
    if found.paused:
        out.print(f"Nothing new starts: {found.paused}", markup=False)
    order = "running publishing queued waiting done failed cancelled".split()
    words = {} if found.running else {"running": "interrupted", "publishing": "interrupted"}
    parts = [f"{found.counts[name]} {words.get(name, name)}" for name in order if found.counts.get(name)]
    out.print(
        "Jobs: " + (", ".join(parts) or "none yet") + (f"; {found.settling} files settling" * bool(found.settling))
    )
    if found.job:
        steps = found.progress
        at = (
            f", picture {steps['picture']} of {steps['pictures']}, step {steps['step']} of {steps['of']}"
            if steps
            else ""
        )
        eta = f", about {found.eta_s:.0f} s to go" if found.eta_s is not None else ""
        out.print(f"Now: {found.job['id']} {found.job['kind']} {safe(found.job['name'])}{at}{eta}", markup=False)
    for title, rows, column in (
        ("Queued", found.queued, None),
        ("Waiting", found.waiting, "wait_reason"),
        ("Failed", found.failed, "error"),
    ):
        if rows:
            out.print(_table(f"{title}{f' (first {SHOWN})' if len(rows) == SHOWN else ''}", rows, column))
    if found.not_taken:
        shown = ", ".join(found.not_taken[:5])
        out.print(f"Left in the inbox, no kind of file hotfolder takes: {shown}", markup=False)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().rstrip()


def _table(title: str, rows: Iterable[dict[str, Any]], column: str | None) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("job", "folder", "name", *(["why"] if column else [])):
        table.add_column(heading, overflow="fold")
    for row in rows:
        cells = [str(row["id"]), row["hot_folder"], row["name"]] + ([row[column] or ""] if column else [])
        table.add_row(*(escape(safe(cell)) for cell in cells))
    return table


def findings(found: Iterable["Finding"]) -> str:
    """Return the doctor's findings, a line each, with what mends them."""
    marks = {True: "ok ", False: "BAD", None: "   "}
    lines = []
    for finding in found:
        lines.append(f"{marks[finding.ok]} {finding.name}: {safe(finding.says)}")
        if finding.mend:
            lines.append(f"      mend: {finding.mend}")
    return "\n".join(lines)


def models(stock: Iterable["Known"]) -> str:
    """Return the table of the known models. Only licences are folded, at spaces; for that it is 80 columns at least."""
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for heading in ("model", "here", "size", "memory GB", "licence"):
        table.add_column(heading, no_wrap=heading != "licence")
    for one in stock:
        here = "shipped" if one.packaged else "yes" if one.path else "begun" if one.here_bytes else "no"
        vram = "\n".join(f"{n / 1e9:.1f} {precision}" for precision, n in one.vram.items())
        is_said = one.commercial or "non-commercial" in one.licence.lower()
        notes = [one.licence, *(["non-commercial"] * (not is_said)), *(["gated"] * one.gated)]
        use = "\n  ".join((one.name, *(one.kinds or ("LoRA for", *one.lora_for))))
        size = gigabytes(one.bytes) if one.bytes else ""
        table.add_row(use, here, size, vram, escape("; ".join(notes)))
    out = Console(file=io.StringIO(), width=max(Console().width, 80), highlight=False)
    out.print(table)
    assert isinstance(out.file, io.StringIO)
    return "\n".join(line.rstrip() for line in out.file.getvalue().rstrip().split("\n"))


def unneeded(found: Iterable["Unneeded"]) -> str:
    """Return what would be deleted, a line for each model and one for the sum."""
    lines = [f"{one.name}: {len(one.files)} files, {gigabytes(one.bytes)}" for one in found]
    return "\n".join([*lines, f"{gigabytes(sum(one.bytes for one in found))} would be free."])
