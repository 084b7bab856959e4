"""What a picture was made from, and pictures in formats that browsers do not show.

`source/<id>` is the picture that <id> was made from, wherever in the workspace it lies; `large/<id>` is <id> itself as
a WebP. Both lead from an id to a row and from that row's path to a file, as `file/<id>` does.
"""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasette.utils.asgi import Response, asgi_send_file

from hotfolder import images
from hotfolder.browse import files, pages
from hotfolder.errors import RejectedInput
from hotfolder.images import header, thumbs
from hotfolder.images.lengths import within
from hotfolder.workspace import Workspace

EDGE_PX = 2048
_SHOWN = ("PNG", "JPEG", "WEBP", "AVIF", "BMP")
"""What browsers show themselves, by Pillow's names."""
_HEADERS = {"cache-control": "private, max-age=60"}
_DECODERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="previews")


@dataclass(frozen=True)
class Before:
    """A picture that another was made from: its file, and its size in pixels."""

    file: Path
    width: int
    height: int


async def source(datasette: Any, request: Any, send: Any) -> Response | None:
    """Answer with the picture that another was made from; with a preview where browsers do not show it."""
    file = await _file(datasette, request, lambda workspace, image: locate(workspace, image["parent_path"]))
    try:
        format = (await asyncio.to_thread(images.sniff, file, thumbs.MAX_PIXELS)).format if file else ""
    except (RejectedInput, OSError):
        file = None
    if file is None or format not in _SHOWN:
        return await _preview(file)
    await asgi_send_file(send, file, content_type=header.MIME[format], headers=dict(_HEADERS))
    return None


async def large(datasette: Any, request: Any) -> Response:
    """Answer with a picture as a WebP of at most 2048 pixels."""
    return await _preview(await _file(datasette, request, picture))


def picture(workspace: Workspace, image: dict[str, Any]) -> Path | None:
    """Return where the picture of a row lies, also when it was moved a moment ago."""
    return locate(workspace, image["path"]) or files.find(workspace.outbox, image["path"], image["id"])


def is_shown(format: str) -> bool:
    """Say whether browsers show pictures of a format as the catalog calls it (`png`, `tiff`)."""
    return format.upper() in _SHOWN


def locate(workspace: Workspace, path: str | None) -> Path | None:
    """Return the file that a catalog path names.

    None where there is no path, or the file is missing or, links followed, not in the folder of the workspace that the
    path begins with: outbox, inbox, done or failed.
    """
    head, _, rest = (path or "").partition("/")
    folders = {
        "outbox": workspace.outbox, "inbox": workspace.inbox, "done": workspace.done, "failed": workspace.failed
    }  # fmt: skip
    return files.within(folders[head], rest) if head in folders and rest else None


def before(workspace: Workspace, path: str | None) -> Before | None:
    """Return the picture that a `parent_path` names, None where there is none that can be shown."""
    file = locate(workspace, path)
    if file is None:
        return None
    try:
        found = images.sniff(file, thumbs.MAX_PIXELS)
    except (RejectedInput, OSError):
        return None
    return Before(file, found.width, found.height)


async def _file(datasette: Any, request: Any, find: Callable[[Workspace, dict[str, Any]], Path | None]) -> Path | None:
    """Return what `find` says of the row that an address leads to."""
    image_id = request.url_vars["id"]
    if not files.is_id(image_id):
        return None
    rows = await pages.reader(datasette)("select id, path, parent_path from images where id = :id", {"id": image_id})
    return await asyncio.to_thread(find, pages.of(datasette).workspace, rows[0]) if rows else None


async def _preview(file: Path | None) -> Response:
    try:
        if file is None:
            raise FileNotFoundError
        data = await asyncio.get_running_loop().run_in_executor(_DECODERS, _webp, file)
    except (RejectedInput, OSError):
        return Response.text("There is no such picture.\n", status=404)
    return Response(data, content_type="image/webp", headers=dict(_HEADERS))


def _webp(file: Path) -> bytes:
    picture = images.open_picture(file, thumbs.MAX_PIXELS).image
    target = io.BytesIO()
    picture.resize(within(picture.size, EDGE_PX), reducing_gap=2).save(target, "WEBP", quality=85, method=2)
    return target.getvalue()
