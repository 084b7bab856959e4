"""The page of one picture: large, beside what it was made from, with everything that made it."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlencode

from datasette.utils.asgi import Response
from pydantic import ValidationError

from hotfolder.browse import files, finding, kin, pages, parameters, recipes, sources, words
from hotfolder.browse.kin import Kin
from hotfolder.browse.recipes import Recipe
from hotfolder.browse.sites import Site
from hotfolder.capabilities import outpaint
from hotfolder.catalog import pictures
from hotfolder.catalog.store import Reader
from hotfolder.errors import HotfolderError, RejectedInput
from hotfolder.metadata import read
from hotfolder.workspace import Workspace

_SAME_SHAPE = 0.01
"""How far the proportions of two pictures may differ and they still lie exactly over one another."""
_LOOKS_THE_SAME = ("caption", "detect")
"""Kinds that leave the pixels as they are: there the picture before is shown only when asked for."""


@dataclass(frozen=True)
class Seen:
    """What the catalog knows of one picture."""

    image: dict[str, Any]
    job: dict[str, Any] | None
    kin: Kin
    detections: list[dict[str, Any]]
    newer: str | None
    older: str | None


@dataclass(frozen=True)
class Beside:
    """The picture before: `box` is where it lies in the other one, (left, top, width, height) in percent; None where
    the two cannot lie over one another. `begins`: the comparison is shown from the start."""

    width: int
    height: int
    box: tuple[float, float, float, float] | None
    begins: bool


async def page(datasette: Any, request: Any) -> Response:
    """Answer with the page; 404 where no picture has this id."""
    site, image_id = pages.of(datasette), request.url_vars["id"]
    asked = finding.wanted(request.args)
    seen = await _look(datasette, site, image_id, asked) if files.is_id(image_id) else None
    if seen is None:
        return await pages.missing(datasette, request, "There is no picture of this id in the catalog.")
    recipe, is_there, beside = await asyncio.to_thread(_read, site.workspace, seen)
    image = seen.image
    for parent in seen.kin.parents:
        if beside and "id" not in parent and parent["path"] == image["parent_path"]:
            parent |= {"source": image["id"], "width": beside.width, "height": beside.height}
    return await pages.render(
        datasette,
        request,
        "picture",
        image=image,
        title=PurePosixPath(image["path"]).name,
        job=seen.job,
        kin=seen.kin,
        detections=[_outlined(found, image) for found in seen.detections],
        newer=seen.newer,
        older=seen.older,
        keys=urlencode(asked),
        place=finding.place(image),
        recipe=recipe,
        is_there=is_there,
        before=beside,
        shown="file" if sources.is_shown(image["format"]) else "large",
        parameters=parameters.of(image, recipe.values),
        costs=costs(image, seen.job, seen.kin.count, site),
        note=recipe.values.get("note"),
    )


async def _look(datasette: Any, site: Site, image_id: str, asked: dict[str, str]) -> Seen | None:
    def look(connection: Any) -> Seen | None:
        catalog = Reader(connection)
        image = catalog.row("select * from images where id = ?", image_id)
        if image is None:
            return None
        job = catalog.row("select * from jobs where id = ?", image["job_id"])
        beside = [
            catalog.connection.execute(*finding.neighbour(asked, image, newer)).fetchone() for newer in (True, False)
        ]
        detections = catalog.rows("select * from detections where image_path = ? order by score desc", image["path"])
        ids = [row["id"] if row else None for row in beside]
        return Seen(image, job, kin.of_picture(catalog, image, job), detections, *ids)

    seen: Seen | None = await datasette.get_database(site.database).execute_fn(look)
    return seen


def _read(workspace: Workspace, seen: Seen) -> tuple[Recipe, bool, Beside | None]:
    """Return what the files say: the recipe, whether the picture is there, and the one that it was made from.

    The row is brought up to what the file is now: the catalog learns of moves and stars a moment later.
    """
    image = seen.image
    file = sources.picture(workspace, image)
    is_there = file is not None
    if file and not sources.locate(workspace, image["path"]):
        path = files.named(workspace.outbox, file)
        image |= {"path": path, "review": pictures.review_of(path)}
    if file and image["signature"] and pictures.signature_at(file) != image["signature"]:
        with contextlib.suppress(RejectedInput, OSError):
            image |= {"rating": read.read(file).rating}
    recipe = recipes.of_picture(workspace, image, seen.job)
    found = sources.before(workspace, image["parent_path"])
    if found is None:
        return recipe, is_there, None
    box = _box(image, recipe.values, (found.width, found.height))
    begins = box is not None and image["kind"] not in _LOOKS_THE_SAME
    return recipe, is_there, Beside(found.width, found.height, box, begins)


def _box(
    image: dict[str, Any], values: dict[str, Any], before: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """Return where the picture before lies in the one that was made from it, in percent."""
    size = image["width"], image["height"]
    if image["kind"] == "outpaint":
        known = outpaint.OutpaintOptions.model_fields
        try:
            options = outpaint.OutpaintOptions.model_validate({key: values[key] for key in known if key in values})
            canvas, (left, top) = outpaint.canvas_of(options, before)
        except (HotfolderError, ValidationError):
            return None
        if canvas != size:
            return None
        across, down = 100 / size[0], 100 / size[1]
        return left * across, top * down, before[0] * across, before[1] * down
    one, other = size[0] * before[1], size[1] * before[0]
    return (0, 0, 100, 100) if abs(one - other) <= _SAME_SHAPE * other else None


def costs(image: dict[str, Any], job: dict[str, Any] | None, pictures: int, site: Site) -> list[tuple[str, str]]:
    """Return what a picture cost, as names and texts: its share where a job made several, nothing for the sheet of
    them."""
    found: list[tuple[str, str]] = []
    if job and image["kind"] == "sheet" != job["kind"]:
        return found
    if job and job["run_s"] is not None:
        work = words.duration(job["run_s"])
        if pictures > 1:
            work = f"{words.duration(job['run_s'] / pictures)}, its part of {work} for {pictures} pictures"
        found.append(("Work", work))
    if job and job["load_s"]:
        shared = f" for {pictures} pictures" if pictures > 1 else ""
        found.append(("Loading models", f"{words.duration(job['load_s'])}{shared}"))
    if image["peak_vram_mb"] is not None:
        found.append(("Graphics memory", f"{image['peak_vram_mb']:,.0f} MB at most"))
    if image["energy_wh"] is not None:
        found.append(("Electricity", f"{words.number(image['energy_wh'])} Wh"))
        cost = site.workspace.settings.money(image["energy_wh"])
        if cost is not None:
            found.append(("Its price", f"{cost:.2g}"))
    return found


def _outlined(found: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    """Return a detection with its box in percent of the picture, kept inside it."""
    width, height = max(1, image["width"]), max(1, image["height"])
    left, right = (min(max(found[key] / width, 0), 1) * 100 for key in ("x0", "x1"))
    top, bottom = (min(max(found[key] / height, 0), 1) * 100 for key in ("y0", "y1"))
    sides = {"left": left, "top": top, "width": max(0, right - left), "height": max(0, bottom - top)}
    return {
        "label": found["label"],
        "score": f"{found['score']:.0%}",
        "style": ";".join(f"{side}:{percent:.3f}%" for side, percent in sides.items()),
    }
