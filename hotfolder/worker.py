"""The GPU process: one job from its spec to a staged folder, then the next. The service starts it and speaks by a pipe.

Each message is one line of JSON. In: `run` (a job) and end of input (finish and leave). Out: `ready`, `progress`,
`done`, `failed`. It opens neither the catalog nor inbox and outbox: it reads its inputs and writes into the staging
folder it is told, so it can die at any instruction.
"""

import ctypes
import errno
import json
import logging
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from hotfolder import atomic, images
from hotfolder.atomic import crash_point
from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Context, Helper
from hotfolder.contact import Contact
from hotfolder.errors import HotfolderError, JobError, NotYet, OutOfMemory, RejectedInput
from hotfolder.images import colour
from hotfolder.intake import texts
from hotfolder.metadata import read
from hotfolder.models import entries, loras, memory
from hotfolder.models.placement import Placement
from hotfolder.models.pool import BoundPool, ModelPool
from hotfolder.order import Order
from hotfolder.staging import stage, stage_sheet

MAX_UNSAVED = 3
"""Finished pictures that may wait to be encoded; more would fill memory when saving is slower than making."""

MAX_MADE_TOLD = 12
"""Pictures of a running job that are told of with each step."""

MAX_CAPTION_CHARACTERS = 16_384
"""Of the text file beside a picture; a longer one is none."""

DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))

log = logging.getLogger("hotfolder")

VANISHED = "its folder in .hotfolder/work was removed while it was being worked on; drop it again"


def main() -> None:
    """Serve orders from standard input until it ends."""
    # a library that prints must not break the protocol: what goes to standard output goes to standard error instead
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    die_with_the_service()
    models = Path(sys.argv[1])
    pool = ModelPool(models)
    say(answers, "ready")
    with ThreadPoolExecutor(2, thread_name_prefix="save") as savers:
        for line in sys.stdin:
            order = Order.read(line)
            try:
                outcome = run(order, pool, models, savers, answers)
                say(answers, "done", job=order.job, loaded=pool.loaded, **outcome)
            except NotYet as reason:
                say(answers, "failed", job=order.job, loaded=pool.loaded, waits=True, error=str(reason))
            except (Exception, SystemExit) as error:  # one place decides: what was foreseen says so, the rest is a bug
                say(answers, "failed", job=order.job, loaded=pool.loaded, waits=False, **verdict(error))


def die_with_the_service() -> None:
    """On Linux, be killed when the service dies, so that its successor finds the GPU free; elsewhere the end of the
    pipe ends the worker after its job.

    Source: prctl(2), PR_SET_PDEATHSIG = 1.
    """
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit()


def say(answers: TextIO, event: str, **content: Any) -> None:
    answers.write(json.dumps({"event": event, **content}) + "\n")
    answers.flush()


def verdict(error: BaseException) -> dict[str, Any]:
    """Return `error` (a sentence) and `retryable` for an exception that ended a job; `disk_full` if that is it."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return {"error": str(error), "retryable": False, "disk_full": True}
    if type(error).__name__ in ("OutOfMemoryError", "MemoryError"):
        detail = f" ({error})" if str(error) else ""
        error = OutOfMemory(f"there was not enough memory for this job{detail}; try a smaller `size` or `factor`.")
    if isinstance(error, JobError):
        return {"error": str(error), "retryable": error.retryable}
    if isinstance(error, HotfolderError):
        return {"error": str(error), "retryable": False}
    traceback.print_exception(error)  # into the log
    text = f"hotfolder met an error it did not foresee: {type(error).__name__}: {error}"
    return {"error": f"{text}; .hotfolder/logs/worker.log has more.", "retryable": True}


def run(order: Order, pool: ModelPool, models: Path, savers: ThreadPoolExecutor, answers: TextIO) -> dict[str, Any]:
    """Make a job's pictures and stage them; encoding goes on in threads while the model makes the next one."""
    began = time.monotonic()
    crash_point("run_started")
    capability = CAPABILITIES[order.spec.kind]
    picture = _open(order, order.image, order.image_name) if order.image else None
    found = read.read(order.image) if order.image else read.Found()
    finished = 0

    def progress(step: int, of: int) -> None:
        picture = {"picture": finished + 1, "pictures": len(order.planned)}
        made = _made(staged, saving)
        say(answers, "progress", job=order.job, **picture, step=step, of=of, loaded=pool.loaded, made=made)

    chosen = _loras(order, models)
    bound = BoundPool(pool, _with_room_for(chosen, order.placement))
    helpers = {kind: BoundPool(pool, served.placement) for kind, served in order.helpers.items()}
    pool.upcoming = order.upcoming
    context = Context(
        spec=order.spec,
        options=capability.Options(**order.spec.options),
        planned=order.planned,
        model=order.model,
        pool=bound,
        progress=progress,
        image=picture.image if picture else None,
        pictures=_Pictures(order),
        max_edge_px=order.max_edge_px,
        helpers={kind: Helper(order.helpers[kind].model, bound) for kind, bound in helpers.items()},
        caption=_caption(order.image, found) if order.image else None,
        loras=chosen,
    )
    oddities = [note for note in picture.notes if note != colour.CONVERTED] if picture else []
    saving: deque[Future[list[dict[str, Any]]]] = deque()
    staged: list[dict[str, Any]] = []
    notes: dict[str, None] = {}
    contact = Contact(order)
    memory.take_peak_mb()
    try:
        for result in capability().run(context):
            while len(saving) >= MAX_UNSAVED:
                staged += saving.popleft().result()
            changes = [*oddities, *result.facts.get("notes", ())]
            if rungs := [one.rung for one in (bound, *helpers.values()) if one.rung]:
                changes.append(f"memory was short: {', '.join(rungs)}")
            if changes:
                result = replace(result, facts={**result.facts, "notes": tuple(changes)})
            if order.placement:
                result = replace(result, facts={**result.facts, "peak_vram_mb": memory.take_peak_mb()})
            saving.append(savers.submit(stage, order, picture, result, finished, models, found))
            contact.keep(finished, result)
            finished += 1
            notes |= dict.fromkeys(result.facts.get("notes", ()))
            crash_point("picture_made")
        while saving:
            staged += saving.popleft().result()
        if sheet := contact.drawn():
            staged.append(stage_sheet(order, picture, sheet, finished, models, found))
        atomic.fsync_folder(order.out)
    except FileNotFoundError:
        if order.out.is_dir():
            raise
        raise RejectedInput(VANISHED) from None
    finally:
        wait(saving)  # a job that failed writes nothing any more once that is said
    crash_point("staged")
    load_s, pool.load_s = pool.load_s, 0.0
    peak_bytes, pool.peak_bytes = pool.peak_bytes, 0
    if bound.placement:
        names, room = ", ".join(pool.loaded), bound.placement
        told = order.job, names, peak_bytes, room.headroom_bytes, room.budget_bytes
        log.info("job %s: models in memory: %s; %s bytes, besides %s for the work, of %s", *told)
    return {"staged": staged, "notes": list(notes), "load_s": load_s, "run_s": time.monotonic() - began - load_s}


