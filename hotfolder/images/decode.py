"""A picture's pixels as everything behind it wants them: upright, 8 bits a channel, sRGB, mode L, RGB or RGBA.

Decoders are what hostile files attack: this runs in the worker only.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hotfolder.images import colour, header, scans
from hotfolder.names import display

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """A decoded picture. `notes` are sentences about what was changed or left out on the way.

    `exif` is the file's own EXIF, a TIFF structure behind `Exif\\0\\0`, its orientation not yet removed. `text` holds
    the text chunks of a PNG by their keys.
    """

    image: Image.Image
    notes: tuple[str, ...]
    exif: bytes | None
    icc_converted: bool
    text: dict[str, str]


def open_picture(path: Path, max_pixels: int) -> Picture:
    """Decode the first frame of the file at `path` completely.

    Raises:
        RejectedInput: the file is no picture that is read, too large, damaged or cut short.
        OSError: it cannot be read at all (missing, no permission, a failing disk).
    """
    name = display(path.name)
    sniffed = header.sniff(path, max_pixels)
    notes = _oddities(path, name, sniffed)
    if sniffed.format == "JPEG":
        scans.check(path, name)
    with header.opened(path, max_pixels) as image:
        with header.rejecting(name):
            exif = header.exif_bytes(image)
            image.load()
        exif = exif or header.exif_bytes(image)  # a PNG may have it behind its pixels
        text = {key: str(value) for key, value in getattr(image, "text", {}).items()}
        turn = _TURNS.get(header.orientation(image))
        upright = image if turn is None else image.transpose(turn)
        pixels, more = colour.to_srgb(upright, image.info.get("icc_profile"), getattr(image, "tag_v2", {}))
    return Picture(pixels, (*notes, *more), exif, colour.CONVERTED in more, text)


def pixel_sha256(image: Image.Image) -> str:
    """Return the hash of a decoded picture: over mode, size and pixels, so the same whatever file it was stored in.

    It is what recognises a picture whose metadata another tool rewrote. For a JPEG, take the picture read back.
    """
    digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height}\n".encode())
    rows = max(1, (1 << 24) // max(1, image.width))
    for top in range(0, image.height, rows):  # in bands: a second copy of 250 megapixels is a gigabyte
        digest.update(image.crop((0, top, image.width, min(top + rows, image.height))).tobytes())
    return digest.hexdigest()


def _oddities(path: Path, name: str, sniffed: header.Sniffed) -> tuple[str, ...]:
    notes = []
    promised = header.PROMISED.get(path.suffix.lower())
    if promised and promised != sniffed.format:
        notes.append(f"{name} is a {sniffed.format} file by its content")
    if sniffed.frames > 1:
        many = f"{sniffed.frames} or more" if sniffed.frames == header.MAX_FRAMES else str(sniffed.frames)
        notes.append(f"{name} holds {many} pictures; the first is used")
    return tuple(notes)
