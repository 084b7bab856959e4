"""A picture dragged out of outbox into an inbox is copied in effect: it is put back where its row says it lies."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hotfolder import atomic
from hotfolder.catalog import pictures
from hotfolder.catalog.store import Reader
from hotfolder.intake import returning
from hotfolder.intake.pairing import is_picture
from hotfolder.intake.scan import scan
from hotfolder.workspace import Workspace

if TYPE_CHECKING:
    from hotfolder.outbox.looking import Row


def put_back_what_lies_in_inbox(workspace: Workspace, catalog: Reader, gone: "Sequence[Row]") -> set[str]:
    """Copy back pictures that lie in the inbox, where they may wait for long, and return their ids; the others are put
    back when they are taken from there (`intake.claim`)."""
    back = set()
    waiting: dict[int, list[tuple[Path, int]]] = defaultdict(list)
    device = workspace.outbox.stat().st_dev
    for entry in scan(workspace.inbox):
        if is_picture(entry.name):
            number = entry.signature.inode if entry.signature.device == device else 0
            waiting[entry.signature.size].append((workspace.inbox / entry.path, number))
    for row in (row for row in gone if waiting and pictures.OVERWRITTEN not in row.path):
        size, _, own = ((row.signature or "0 0 0").partition(" + ")[0]).split(" ")
        for path, number in waiting.get(int(size), ()):
            if number and number != int(own):  # a copy of it, or what was put back once and then deleted
                continue
            wanted = catalog.row("select sha256 from images where id=?", row.id)
            try:
                if wanted and atomic.sha256_of(path) == wanted["sha256"]:
                    returning.put_back(path, workspace.absolute(row.path))
                    back.add(row.id)
                    break
            except OSError:  # taken from the inbox meanwhile
                continue
    return back
