"""Finished pictures as rows of `images`: published, then followed wherever their users take them."""

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from hotfolder import names
from hotfolder.catalog.store import Catalog, Reader

TAKEN_AWAY = 2
"""`outputs.published` of a picture that its user deleted; it is published again when it comes back."""
OVERWRITTEN = "//"
"""Stands behind the path of a picture whose file another one has replaced, before the picture's id."""
_REVIEWS = ("keep", "reject")
_MADE = re.compile(r"outbox/(.+?)/\d{4}-\d\d-\d\d/")

COLUMNS = (
    "id pixel_sha256 width height format kind prompt negative_prompt caption tags seed seed_locked model profile loras "
    "steps guidance sampler rating parent_path prompt_tokens peak_vram_mb energy_wh created_at"
).split()  # fmt: skip

ROLES = ("picture", "sheet")
"""Of outputs: those that have a row in `images`."""


def put_image(catalog: Catalog, facts: dict[str, Any], output: dict[str, Any], now: str) -> None:
    """Write the row of one published picture within the caller's transaction; repeatable.

    `facts` are catalog columns as the worker staged them; `output` says where the file lies, what its bytes are, and
    the hot folder it came from; its `signature`, if it has one, lets a change be seen without reading it.
    """
    values = {name: facts.get(name) for name in COLUMNS}
    values["created_at"] = values["created_at"] or now
    values["seed"] = None if values["seed"] is None else str(values["seed"])
    values["tags"] = _listed(facts.get("tags"))
    values["loras"] = json.dumps(facts["loras"]) if facts.get("loras") else None
    values |= {"path": output["path"], "sha256": output["sha256"], "job_id": output.get("job_id")}
    values |= {"hot_folder": output.get("hot_folder"), "signature": output.get("signature")}
    values["review"] = review_of(output["path"])
    catalog.rows(f"insert into images({', '.join(values)}) values({', '.join('?' * len(values))})", *values.values())
    for found in facts.get("detections", ()):
        catalog.rows(
            "insert into detections(job_id, image_path, label, score, x0, y0, x1, y1) values(?, ?, ?, ?, ?, ?, ?, ?)",
            output.get("job_id"), output["path"], found["label"], found["score"], *found["box"],
        )  # fmt: skip


def _listed(tags: Any) -> str | None:
    return ", ".join(tags) if tags else None


def review_of(path: str) -> str | None:
    """Return what the folders that a picture lies in say of it: `keep`, `reject` or nothing; the innermost counts."""
    folders = (folder.casefold() for folder in reversed(path.split("/")[1:-1]))
    return next((folder for folder in folders if folder in _REVIEWS), None)


def hot_folder_of(path: str) -> str | None:
    """Return which hot folder a picture came from, while it lies below the day it was made on."""
    found = _MADE.match(path)
    return found[1] if found else None


def signature(picture: os.stat_result, beside: os.stat_result | None) -> str:
    """Return what changes when a picture's file, or the .xmp beside it, does: size, time and number."""
    own = f"{picture.st_size} {picture.st_mtime_ns} {picture.st_ino}"
    return own if beside is None else f"{own} + {beside.st_size} {beside.st_mtime_ns}"


def signature_at(path: Path) -> str | None:
    """Return the signature of the file at `path`, None where there is none."""
    beside = None
    with contextlib.suppress(OSError):
        beside = os.lstat(f"{path}.xmp")
    try:
        return signature(os.lstat(path), beside)
    except OSError:
        return None


def put_signature(catalog: Catalog, number: str, signature: str) -> None:
    """Note another file with the bytes that a picture's file had."""
    catalog.rows("update images set signature=? where id=?", signature, number)


def put_moved(catalog: Catalog, image: dict[str, Any], path: str, signature: str | None) -> None:
    """Let a picture lie at `path`, and all that names it by its place name that; nothing else may lie there."""
    old, number = image["path"], image["id"]
    catalog.rows("update images set path=?, review=?, signature=? where id=?", path, review_of(path), signature, number)
    catalog.rows("update images set parent_path=? where parent_path=?", path, old)
    catalog.rows("update detections set image_path=? where image_path=?", path, old)
    catalog.rows("update jobs set source_path=? where source_path=?", path, old)
    catalog.rows(
        "update jobs set inputs=replace(inputs, ?, ?) where inputs is not null", json.dumps(old), json.dumps(path)
    )
    for output in _outputs(catalog, image):
        key = names.name_key(path)
        if catalog.row(
            "select 1 from outputs where name_key=? and not (job_id=? and idx=?)", key, output["job_id"], output["idx"]
        ):
            key = f"{key}{OVERWRITTEN}{number}"
        _put_output(catalog, output, path=path, name_key=key)


