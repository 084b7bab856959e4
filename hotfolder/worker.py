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
import uuid
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from hotfolder import __version__, atomic, images
from hotfolder.atomic import crash_point
from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Context, Result
from hotfolder.catalog import pictures
from hotfolder.catalog.store import utc_now
from hotfolder.errors import HotfolderError, JobError, NotYet, OutOfMemory, RejectedInput
from hotfolder.images import PROMISED
from hotfolder.intake import language, prompts
from hotfolder.metadata import embed, read, write
from hotfolder.metadata.facts import Facts, Source
from hotfolder.models import entries, loras, memory
from hotfolder.models.hashes import model_hash
from hotfolder.models.placement import Placement
from hotfolder.models.pool import BoundPool, ModelPool
from hotfolder.spec import JobSpec, Planned

FILES_OF_ONE = 8
"""Numbers for the files of one picture: itself, its .job.yaml and what else lies beside it."""

MAX_UNSAVED = 3
"""Finished pictures that may wait to be encoded; more would fill memory when saving is slower than making."""

MAX_CAPTION_CHARACTERS = 16_384
"""Of the text file beside a picture; a longer one is none."""

DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))

log = logging.getLogger("hotfolder")

VANISHED = "its folder in .hotfolder/work was removed while it was being worked on; drop it again"


@dataclass(frozen=True)
class Order:
    """One job as the service sends it. Paths are absolute; `image` is None where the job works on no picture,
    `placement` where it needs no model. `upcoming`: the models of the next jobs, as far as they are known."""

    job: int
    spec: JobSpec
    planned: tuple[Planned, ...]
    model: str
    placement: Placement | None
    out: Path
    max_pixels: int
    image: Path | None = None
    image_name: str | None = None
    image_sha256: str | None = None
    upcoming: tuple[str, ...] = ()


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
            order = read_order(line)
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


def read_order(line: str) -> Order:
    """Undo the service's `json.dumps`."""
    given = json.loads(line)
    given["spec"] = JobSpec.model_validate(given["spec"])
    given["planned"] = tuple(Planned.model_validate(one) for one in given["planned"])
    given["placement"] = Placement.model_validate(given["placement"]) if given["placement"] else None
    given["out"] = Path(given["out"])
    given["upcoming"] = tuple(given["upcoming"])
    given["image"] = Path(given["image"]) if given["image"] else None
    return Order(**given)


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
    picture = _open(order)
    found = read.read(order.image) if order.image else read.Found()
    finished = 0

    def progress(step: int, of: int) -> None:
        say(answers, "progress", job=order.job, picture=finished + 1, pictures=len(order.planned), step=step, of=of)

    chosen = _loras(order, models)
    bound = BoundPool(pool, _with_room_for(chosen, order.placement))
    pool.upcoming = order.upcoming
    context = Context(
        spec=order.spec,
        options=capability.Options(**order.spec.options),
        planned=order.planned,
        model=order.model,
        pool=bound,
        progress=progress,
        image=picture.image if picture else None,
        caption=_caption(order.image, found) if order.image else None,
        loras=chosen,
    )
    saving: deque[Future[list[dict[str, Any]]]] = deque()
    staged: list[dict[str, Any]] = []
    notes: dict[str, None] = {}
    memory.take_peak_mb()
    try:
        for result in capability().run(context):
            while len(saving) >= MAX_UNSAVED:
                staged += saving.popleft().result()
            if bound.rung:
                told = (*result.facts.get("notes", ()), f"memory was short: {bound.rung}")
                result = replace(result, facts={**result.facts, "notes": told})
            if order.placement:
                result = replace(result, facts={**result.facts, "peak_vram_mb": memory.take_peak_mb()})
            saving.append(savers.submit(stage, order, picture, result, finished, models, found))
            finished += 1
            notes |= dict.fromkeys(result.facts.get("notes", ()))
            crash_point("picture_made")
        while saving:
            staged += saving.popleft().result()
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


def _open(order: Order) -> images.Picture | None:
    if order.image is None:
        return None
    try:
        return images.open_picture(order.image, order.max_pixels)
    except FileNotFoundError:
        if order.image.is_relative_to(order.out.parents[1]):
            raise RejectedInput(VANISHED) from None
        raise NotYet(f"waits for the picture {order.image_name}, which is not where it was") from None


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
        text = prompts.decode(data, beside.name) if len(data) <= 4 * MAX_CAPTION_CHARACTERS else ""
        if len(text or data) > MAX_CAPTION_CHARACTERS:
            raise RejectedInput(f"{beside.name} has more than {MAX_CAPTION_CHARACTERS} characters; that is no caption")
        return "\n".join(text.split("\r\n")).strip() or None
    return found.record.get("caption") if found.tool == "hotfolder" else found.caption


