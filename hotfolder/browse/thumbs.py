"""Small pictures for tables: taken from `.hotfolder/thumbs`, else made once from the picture in outbox."""

import contextlib
import io
import os
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

from hotfolder.images.lengths import within

EDGE_PX = 256
MAX_PIXELS = 250_000_000
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF")


def thumbnail(picture: Path, cached: Path) -> bytes:
    """Return the WebP thumbnail of `picture`, kept at `cached`; made again when the picture is newer.

    Raises:
        OSError: the picture cannot be read (Pillow's own errors are among them).
        ValueError: it has more than MAX_PIXELS pixels.
    """
    with contextlib.suppress(FileNotFoundError):
        if cached.stat().st_mtime >= picture.stat().st_mtime:
            return cached.read_bytes()
    data = _make(picture)
    # A catalog on a disk that cannot be written is still worth looking at: then nothing is kept.
    with contextlib.suppress(OSError):
        _keep(cached, data)
    return data


def _make(picture: Path) -> bytes:
    with Image.open(picture, formats=_FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{picture.name} has {image.width} x {image.height} pixels")
        if image.mode.startswith("I;16"):  # Pillow clips 16-bit grey at 255 instead of scaling it
            small: Image.Image = image.resize(within(image.size, EDGE_PX)).point(lambda value: value / 256).convert("L")
        else:
            image.thumbnail((EDGE_PX, EDGE_PX))
            small = ImageOps.exif_transpose(image)
        small = small.convert("RGBA" if small.has_transparency_data else "RGB")
        target = io.BytesIO()
        small.save(target, "WEBP", quality=80)
        return target.getvalue()


def _keep(cached: Path, data: bytes) -> None:
    """Write under a name of our own first: two requests for one thumbnail may do so at the same time."""
    cached.parent.mkdir(exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=cached.parent, prefix=".", suffix=".part")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    os.replace(part, cached)
