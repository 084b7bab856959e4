"""What a worker makes, as files in the staging folder: encoded, with everything that made it embedded, read back."""

import uuid
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image

from hotfolder import __version__, atomic, images
from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Result
from hotfolder.catalog import pictures
from hotfolder.catalog.store import utc_now
from hotfolder.errors import NotYet, RejectedInput
from hotfolder.images import PROMISED, thumbs
from hotfolder.intake import language
from hotfolder.metadata import embed, read, write
from hotfolder.metadata.facts import Facts, Source
from hotfolder.models import entries
from hotfolder.models.hashes import model_hash
from hotfolder.order import Order
from hotfolder.spec import JobSpec, literal

FILES_OF_ONE = 16
"""Numbers for the files of one picture: itself, its .job.yaml and what else lies beside it."""
MAX_PROMPTS = 4_000
"""Characters of all prompts on a sheet together."""
MAX_HISTORY = 20
"""Jobs that a picture names besides its own."""


def stage(
    order: Order, picture: images.Picture | None, result: Result, index: int, models: Path, found: read.Found
) -> list[dict[str, Any]]:
    """Write one picture and what goes beside it into the staging folder, durable and read back; returns what was
    written.

    Raises:
        RejectedInput: the file read back is not the picture that was made.
    """
    single = single_job(order, result)
    text = "".join(f"# {note}\n" for note in result.facts.get("notes", ())) + language.dump(single)
    texts: dict[str, str | Image.Image] = {".job.yaml": text, **result.texts, **result.pictures}
    image = result.image or (picture and picture.image)
    staged = []
    if image:
        suffix, format = _form(order, result)
        path = order.out / f"{FILES_OF_ONE * index}{suffix}"
        facts = _facts(order, picture, image, result, single, models, found)
        if result.image:
            write.save(result.image, path, order.spec.format, order.spec.quality, facts)
        else:
            assert order.image
            if packet := embed.save(order.image, path, format, facts):
                texts[f"{suffix}.xmp"] = packet
        row = _row(path, image, facts, format, exactly=result.image is None or suffix == ".png")
        _keep_small(order, image, facts)
        row |= {name: result.facts.get(name) for name in ("prompt_tokens", "peak_vram_mb")}
        row["detections"] = [asdict(one) for one in result.detections]
        staged.append(_staged(path, index, "picture", suffix, row))
    for number, (ending, content) in enumerate(texts.items(), start=FILES_OF_ONE * index + 1):
        beside = order.out / f"{number}{ending}"
        if isinstance(content, str):
            beside.write_bytes(content.encode())
        else:
            content.save(beside, "PNG")
        staged.append(_staged(beside, index, "job" if ending == ".job.yaml" else "beside", ending, {}))
    return staged


def stage_sheet(
    order: Order, picture: images.Picture | None, sheet: Image.Image, index: int, models: Path, found: read.Found
) -> dict[str, Any]:
    """Write what shows all pictures of a job; the job in it is the whole one. `index` is behind those of the pictures.

    Raises:
        RejectedInput: as `stage`.
    """
    result = Result(sheet, order.planned[0])
    suffix, format = _form(order, result)
    path = order.out / f"{FILES_OF_ONE * index}{suffix}"
    prompts = "\n".join(dict.fromkeys(one.prompt for one in order.planned if one.prompt))
    facts = replace(
        _facts(order, picture, sheet, result, _whole_job(order), models, found),
        kind="sheet",
        source_type=CAPABILITIES["sheet"].source_type,
        prompt=prompts[:MAX_PROMPTS] or None,
        template=None,
        seed=None,
    )
    write.save(sheet, path, order.spec.format, order.spec.quality, facts)
    row = _row(path, sheet, facts, format, exactly=suffix == ".png")
    _keep_small(order, sheet, facts)
    return _staged(path, index, "sheet", f"_sheet{suffix}", row)


