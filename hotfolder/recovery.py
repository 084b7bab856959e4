"""What start-up mends after a kill at any step; runs under the workspace's lock, before anything else."""

import json
import logging
import shutil

from hotfolder import publish
from hotfolder.atomic import crash_point
from hotfolder.catalog import queue
from hotfolder.catalog.store import Catalog
from hotfolder.intake import claim
from hotfolder.workspace import Workspace

log = logging.getLogger("hotfolder")


def recover(workspace: Workspace, catalog: Catalog) -> bool:
    """Bring files and rows together again; each step repeats what the dead process may have left halfway.

    Returns:
        Whether finished pictures could not be put into outbox: `pick_up_stranded` tries again.
    """
    give_back_unfinished_claims(workspace, catalog)
    requeue_running(catalog)
    crash_point("recover_requeued")
    try:
        publish_intended(workspace, catalog)
        is_stranded = False
    except OSError as error:
        log.warning("%s; what is finished stays in .hotfolder/work until then", error)
        is_stranded = True
    crash_point("recover_published")
    for drop in queue.ended_drops(catalog):
        publish.file_away(workspace, catalog, drop)
    clear_leftovers(workspace, catalog)
    return is_stranded


def give_back_unfinished_claims(workspace: Workspace, catalog: Catalog) -> None:
    """Return files whose claim never became rows to the inbox."""
    for intent in sorted(workspace.work.glob("*.intent")):
        for one in json.loads(intent.read_bytes()):
            if not catalog.row("select 1 from drops where id=? and state!='waiting'", one["drop"]):
                claim.give_back(workspace, one["drop"], one["files"])
            crash_point("recover_given_back")
        intent.unlink()


def requeue_running(catalog: Catalog) -> None:
    """Put jobs that were running back behind the others."""
    for row in catalog.rows("select id from jobs where state='running' order by position"):
        with catalog.transaction():
            queue.put_requeue(catalog, row["id"])


def publish_intended(workspace: Workspace, catalog: Catalog) -> None:
    """Finish what was past the commit point, without running it again."""
    for row in catalog.rows("select id from jobs where state='publishing' order by position"):
        publish.publish(workspace, catalog, row["id"])


def pick_up_stranded(workspace: Workspace, catalog: Catalog, running: int | None) -> None:
    """Go on, in a living service, with jobs that disk trouble left halfway, but for the one its worker has."""
    publish_intended(workspace, catalog)
    for row in catalog.rows("select id from jobs where state='running' and id is not ?", running):
        with catalog.transaction():
            queue.put_back(catalog, row["id"])
    for drop in queue.ended_drops(catalog):
        publish.file_away(workspace, catalog, drop)


def clear_leftovers(workspace: Workspace, catalog: Catalog) -> None:
    """Remove the work folders of drops that are filed away, and files that writing them left half-made.

    A folder with a file in in/ and no row is no leftover of ours: it stays and `verify` names it.
    """
    for folder in workspace.work.iterdir():
        if folder.suffix == ".part":
            folder.unlink()
            continue
        if not folder.is_dir():
            continue
        row = catalog.row("select state from drops where id=?", folder.name)
        inside = folder / "in"
        if (row and row["state"] in queue.ENDED) or not inside.is_dir() or not any(inside.iterdir()):
            if not row or row["state"] in (*queue.ENDED, "waiting"):
                shutil.rmtree(folder, ignore_errors=True)
