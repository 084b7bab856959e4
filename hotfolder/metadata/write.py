"""One finished picture with all its metadata into one file: PNG, JPEG or WebP."""

from pathlib import Path
from typing import Any

from PIL import Image

from hotfolder import images
from hotfolder.errors import Unsupported
from hotfolder.metadata import a1111, exif, png, record, tiff, xmp
from hotfolder.metadata.facts import Facts
from hotfolder.metadata.text import clean
from hotfolder.spec import Format

MAX_EDGE = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383}
"""Pixels; libjpeg's JPEG_MAX_DIMENSION and libwebp's WEBP_MAX_DIMENSION."""
_MAX_PNG_TEXT = 256 << 10
"""Bytes; Pillow reads compressed texts of up to a mebibyte, ours are not compressed."""
_FINE_QUALITY = 90
"""From this JPEG quality on colour is not subsampled: thin red lines and letters stay sharp."""


def check_size(format: Format, width: int, height: int) -> None:
    """Refuse, best before the model runs, a size that the format cannot hold.

    Raises:
        Unsupported: it cannot.
    """
    if max(width, height) > MAX_EDGE[format]:
        raise Unsupported(
            f"{width} x {height} pixels do not fit into a {format} file, whose edges end at {MAX_EDGE[format]:,}; "
            "use `format: png`"
        )


def save(image: Image.Image, path: Path, format: Format, quality: int, facts: Facts) -> None:
    """Write `image` with its metadata to `path`; not fsynced. Texts too long for the container are cut or left out.

    Args:
        image: mode L, RGB or RGBA, sRGB. JPEG has no alpha: there RGBA is laid on white.
        path: written anew.
        format: which container.
        quality: 1 to 100, for JPEG and WebP.
        facts: what is embedded.

    Raises:
        Unsupported: the picture is larger than the format allows.
        OSError: the disk is full or cannot be written.
    """
    check_size(format, image.width, image.height)
    if format == "png":
        with open(path, "wb") as file:
            png.write(file, image, _texts(facts), _carried(facts))
        return
    exif_bytes = exif.build(facts, _comment(facts))
    options: dict[str, Any] = {"quality": quality, "exif": exif_bytes, "xmp": _xmp(facts).encode()}
    if format == "jpeg":
        images.on_white(image).save(path, "JPEG", subsampling=0 if quality >= _FINE_QUALITY else 2, **options)
    else:
        image.save(path, "WEBP", **options)


def _texts(facts: Facts) -> dict[str, str]:
    """Return the PNG's texts. `prompt`, `workflow` and `Comment` are other tools' keys and never among them."""
    if facts.is_generated:
        texts = {"parameters": a1111.parameters(facts, _MAX_PNG_TEXT)}
    else:
        texts = {"postprocessing": a1111.postprocessing(facts)}
        if kept := _kept_parameters(facts, _MAX_PNG_TEXT):
            texts["parameters"] = kept
    return texts | {record.KEY: record.build(facts, _MAX_PNG_TEXT), png.XMP_KEY: xmp.build(facts, None)}


def _comment(facts: Facts) -> str:
    """Return the one text that JPEG and WebP have room for: how the picture came to be, the newest generation first."""
    if facts.is_generated:
        text = a1111.parameters(facts, exif.MAX_COMMENT_CHARACTERS)
        units = len(text.encode("utf-16-be")) // 2
        if units > exif.MAX_COMMENT_CHARACTERS:  # characters beyond the basic plane take two units each
            text = a1111.parameters(facts, exif.MAX_COMMENT_CHARACTERS // 2)
        return text
    return _kept_parameters(facts, exif.MAX_COMMENT_CHARACTERS // 2) or a1111.postprocessing(facts)


def _kept_parameters(facts: Facts, limit: int) -> str | None:
    """Return the input's own parameters, whole or not at all: a part of them would read as something else."""
    kept = clean((facts.source and facts.source.parameters) or "")
    return kept if 0 < len(kept) <= limit else None


def _carried(facts: Facts) -> bytes | None:
    kept = exif.carried(facts)
    return tiff.write(kept).removeprefix(tiff.PREFIX) if kept.image or kept.camera or kept.place else None


def _xmp(facts: Facts) -> str:
    """Return the XMP with our record in it, as much of that as fits: escaped for XML a text grows up to five times."""
    for room in (52_000, 24_000, 8_000, 2_000):
        packet = xmp.build(facts, record.build(facts, room))
        if len(packet.encode()) <= xmp.MAX_BYTES:
            break
    return packet