def _made(staged: list[dict[str, Any]], saving: Iterable[Future[list[dict[str, Any]]]]) -> list[str]:
    """Return the ids of the pictures that are staged by now, of many the last: people see them before the job ends."""
    saved = [one for future in saving if future.done() and not future.exception() for one in future.result()]
    return [one["facts"]["id"] for one in (*staged, *saved) if one["role"] == "picture"][-MAX_MADE_TOLD:]


def _open(order: Order, path: Path, name: str | None) -> images.Picture:
    try:
        return images.open_picture(path, order.max_pixels)
    except FileNotFoundError:
        if path.is_relative_to(order.out.parents[1]):
            raise RejectedInput(VANISHED) from None
        raise NotYet(f"waits for the picture {name}, which is not where it was") from None


class _Pictures(Mapping[str, Image.Image]):
    """The further pictures of a job, each decoded when it is asked for: four hundred at once would fill memory."""

    def __init__(self, order: Order) -> None:
        self._order = order

    def __getitem__(self, key: str) -> Image.Image:
        path, name = self._order.pictures[key]
        return _open(self._order, path, name).image

    def __iter__(self) -> Iterator[str]:
        return iter(self._order.pictures)

    def __len__(self) -> int:
        return len(self._order.pictures)


def _loras(order: Order, models: Path) -> tuple[loras.Lora, ...]:
    """Return the LoRAs that a job names, each with its file."""
    entry = entries.known(models).get(order.model)
    return loras.chosen(order.spec.loras, models, entry) if entry else ()


def _with_room_for(chosen: tuple[loras.Lora, ...], placement: Placement | None) -> Placement | None:
    """Return a placement with room for the LoRAs of one job besides the work."""
    if placement is None:
        return None
    room = placement.headroom_bytes + sum(lora.path.stat().st_size for lora in chosen)
    return placement.model_copy(update={"headroom_bytes": room})


def _caption(path: Path, found: read.Found) -> str | None:
    """Return the caption that a picture came with: of the text file beside it, else of what describes it inside.

    A generated picture of ours has its prompt for a description; that is no caption.
    """
    beside = path.with_suffix(".txt")
    if beside.is_file() and not beside.is_symlink():
        with open(beside, "rb") as file:
            data = file.read(4 * MAX_CAPTION_CHARACTERS + 1)
        text = texts.decode(data, beside.name) if len(data) <= 4 * MAX_CAPTION_CHARACTERS else ""
        if len(text or data) > MAX_CAPTION_CHARACTERS:
            raise RejectedInput(f"{beside.name} has more than {MAX_CAPTION_CHARACTERS} characters; that is no caption")
        return "\n".join(text.split("\r\n")).strip() or None
    return found.record.get("caption") if found.tool == "hotfolder" else found.caption


if __name__ == "__main__":
    main()