def put_overwritten(catalog: Catalog, image: dict[str, Any]) -> None:
    """Let a picture have no place for the moment: another one's file took its name."""
    put_moved(catalog, image, f"{image['path']}{OVERWRITTEN}{image['id']}", image["signature"])


def put_described(catalog: Catalog, image: dict[str, Any], said: dict[str, Any]) -> None:
    """Let a row say what its file says now: hashes, size, stars, tags, caption."""
    values = {key: said[key] for key in ("sha256", "signature", "width", "height")}
    values["pixel_sha256"] = said.get("pixel_sha256") or image["pixel_sha256"]
    values |= {"rating": said["rating"], "tags": _listed(said["tags"])}
    if not said["id"]:  # a program took all metadata out: that says nothing about stars
        values |= {key: image[key] for key in ("rating", "tags") if values[key] is None}
    if said["is_captioned"]:
        values["caption"] = said["caption"]
    changed = {key: value for key, value in values.items() if value != image[key]}
    if not changed:
        return
    columns = ", ".join(f"{key}=?" for key in changed)
    catalog.rows(f"update images set {columns} where id=?", *changed.values(), image["id"])
    for output in _outputs(catalog, image):
        _put_output(catalog, output, sha256=values["sha256"])


def put_taken_away(catalog: Catalog, image: dict[str, Any]) -> None:
    """Remove the row of a picture whose file was deleted; its job and the words stay."""
    for output in _outputs(catalog, image):
        key = f"{output['name_key']}{OVERWRITTEN}{image['id']}"
        _put_output(catalog, output, published=TAKEN_AWAY, name_key=key)
    if OVERWRITTEN in image["path"]:
        catalog.rows("update images set parent_path=null where parent_path=?", image["path"])
    catalog.rows("delete from detections where image_path=?", image["path"])
    catalog.rows("delete from images where id=?", image["id"])


def taken_away(catalog: Reader) -> dict[str, dict[str, Any]]:
    """Return what the worker said of pictures that were deleted since, by their ids."""
    rows = catalog.rows("select * from outputs where published=? and role in ('picture','sheet')", TAKEN_AWAY)
    return {json.loads(row["facts"])["id"]: row for row in rows}


def put_back(catalog: Catalog, path: str, said: dict[str, Any], before: dict[str, Any] | None, now: str) -> None:
    """Give a picture that came back, or came in, its row; `before` is what `taken_away` has of it."""
    facts = dict(said["facts"])
    output = {"path": path, "sha256": said["sha256"], "signature": said["signature"]}
    output["hot_folder"] = hot_folder_of(path)
    if before:
        staged = json.loads(before["facts"])
        facts = {**staged, **{key: value for key, value in facts.items() if value is not None}}
        job = catalog.row("select hot_folder, source_path from jobs where id=?", before["job_id"])
        assert job
        output |= {"job_id": before["job_id"], "hot_folder": job["hot_folder"]}
        facts["parent_path"] = job["source_path"]
    put_image(catalog, facts, output, now)
    if before:
        key = names.name_key(path)
        taken = catalog.row("select 1 from outputs where name_key=?", key)
        _put_output(
            catalog, before, published=1, path=path, sha256=said["sha256"],
            name_key=f"{key}{OVERWRITTEN}{facts['id']}" if taken else key,
        )  # fmt: skip


def _outputs(catalog: Catalog, image: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the row of `outputs` that published a picture; none where the catalog was made anew since."""
    return catalog.rows(
        "select job_id, idx, name_key from outputs where job_id=? and path=? and published=1 "
        "and role in ('picture','sheet')",
        image["job_id"], image["path"],
    )  # fmt: skip


def _put_output(catalog: Catalog, output: dict[str, Any], **values: Any) -> None:
    columns = ", ".join(f"{key}=?" for key in values)
    catalog.rows(
        f"update outputs set {columns} where job_id=? and idx=?", *values.values(), output["job_id"], output["idx"]
    )
