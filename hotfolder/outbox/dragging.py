"""A picture dragged out of outbox into an inbox is copied in effect: it is put back where its row says it lies."""

from collections import defaultdict
from pathlib import Path

from hotfolder import atomic
from hotfolder.catalog import pictures, store
from hotfolder.catalog.store import Reader
from hotfolder.intake import returning
from hotfolder.intake.pairing import is_picture
from hotfolder.intake.scan import scan
from hotfolder.outbox.looking import Look, Row
from hotfolder.workspace import Workspace


def put_back(workspace: Workspace, look: Look) -> None:
    """Copy back pictures that a look did not find and that lie in the inbox, where they may wait for long; they are not
    gone then. The others are put back when they are taken from there (`intake.claim`).

    Raises:
        OSError: outbox or inbox cannot be read, or outbox not be written.
    """
    if look.away or not look.gone:
        return
    waiting: dict[int, list[tuple[Path, int]]] = defaultdict(list)
    device = workspace.outbox.stat().st_dev
    for entry in scan(workspace.inbox):
        if is_picture(entry.name):
            number = entry.signature.inode if entry.signature.device == device else 0
            waiting[entry.signature.size].append((workspace.inbox / entry.path, number))
    if not waiting:
        return
    with store.reading(workspace.catalog) as catalog:
        look.gone = [row for row in look.gone if not _is_put_back(workspace, catalog, row, waiting, look.back)]


def _is_put_back(
    workspace: Workspace,
    catalog: Reader,
    row: Row,
    waiting: dict[int, list[tuple[Path, int]]],
    back: dict[str, str],
) -> bool:
    """Copy one picture back if it is among those that wait, which are given by their sizes with their numbers."""
    wanted = catalog.row("select sha256 from images where id=?", row.id)
    if wanted is None or pictures.OVERWRITTEN in row.path:
        return False
    own, mark, beside = (row.signature or "0 0 0").partition(" + ")
    size, _, own_number = own.split(" ")
    for path, number in waiting.get(int(size), ()):
        if number and number != int(own_number):  # a copy of it, or what was put back once and then deleted
            continue
        try:
            if atomic.sha256_of(path) == wanted["sha256"]:
                if copy := returning.put_back(path, workspace.absolute(row.path)):
                    back[row.id] = f"{pictures.signature(copy, None)}{mark}{beside}"  # what is beside it is seen later
                return True
        except OSError:  # taken from the inbox meanwhile
            continue
    return False
