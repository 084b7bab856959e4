"""The two addresses that give a picture's bytes: `/-/hotfolder/file/<id>` and `/-/hotfolder/thumb/<id>`.

Nothing in an address is ever a path. An id leads to its row, the row's path to a file, and the file must lie inside
outbox after every symlink is followed; everything else is "not found".
"""

import asyncio
import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from datasette.utils.asgi import Response, asgi_send_file

from hotfolder import names
from hotfolder.browse import sites
from hotfolder.errors import RejectedInput
from hotfolder.images import header, thumbs
from hotfolder.metadata import read

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")
_TYPES = {ending: header.MIME[format] for ending, format in header.PROMISED.items()}
SHELVES = ("keep", "reject")
"""The folders that a picture is moved into when it is reviewed, beside those it was published with."""
_NUMBERS = range(1, 10)
"""Names that are looked for: `x.png`, and `x-2.png` where that was taken."""
_CHUNK_BYTES = 1 << 16
_LOOKS = 2
"""Times that a picture is looked for: one that is moved meanwhile may be missed in each place once."""
# A page asks for a hundred thumbnails at once; a decoded 24-megapixel picture is 72 MB.
_DECODERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="thumbs")


async def file(datasette: Any, request: Any, send: Any) -> Response | None:
    """Answer with the picture itself."""
    for _ in range(_LOOKS):
        picture = await _picture(datasette, request.url_vars["id"])
        if picture is None:
            break
        with contextlib.suppress(FileNotFoundError):  # raised before anything is sent
            await asgi_send_file(
                send,
                picture,
                content_type=_TYPES[picture.suffix.lower()],
                chunk_size=_CHUNK_BYTES,
                headers={"cache-control": "private, max-age=60"},
            )
            return None
    return _not_found()


async def thumb(datasette: Any, request: Any) -> Response:
    """Answer with a small WebP of it."""
    image_id = request.url_vars["id"]
    for _ in range(_LOOKS):
        site, picture = sites.of(datasette), await _picture(datasette, image_id)
        if site is None or picture is None:
            break
        kept = thumbs.place(site.workspace.thumbs, image_id)
        try:
            data = await asyncio.get_running_loop().run_in_executor(_DECODERS, thumbs.thumbnail, picture, kept)
        except FileNotFoundError:
            continue
        except (RejectedInput, OSError):
            break
        return Response(data, content_type="image/webp", headers={"cache-control": "private, max-age=60"})
    return _not_found()


def is_id(value: object) -> bool:
    """Whether `value` can be an image's id, and so a file name that is safe on every disk."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def inside(outbox: Path, path: str) -> Path | None:
    """Return the picture that a catalog path names, None when it is missing, no picture, or not inside `outbox`."""
    head, _, rest = path.partition("/")
    real = within(outbox, rest) if head == "outbox" else None
    return real if real and real.suffix.lower() in _TYPES else None


def within(folder: Path, name: str) -> Path | None:
    """Return the file called `name` in `folder`, None when it is missing or, links followed, lies elsewhere."""
    try:
        real = (folder / name).resolve(strict=True)
        root = folder.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # missing; a NUL in the name; a loop of symlinks
        return None
    return real if real.is_relative_to(root) and real.is_file() else None


def find(outbox: Path, path: str, image_id: str) -> Path | None:
    """Return where a picture lies, None where that is not known.

    The catalog learns of a move a moment later than the page that made it: what is not where it says is looked for in
    the folder, its keep/ and its reject/, by its name and the id in it.
    """
    there = inside(outbox, path)
    if there and _id(there) in (None, image_id):
        return there
    old = PurePosixPath(path)
    folders = (base(old), *(base(old) / shelf for shelf in SHELVES))
    for folder in folders * _LOOKS:
        for number in _NUMBERS:
            found = inside(outbox, str(folder / names.numbered(old.name, number)))
            if found and _id(found) == image_id:
                return found
    return None


def base(path: PurePosixPath) -> PurePosixPath:
    """Return the folder that a catalog path was published in, kept or rejected since or not."""
    shelf = next((folder for folder in path.parents if folder.name.casefold() in SHELVES), path)
    return shelf.parent


def named(outbox: Path, picture: Path) -> str:
    """Return how the catalog writes the path of a picture in outbox, links followed."""
    return f"outbox/{picture.relative_to(outbox.resolve()).as_posix()}"


def _id(picture: Path) -> str | None:
    """Return the id that is embedded in a picture, None where there is none to be read."""
    with contextlib.suppress(RejectedInput, OSError):
        return read.read(picture).image_id
    return None


async def _picture(datasette: Any, image_id: str) -> Path | None:
    site = sites.of(datasette)
    if site is None or not is_id(image_id):
        return None
    database = datasette.get_database(site.database)
    row = (await database.execute("select path from images where id = :id", {"id": image_id})).first()
    if row is None:
        return None
    outbox, path = site.workspace.outbox, row["path"]
    return await asyncio.to_thread(lambda: inside(outbox, path) or find(outbox, path, image_id))


def _not_found() -> Response:
    return Response.text("There is no such picture.\n", status=404)
