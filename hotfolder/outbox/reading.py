"""The process that reads pictures of outbox for the service: `python -m hotfolder.outbox.reading`.

Anybody may have written them, so the service itself opens none. Orders and answers are lines of JSON: `orders`, each
`{path, file, max_pixels}`, in; for each of them one `said` or `unreadable` out. It leaves when its standard input ends.
"""

import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from hotfolder import atomic, images
from hotfolder.catalog import pictures
from hotfolder.errors import HotfolderError
from hotfolder.images import PROMISED
from hotfolder.metadata import read, record

_ANY_SIZE = 1 << 62


def main() -> None:
    """Answer orders until there are no more."""
    for line in sys.stdin.buffer:
        for order in json.loads(line)["orders"]:
            answer = {"path": order["path"], **answered(Path(order["file"]), order["max_pixels"])}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def answered(file: Path, max_pixels: int) -> dict[str, Any]:
    """Return what a picture says of itself, or why it cannot be read.

    Args:
        max_pixels: decode it as well, up to that size; 0 for not.
    """
    try:
        before = pictures.signature_at(file)
        said = _said(file, max_pixels)
        if before != pictures.signature_at(file):
            return {"event": "unreadable", "why": "it is being written"}
        return {"event": "said", "signature": before, **said}
    except (HotfolderError, OSError) as error:
        return {"event": "unreadable", "why": str(error)}


def _said(file: Path, max_pixels: int) -> dict[str, Any]:
    found = read.read(file)
    said: dict[str, Any] = {
        "id": found.image_id,
        "rating": found.rating,
        "tags": list(found.tags),
        "caption": found.caption,
        "is_captioned": bool(found.record.get("caption")),
        "on_keep": (found.job or {}).get("on_keep"),
        "sha256": atomic.sha256_of(file),
        "beside_is_broken": read.has_half_sidecar(file),
    }
    if not max_pixels:
        sniffed = images.sniff(file, _ANY_SIZE)
        return said | {"width": sniffed.width, "height": sniffed.height}
    image = images.open_picture(file, max_pixels).image
    named = (found.job or {}).get("image")
    facts = facts_of(found, image, file) | {"parent_path": named if record.is_text(named) else None}
    size = {key: facts[key] for key in ("width", "height", "pixel_sha256")}
    return said | size | {"facts": facts if found.image_id and found.record.get("kind") else None}


def facts_of(found: read.Found, image: Image.Image, path: Path) -> dict[str, Any]:
    """Return the catalog columns of a picture of ours: its embedded record, and what can be seen of the file now."""
    return {
        **{name: found.record.get(name) for name in pictures.COLUMNS},
        "id": found.image_id,
        "pixel_sha256": images.pixel_sha256(image),
        "width": image.width,
        "height": image.height,
        "format": PROMISED[path.suffix.lower()].lower(),
        "caption": found.caption if found.record.get("caption") else None,
        "tags": list(found.tags),
        "seed_locked": found.record.get("seed_locked") if "seed" in found.record else None,
        "rating": found.rating,
    }


if __name__ == "__main__":
    main()
