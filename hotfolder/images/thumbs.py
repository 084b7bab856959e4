"""Small copies for pages that show many pictures, one file each: `.hotfolder/thumbs/<image id>.webp`.

The worker makes them while it has the picture in memory; pages make what lacks, or is older than its picture.
"""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageOps

from hotfolder.images import header
from hotfolder.images.lengths import within

EDGE_PX = 512
"""Longest edge: rows of the gallery are some 210 pixels high, twice as many dots on a dense screen."""
QUALITY = 75
"""20 kB for a photograph at this size: 2 GB for 100,000 pictures, a fiftieth of what they take themselves."""
MAX_PIXELS = 250_000_000


def place(folder: Path, image_id: str) -> Path:
    """Return where the thumbnail of a picture lies."""
    return folder / f"{image_id}.webp"


def make(image: Image.Image, kept: Path) -> None:
    """Write the thumbnail of a picture in memory, turned already; it stays as it is.

    Nothing is written where the disk does not take it: the pictures themselves matter, this can be made again.
    """
    with contextlib.suppress(OSError):
        _keep(kept, _encoded(_small(image)))


def thumbnail(picture: Path, kept: Path) -> bytes:
    """Return the WebP thumbnail of a picture file, from `kept`; made again when the picture is newer.

    Raises:
        RejectedInput: it is no whole picture, or has more than MAX_PIXELS pixels.
        OSError: it cannot be read at all.
    """
    with contextlib.suppress(OSError):
        if kept.stat().st_mtime >= picture.stat().st_mtime and _is_whole(data := kept.read_bytes()):
            return data
    with header.opened(picture, MAX_PIXELS) as image, header.rejecting(picture.name):
        image.draft("RGB", (EDGE_PX, EDGE_PX))  # JPEG alone: decoded small at once
        data = _encoded(ImageOps.exif_transpose(_small(image)))
    # A catalog on a disk that cannot be written is still worth looking at: then nothing is kept.
    with contextlib.suppress(OSError):
        _keep(kept, data)
    return data


def forget(folder: Path, image_ids: Iterable[str]) -> None:
    """Remove the thumbnails of pictures that are no longer in the catalog."""
    for image_id in image_ids:
        with contextlib.suppress(OSError):
            place(folder, image_id).unlink(missing_ok=True)


def _small(image: Image.Image) -> Image.Image:
    size = within(image.size, EDGE_PX)
    if image.mode.startswith("I;16"):  # Pillow clips 16-bit grey at 255 instead of scaling it
        return image.resize(size).point(lambda value: value / 256).convert("L")
    if image.mode in ("P", "PA", "1"):  # which are scaled by taking single pixels
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _encoded(small: Image.Image) -> bytes:
    target = io.BytesIO()
    small.convert("RGBA" if small.has_transparency_data else "RGB").save(target, "WEBP", quality=QUALITY)
    return target.getvalue()


def _is_whole(data: bytes) -> bool:
    """Say whether a WebP is as long as it says; thumbnails are not flushed, and a power cut may leave half of one."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP" and int.from_bytes(data[4:8], "little") + 8 == len(data)


def _keep(kept: Path, data: bytes) -> None:
    """Write under a name of our own first: two requests for one thumbnail may do so at the same time."""
    kept.parent.mkdir(exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=kept.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(part, kept)
    except OSError:  # a full disk
        os.unlink(part)
        raise
