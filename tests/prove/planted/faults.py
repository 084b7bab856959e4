"""One fault for each step of the protocol: what a careless change would do. The proof must notice every one.

Each function patches hotfolder in the process it runs in; nothing of this is known to the product.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planting import planted

from hotfolder import atomic

# -- taking in -------------------------------------------------------------------------------------------------------


@planted
def settle_skipped(_: str) -> None:
    """Files are taken as soon as they are seen."""
    from hotfolder.intake.stability import Stability

    Stability.ready_at = lambda self, path, settle_s: 0.0


@planted
def writers_ignored(_: str) -> None:
    """Nobody asks whether a file is still open for writing."""
    from hotfolder.intake import stability, taking

    stability.is_being_written = taking.is_being_written = lambda path: False


@planted
def rescan_skipped(_: str) -> None:
    """What the system's events miss is never looked for."""
    from dataclasses import replace

    from hotfolder.service import Service

    begin = Service.__init__

    def without(self: Any, workspace: Any, *rest: Any, **more: Any) -> None:
        settings = workspace.settings.model_copy(update={"rescan_s": 1e6})
        begin(self, replace(workspace, settings=settings), *rest, **more)

    Service.__init__ = without


@planted
def intent_skipped(_: str) -> None:
    """Files are moved without a word about where they came from."""
    write = atomic.write
    atomic.write = lambda path, data: write(path, b"[]" if path.suffix == ".intent" else data)


@planted
def copied_in(_: str) -> None:
    """Files are copied out of the inbox, and left there."""
    os.rename = shutil.copy2


@planted
def lock_removed(_: str) -> None:
    """Several services may work on one workspace."""
    from hotfolder import workspace

    @contextlib.contextmanager
    def hold(place: Any) -> Iterator[None]:
        (place.private / "pid").write_text(f"{os.getpid()}\n")
        yield

    workspace.hold = hold


# -- running ---------------------------------------------------------------------------------------------------------


@planted
def strikes_uncounted(_: str) -> None:
    """A job that kills its worker is treated as if the service had died."""
    from hotfolder.catalog import queue

    requeue = queue.put_requeue
    queue.put_requeue = lambda catalog, job, error=None: requeue(catalog, job)


@planted
def requeues_uncounted(_: str) -> None:
    """A job during which the service dies is tried for ever."""
    from hotfolder.catalog import queue

    queue.put_requeue = lambda catalog, job, error=None: queue.put_back(catalog, job)


@planted
def followers_forgotten(_: str) -> None:
    """A step that waits for the one before it is not looked at again."""
    from hotfolder.intake.taking import Taking

    Taking.reconsider = lambda self, job: None


@planted
def chains_begun_again(_: str) -> None:
    """After a kill a chain begins with its first step again."""
    from hotfolder import recovery

    requeue = recovery.requeue_running

    def begin_again(catalog: Any) -> None:
        requeue(catalog)
        with catalog.transaction():
            catalog.rows("delete from outputs where job_id in (select id from jobs where state='done')")
            catalog.rows("delete from images")
            catalog.rows("update jobs set state='queued' where state='done'")

    recovery.requeue_running = begin_again


@planted
def stage_unchecked(_: str) -> None:
    """A written picture is not read back: it is taken for what it should be."""
    from hotfolder import images
    from hotfolder.metadata import write

    made, save, read = {}, write.save, images.open_picture

    def remember(image: Any, path: Path, *rest: Any) -> None:
        save(image, path, *rest)
        made[path] = image

    def believe(path: Path, *rest: Any) -> Any:
        return type("Believed", (), {"image": made[path]}) if path in made else read(path, *rest)

    write.save, images.open_picture = remember, believe


# -- publishing ------------------------------------------------------------------------------------------------------


@planted
def published_before_intended(_: str) -> None:
    """Files appear in outbox before the catalog knows their names."""
    from hotfolder import publish

    real = publish.intend

    def intend(workspace: Any, catalog: Any, job: Any, *rest: Any) -> None:
        catalog.connection.execute("begin immediate")
        catalog.transaction = contextlib.nullcontext
        real(workspace, catalog, job, *rest)
        for output in catalog.rows("select * from outputs where job_id=? order by role='picture'", job["id"]):
            target = workspace.absolute(output["path"])
            atomic.make_folders(target.parent)
            staged = next(publish.job_folder(workspace, job).glob(f"*/{output['idx']}.*"))
            atomic.link_new(staged, target)
            atomic.crash_point("linked")
        del catalog.transaction
        catalog.connection.execute("commit")

    publish.intend = intend


@planted
def recorded_before_published(_: str) -> None:
    """The job is done first and its files appear then."""
    from hotfolder import publish

    real, link = publish.publish, publish._link

    def late(*arguments: Any) -> None:
        links: list[Any] = []
        publish._link = lambda *one: links.append(one) or True
        real(*arguments)
        publish._link = link
        for one in links:
            link(*one)

    publish.publish = late


