"""The compare page: 2 to 8 pictures side by side, and what differs between them."""

import asyncio
from pathlib import PurePosixPath
from typing import Any

from datasette.utils.asgi import Response

from hotfolder.browse import differences, files, pages, parameters, recipes, sources
from hotfolder.catalog.store import Reader

FEWEST, MOST = 2, 8
_HOW = "The gallery's pictures can be marked there and opened here together."


async def page(datasette: Any, request: Any) -> Response:
    """Answer with the page; with a sentence, and 400 or 404, where the ids are not 2 to 8 pictures."""
    site = pages.of(datasette)
    ids = list(dict.fromkeys(request.args.getlist("id")))
    if not FEWEST <= len(ids) <= MOST:
        given = "it was given one" if len(ids) == 1 else f"it was given {len(ids) or 'none'}"
        return await _refused(datasette, request, 400, f"This page compares 2 to 8 pictures; {given}. {_HOW}")
    found = await datasette.get_database(site.database).execute_fn(lambda connection: _look(Reader(connection), ids))
    unknown = [one for one in ids if one not in found]
    if unknown:
        says = "One of these pictures is" if len(unknown) == 1 else f"{len(unknown)} of these pictures are"
        return await _refused(datasette, request, 404, f"{says} not in the catalog, or no longer.")
    images = [found[one][0] for one in ids]
    values = await asyncio.to_thread(
        lambda: [recipes.of_picture(site.workspace, image, job).values for image, job in map(found.__getitem__, ids)]
    )
    told = [parameters.of(image, own) for image, own in zip(images, values, strict=True)]
    prompts = {
        label: await asyncio.to_thread(differences.marked, [image[key] or "" for image in images])
        for key, label in (("prompt", "Prompt"), ("negative_prompt", "Negative prompt"), ("caption", "Caption"))
        if any(image[key] for image in images)
    }
    return await pages.render(
        datasette,
        request,
        "compare",
        pictures=[_shown(image, ids) for image in images],
        rows=differences.table(told),
        prompts=prompts,
    )


def _look(catalog: Reader, ids: list[str]) -> dict[str, tuple[dict[str, Any], dict[str, Any] | None]]:
    """Return the pictures that are in the catalog, each with the job that made it."""
    found = {}
    for one in ids:
        image = catalog.row("select * from images where id = ?", one) if files.is_id(one) else None
        if image:
            found[one] = image, catalog.row("select * from jobs where id = ?", image["job_id"])
    return found


def _shown(image: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    """Return a picture's row with what its place on the page needs."""
    others = [one for one in ids if one != image["id"]]
    return {
        **image,
        "name": PurePosixPath(image["path"]).name,
        "from": "file" if sources.is_shown(image["format"]) else "large",
        "without": "&".join(f"id={one}" for one in others) if len(others) >= FEWEST else "",
    }


async def _refused(datasette: Any, request: Any, code: int, says: str) -> Response:
    answer = await pages.missing(datasette, request, says)
    answer.status = code
    return answer
