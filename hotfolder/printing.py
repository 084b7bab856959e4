"""What commands print: tables and lines for people. Text from files is shown with control characters escaped."""

import contextlib
import io
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hotfolder import statuswords
from hotfolder.models.download import gigabytes
from hotfolder.status import SHOWN, Status
from hotfolder.statuswords import safe

if TYPE_CHECKING:
    from hotfolder.doctor import Finding
    from hotfolder.models.inventory import Known
    from hotfolder.models.prune import Unneeded


DONE_SHOWN = 5
WATCH_S = 1.0


def status(found: Status) -> Group:
    """Return the status as a few lines and tables; they are read at 80 columns and more."""
    profile = f"profile {found.profile}" + (" (draws coloured shapes)" * (found.profile == "miniature"))
    colour = ("yellow" if found.paused else "green") if found.running else "red"
    parts: list[RenderableType] = [Text.assemble((statuswords.headline(found), f"bold {colour}"), f"; {profile}")]
    if not found.running:
        parts.append(Text("Start it: hotfolder run"))
    if found.paused:
        parts.append(Text(f"Nothing new starts: {safe(found.paused)}", "yellow"))
    jobs = ", ".join(f"{number} {word}" for _, number, word in statuswords.counted(found)) or "none yet"
    settling = f"; {statuswords.several(found.settling, 'file')} settling" * bool(found.settling)
    parts.append(Text(f"Jobs: {jobs}{settling}"))
    parts += _now(found)
    if found.queue_eta_s is not None:
        parts.append(Text(f"All that is queued: {statuswords.about(found.queue_eta_s)}"))
    if found.fetching:
        parts.append(Text(safe(found.fetching), "yellow"))
    if found.gpu and found.gpu["samples"]:
        told = ", ".join(f"{name} {text}" for name, text in statuswords.figures(found.gpu["samples"][-1]))
        parts.append(Text(f"Card: {safe(found.gpu['device'] or 'unknown')}; {told}"))
    if found.counts:
        parts.append(Text(f"Today: {statuswords.today(found)}"))
    for part in _tables(found):
        parts += [Text(), part] if isinstance(part, Table) else [part]
    return Group(*parts)


def _now(found: Status) -> Iterator[RenderableType]:
    if not (job := found.job):
        return
    yield Text.assemble("Now: ", (f"{job['id']} {job['kind']} {safe(job['name'])}", "bold"))
    if (share := statuswords.share(found)) is not None:
        bar = Table.grid()  # the bar alone would not end its line
        bar.add_row(ProgressBar(total=1.0, completed=share, width=60))
        yield bar
    eta = f", {statuswords.about(found.eta_s)} to go" if found.eta_s is not None else ""
    yield Text(f"{statuswords.doing(found)}{eta}")


def _tables(found: Status) -> Iterator[RenderableType]:
    if found.queued:
        more = found.counts.get("queued", 0) - len(found.queued)
        yield _table(f"Queued{f' (the first {SHOWN}, and {more:,} more)' if more > 0 else ''}", found.queued)
    if found.waiting_for:
        table = _columns("Waiting, and for what", "jobs", "for what")
        for group in found.waiting_for:
            first = ", ".join(f"{job['id']} {safe(job['name'])}" for job in group["first"])
            more = group["jobs"] - len(group["first"])
            table.add_row(escape(first) + (f" and {more:,} more" * bool(more)), escape(safe(group["reason"])))
        yield table
    if found.failed:
        more = found.counts.get("failed", 0) - len(found.failed)
        title = f"Failed{f' (the last {SHOWN}, and {more:,} more)' if more > 0 else ''}"
        yield _table(title, found.failed, "error")
        yield Text(
            "Mend what the error names, then move the file from failed/ back into inbox/,\nor run: hotfolder retry JOB"
        )
    if found.done:
        table = _columns("Done lately", "job", "kind", "name", "made")
        for job in found.done[:DONE_SHOWN]:
            paths = [picture["path"] for picture in job["shown"]]
            more = job["pictures"] - 1
            made = f"{safe(paths[0])}{f' and {more:,} more' if more > 0 else ''}" if paths else ""
            table.add_row(*(escape(cell) for cell in (str(job["id"]), job["kind"], safe(job["name"]), made)))
        yield table
    if found.not_taken:
        shown = ", ".join(safe(name) for name in found.not_taken[:5])
        yield Text(f"Left in the inbox, no kind of file hotfolder takes: {shown}")


def _columns(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", header_style="dim")
    return table


def _table(title: str, rows: Iterable[dict[str, Any]], column: str | None = None) -> Table:
    table = _columns(title, "job", "folder", "name", *(["why"] if column else []))
    for row in rows:
        cells = [str(row["id"]), row["hot_folder"], row["name"]] + ([row[column] or ""] if column else [])
        table.add_row(*(escape(safe(cell)) for cell in cells))
    return table


def watch(look: Callable[[], Status]) -> None:
    """Show the status anew each second until Ctrl-C; once, where there is no terminal to show it on."""
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        console.print(status(look()))
        return
    with contextlib.suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(status(look()), refresh=True)
            time.sleep(WATCH_S)


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