def stage(
    order: Order, picture: images.Picture | None, result: Result, index: int, models: Path, found: read.Found
) -> list[dict[str, Any]]:
    """Write one picture and what goes beside it into the staging folder, durable and read back; returns what was
    written.

    Raises:
        RejectedInput: the file read back is not the picture that was made.
    """
    spec, planned = order.spec, result.planned
    image = result.image or (picture and picture.image)
    assert image
    suffix, format = _form(order, result)
    single = single_job(order, result)
    text = "".join(f"# {note}\n" for note in result.facts.get("notes", ())) + language.dump(single)
    capability = CAPABILITIES[spec.kind]
    used = result.facts
    model = used.get("model", spec.model)
    entry = entries.known(models).get(model or "")
    source = None
    if picture and order.image_name and order.image_sha256:
        source = Source(
            name=order.image_name,
            sha256=order.image_sha256,
            parameters=found.parameters_text,
            exif=picture.exif if spec.keep_exif else None,
        )
    facts = Facts(
        image_id=uuid.uuid4().hex,
        kind=spec.kind,
        job=language.written(single),
        prompt=planned.prompt,
        negative_prompt=planned.negative_prompt,
        template=planned.template,
        seed=planned.seed if "seed" in capability.uses and order.model else None,
        seed_locked=planned.seed_locked,
        steps=used.get("steps"),
        sampler=used.get("sampler"),
        guidance=used.get("guidance"),
        loras=used.get("loras", ()),
        width=image.width,
        height=image.height,
        model=model,
        model_hash=_model_hash(entry, models) if entry and entry.is_loaded else None,
        profile=spec.profile if "model" not in used or model else None,
        caption=used.get("caption"),
        tags=spec.tags if result.image else tuple(dict.fromkeys((*found.tags, *spec.tags))),
        rating=None if result.image else found.rating,
        title=Path(order.image_name).stem if order.image_name else None,
        source_type=used.get("source_type", capability.source_type),
        created_at=utc_now(),
        version=__version__,
        miniature=bool(entry and entry.is_miniature),
        source=source,
    )
    path = order.out / f"{FILES_OF_ONE * index}{suffix}"
    texts = {".job.yaml": text, **result.texts}
    if result.image:
        write.save(result.image, path, spec.format, spec.quality, facts)
    else:
        assert order.image
        if packet := embed.save(order.image, path, format, facts):
            texts[f"{suffix}.xmp"] = packet
    columns = asdict(facts) | {
        "id": facts.image_id,
        "pixel_sha256": _checked(path, image, exactly=result.image is None or suffix == ".png"),
        "format": format.lower(),
        "seed_locked": None if facts.seed is None else facts.seed_locked,
        "prompt_tokens": used.get("prompt_tokens"),
        "peak_vram_mb": used.get("peak_vram_mb"),
    }
    row = {name: columns.get(name) for name in pictures.COLUMNS}
    staged = [_staged(path, index, "picture", suffix, row)]
    for number, (ending, content) in enumerate(texts.items(), start=FILES_OF_ONE * index + 1):
        beside = order.out / f"{number}{ending}"
        beside.write_bytes(content.encode())
        staged.append(_staged(beside, index, "job" if ending == ".job.yaml" else "text", ending, {}))
    return staged


def _model_hash(entry: entries.ModelEntry, models: Path) -> str | None:
    try:
        return model_hash(entries.weights_folder(entry, models))
    except (NotYet, OSError):  # somebody took them away while the picture was made
        return None


def _form(order: Order, result: Result) -> tuple[str, str]:
    """Return the ending of a result's name and its format: the input's own where it is that file again."""
    if result.image:
        return ".jpg" if order.spec.format == "jpeg" else f".{order.spec.format}", order.spec.format
    assert order.image
    format = images.sniff(order.image, order.max_pixels).format
    right = [ending for ending in PROMISED if PROMISED[ending] == format]
    own = order.image.suffix.lower()
    return own if own in right else right[0], format


def single_job(order: Order, result: Result) -> JobSpec:
    """Return the job that makes this one picture again: every choice that was open is filled in."""
    planned, used = result.planned, result.facts
    texts = {"prompt": planned.prompt, "negative_prompt": planned.negative_prompt}
    update: dict[str, Any] = {name: prompts.literal(text) if text else text for name, text in texts.items()}
    update["variants"] = 1
    if order.model:
        update |= {name: used[name] for name in ("steps", "guidance", "strength") if name in used}
        if result.image and "seed" in CAPABILITIES[order.spec.kind].uses:
            update |= {"seed": planned.seed, "width": result.image.width, "height": result.image.height}
    if order.image:
        update |= {"image": order.image_name, "image_sha256": order.image_sha256}
    return order.spec.model_copy(update=update)


def _checked(path: Path, expected: Image.Image, exactly: bool) -> str:
    """Read a written file back whole; returns the hash of its pixels, which may differ where that is not `exactly`."""
    written = images.open_picture(path, expected.width * expected.height).image
    if written.size != expected.size:
        raise RejectedInput(f"the result was written as {written.size}, not as {expected.size}")
    pixels = images.pixel_sha256(written)
    if exactly and pixels != images.pixel_sha256(expected):
        raise RejectedInput("the result read back from the disk differs from the picture made; the disk may be failing")
    return pixels


def _staged(path: Path, index: int, role: str, suffix: str, facts: dict[str, Any]) -> dict[str, Any]:
    atomic.fsync_file(path)
    return {
        "file": f"{path.parent.name}/{path.name}",
        "stem_index": index,
        "role": role,
        "suffix": suffix,
        "sha256": atomic.sha256_of(path),
        "bytes": path.stat().st_size,
        "facts": facts,
    }


if __name__ == "__main__":
    main()