def _row(path: Path, image: Image.Image, facts: Facts, format: str, exactly: bool) -> dict[str, Any]:
    """Read a written picture back whole; returns its columns in `images`."""
    columns = asdict(facts) | {
        "id": facts.image_id,
        "pixel_sha256": _checked(path, image, exactly),
        "format": format.lower(),
        "seed_locked": None if facts.seed is None else facts.seed_locked,
    }
    return {name: columns.get(name) for name in pictures.COLUMNS}


def _keep_small(order: Order, image: Image.Image, facts: Facts) -> None:
    """Make the thumbnail while the picture is in memory, after its file: it must not be the older of the two."""
    if order.thumbs:
        thumbs.make(image, thumbs.place(order.thumbs, facts.image_id))


def _facts(
    order: Order,
    picture: images.Picture | None,
    image: Image.Image,
    result: Result,
    single: JobSpec,
    models: Path,
    found: read.Found,
) -> Facts:
    """Return what is written into one picture."""
    spec, planned, used = order.spec, result.planned, result.facts
    capability = CAPABILITIES[spec.kind]
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
    return Facts(
        image_id=uuid.uuid4().hex,
        kind=spec.kind,
        job=language.written(single),
        prompt=used.get("prompt", planned.prompt),
        negative_prompt=planned.negative_prompt,
        template=used.get("template", planned.template),
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
        tags=tuple(dict.fromkeys((*(() if result.image else found.tags), *spec.tags, *used.get("tags", ())))),
        rating=None if result.image else found.rating,
        title=Path(order.image_name).stem if order.image_name else None,
        source_type=used.get("source_type", capability.source_type),
        created_at=utc_now(),
        version=__version__,
        miniature=bool(entry and entry.is_miniature),
        source=source,
        history=_history(found),
    )


def _history(found: read.Found) -> tuple[dict[str, Any], ...]:
    """Return the jobs that made the input, and those that made what that was made from; they stand in it."""
    before = found.record.get("history")
    jobs = (*(before if isinstance(before, list) else ()), found.job)
    return tuple(job for job in jobs if isinstance(job, dict))[-MAX_HISTORY:]


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
    planned, used, uses = result.planned, result.facts, CAPABILITIES[order.spec.kind].uses
    texts = {"prompt": planned.prompt, "negative_prompt": planned.negative_prompt}
    update: dict[str, Any] = {name: literal(text) if text else text for name, text in texts.items()}
    update |= {"variants": 1, "contact_sheet": True}
    if order.model:
        update |= {
            name: used[name] for name in ("steps", "guidance", "strength", "sampler") if name in used and name in uses
        }
        if result.image and "seed" in uses:
            update["seed"] = planned.seed
        if result.image and "width" in uses:
            update |= {"width": result.image.width, "height": result.image.height}
    if order.image:
        update |= {"image": order.image_name, "image_sha256": order.image_sha256}
    named: dict[str, Any] = {key: given.name for key, given in order.pictures.items()}
    if any(key.isdigit() for key in named):  # places in a list
        places = range(len(order.spec.options["pictures"]))
        named = {"pictures": [named.get(str(place), "") for place in places]}
    update |= named | result.job
    own = {key: value for key, value in update.items() if key not in JobSpec.model_fields}
    common = {key: value for key, value in update.items() if key not in own}
    return order.spec.model_copy(update={**common, "options": {**order.spec.options, **own}})


def _whole_job(order: Order) -> JobSpec:
    """Return the job that makes all these pictures again."""
    first, spec = order.planned[0], order.spec
    whole = single_job(order, Result(None, first))
    update: dict[str, Any] = {key: getattr(spec, key) for key in ("prompt", "negative_prompt", "variants")}
    if not isinstance(spec.prompt, tuple):  # of several prompts each has seeds of its own
        if order.model and "seed" in CAPABILITIES[spec.kind].uses:
            update["seed"] = first.seed
        if first.variation_seed is not None:
            update["options"] = {**whole.options, "variation_seed": first.variation_seed}
    return whole.model_copy(update=update)


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