@planted
def linked_by_replace(_: str) -> None:
    """A file of the same name in outbox is overwritten."""
    atomic.link_new = lambda source, target: os.replace(source, target)


@planted
def foreign_taken_for_ours(_: str) -> None:
    """Any file of the name is believed to be the result."""
    from hotfolder import publish

    publish._is_ours = lambda target, sha256: target.is_file()


@planted
def written_directly(_: str) -> None:
    """Results are written into outbox piece by piece."""

    def copy(source: Path, target: Path) -> None:
        data = source.read_bytes()
        with open(target, "xb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            atomic.crash_point("linked")
            file.write(data[len(data) // 2 :])

    atomic.link_new = copy


@planted
def filed_by_replace(_: str) -> None:
    """A file of the same name in done/ is overwritten."""
    atomic.rename_new = lambda source, target: os.replace(source, target)


@planted
def filed_before_moved(_: str) -> None:
    """A drop counts as filed away before its files are."""
    from hotfolder import publish

    real = publish.file_away

    def file_away(workspace: Any, catalog: Any, drop: str) -> None:
        with catalog.transaction():
            catalog.rows("update drops set state='done', finished_at='2026-01-01' where id=?", drop)
        real(workspace, catalog, drop)

    publish.file_away = file_away


@planted
def files_left_behind(_: str) -> None:
    """The originals are not moved out of work/ before it is cleared."""
    atomic.rename_new = lambda source, target: None


# -- following -------------------------------------------------------------------------------------------------------


@planted
def kept_before_its_job(_: str) -> None:
    """A picture counts as kept before the job for it is written."""
    from hotfolder.outbox import keeping
    from hotfolder.outbox.following import Following

    put, do_some = keeping.put_jobs, Following._do_some
    late: list[Any] = []
    keeping.put_jobs = lambda *given: late.append(given) or False

    def do_then_put(self: Any) -> bool:
        do_some(self)
        is_new = False
        while late:
            is_new |= put(*late.pop())
        return is_new

    Following._do_some = do_then_put


@planted
def kept_twice(_: str) -> None:
    """The job for a kept picture has a new name each time."""
    from hotfolder.outbox import keeping

    put = keeping.put_jobs
    keeping.put_jobs = lambda workspace, catalog, kept: put(
        workspace, catalog, [(os.urandom(8).hex(), *rest) for _, *rest in kept]
    )


# -- recovering ------------------------------------------------------------------------------------------------------


@planted
def recover_skipped(_: str) -> None:
    """The service starts as if nothing had happened."""
    from hotfolder import service

    service.recover = lambda workspace, catalog: None


@planted
def give_back_skipped(_: str) -> None:
    """Files of an unfinished claim stay where they are."""
    from hotfolder.intake import claim

    claim.give_back = lambda workspace, drop, files: None


@planted
def requeue_skipped(_: str) -> None:
    """Nobody puts jobs that were running back into the queue."""
    from hotfolder import recovery
    from hotfolder.service import Service

    recovery.requeue_running = lambda catalog: None
    Service.pick_up_stranded = lambda self: None


@planted
def intended_forgotten(_: str) -> None:
    """Nobody publishes what was past the commit point."""
    from hotfolder import recovery
    from hotfolder.service import Service

    recovery.publish_intended = lambda workspace, catalog: None
    Service.pick_up_stranded = lambda self: None


@planted
def intended_run_again(_: str) -> None:
    """What was past the commit point is run once more."""
    from hotfolder import recovery

    def rerun(workspace: Any, catalog: Any) -> None:
        with catalog.transaction():
            catalog.rows("delete from outputs where published=0")
            catalog.rows("update jobs set state='queued' where state='publishing'")

    recovery.publish_intended = rerun


@planted
def leftovers_kept(_: str) -> None:
    """The work folders of drops that are filed away are never cleared."""
    from hotfolder import recovery

    recovery.clear_leftovers = lambda workspace, catalog: None


@planted
def everything_cleared(_: str) -> None:
    """All of work/ is cleared at the start."""
    from hotfolder import recovery

    def clear(workspace: Any, catalog: Any) -> None:
        for folder in workspace.work.iterdir():
            shutil.rmtree(folder)

    recovery.clear_leftovers = clear


# -- flushing --------------------------------------------------------------------------------------------------------


@planted
def not_flushed(pattern: str) -> None:
    """Files and folders whose path matches `pattern` are never flushed to the disk."""
    fsync = os.fsync

    def skip(fd: int) -> None:
        if not re.search(pattern, os.readlink(f"/proc/self/fd/{fd}")):
            fsync(fd)

    os.fsync = skip


@planted
def commits_not_flushed(_: str) -> None:
    """The catalog leaves its commits to the system's good will."""
    from hotfolder.catalog.store import Catalog

    begin = Catalog.__init__

    def careless(self: Any, path: Path) -> None:
        begin(self, path)
        self.connection.execute("pragma synchronous=normal")

    Catalog.__init__ = careless
