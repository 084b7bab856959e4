"""What a picture file is: by its content, not its name, from its header alone. Nothing is decoded here.

The service calls this for every dropped file, so it must cost little whatever the file claims to be.
"""

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from hotfolder.errors import RejectedInput
from hotfolder.images import kinds
from hotfolder.names import display

MIME = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "HEIF": "image/heif",
}
"""The formats that are read, by Pillow's names, and their media types."""

PROMISED = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
}
"""The format that each ending of a file name promises."""
SUFFIXES: frozenset[str] = frozenset(PROMISED)
"""Endings, lower case, of the files that are taken for pictures; what they are, their content says."""

MAX_FRAMES = 100
"""Frames are counted up to here: each page of a TIFF costs a seek, and a hostile one has millions."""
MAX_HELD_BYTES = 512 << 20
"""Largest WebP, AVIF or HEIF file: their libraries read a file whole before they look at its header."""

_OF_THE_CONTENT = (None, errno.EINVAL, errno.EOVERFLOW)
"""What an OSError about a file's content carries: nothing, or what seeking to a made-up offset gives."""

# Pillow's own limit is one number for the whole process and only warns up to its double; ours is checked on each call.
Image.MAX_IMAGE_PIXELS = None
# What Pillow finds odd but reads (a stray EXIF offset) is no business of the person whose picture it is.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True)
class Sniffed:
    """A picture's header. `format` is a key of MIME; `width` and `height` are pixels after the EXIF turn.

    `frames` counts pages or animation frames, up to MAX_FRAMES. `has_alpha`: some of it may be transparent.
    """

    format: str
    width: int
    height: int
    frames: int
    has_alpha: bool


def sniff(path: Path, max_pixels: int) -> Sniffed:
    """Return what the file at `path` is, from its header.

    A turn that a PNG states only after its pixels is not seen here; `open_picture` applies it.

    Raises:
        RejectedInput: it is not a picture that is read here, or has more than `max_pixels` pixels.
        OSError: it cannot be read at all (missing, no permission, a failing disk).
    """
    with opened(path, max_pixels) as image:
        width, height = image.size
        if orientation(image) in (5, 6, 7, 8):
            width, height = height, width
        has_alpha = image.has_transparency_data
        return Sniffed(_format(image), width, height, _count_frames(image), has_alpha)


@contextmanager
def opened(path: Path, max_pixels: int) -> Iterator[Image.Image]:
    """Open `path` as what its first bytes say it is, not decoded, its size checked; raises as `sniff` does."""
    name = display(path.name)
    with open(path, "rb") as file:
        head = file.read(kinds.HEAD_BYTES)
        format = kinds.picture_format(head)
        if format is None:
            raise RejectedInput(f"{name} {kinds.refusal(head)}.")
        if format in ("WEBP", "AVIF", "HEIF") and os.fstat(file.fileno()).st_size > MAX_HELD_BYTES:
            raise RejectedInput(f"{name} is a {format} file of more than {MAX_HELD_BYTES >> 20} MiB; save it as TIFF.")
        if format == "HEIF":
            _register_heif()
        file.seek(0)
        with rejecting(name):
            image = Image.open(file, formats=[format])
        with image:
            _check_size(image, name, max_pixels)
            yield image


@contextmanager
def rejecting(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises about a file's content into RejectedInput; the disk's own errors stay.

    Only calls into a decoder belong inside: on hostile bytes they raise anything from struct.error to KeyError.
    """
    try:
        yield
    except MemoryError:
        raise RejectedInput(f"{name} needs more memory than this machine has free; make the picture smaller.") from None
    except OSError as error:
        if error.errno not in _OF_THE_CONTENT:
            raise
        raise RejectedInput(_damaged(name, error)) from error
    except Exception as error:
        raise RejectedInput(_damaged(name, error)) from error


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation (1 to 8) still to be applied; 1 where it is absent or unreadable.

    **Source**: TIFF 6.0 and CIPA DC-008 (EXIF), tag 274. Pillow turns TIFF files itself, in their size too.
    """
    if image.format == "TIFF":
        return 1
    try:
        # not image.getexif(): for a PNG that decodes all pixels to look behind them
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF that cannot be parsed says nothing; the pixels may be fine
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def exif_bytes(image: Image.Image) -> bytes | None:
    """Return the EXIF that `image` carries, a TIFF structure behind `Exif\\0\\0`; None where it has none.

    A TIFF's is its own tags, so it must not be loaded yet: loading closes the file.
    """
    exif = image.info.get("exif")
    if image.format == "TIFF":
        try:
            exif = image.getexif().tobytes()
        except Exception:  # a camera's private tags of a type that Pillow does not write
            return None
    if not isinstance(exif, bytes) or not exif:
        return None
    return exif if exif.startswith(b"Exif\0\0") else b"Exif\0\0" + exif


def _damaged(name: str, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return (
            f"{name} has a header that cannot be read: it is damaged, incomplete or of a rare kind; "
            "copy it again from where it came from, or save it anew as PNG."
        )
    said = display(str(error)).strip().rstrip(".") or type(error).__name__
    return f"{name} is damaged or incomplete ({said[:120]}); copy it again from where it came from."


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise RejectedInput(f"{name} is {width} x {height} pixels; there is nothing in it.")
    pixels = max(width * height, _tile_pixels(image))
    if pixels > max_pixels:
        raise RejectedInput(
            f"{name} has {pixels / 1e6:,.0f} megapixels; the limit is {max_pixels / 1e6:,.0f}. "
            "Make it smaller, or raise `max_megapixels` in hotfolder.yaml."
        )


def _tile_pixels(image: Image.Image) -> int:
    """Return the pixels of one TIFF tile, 0 for other files: libtiff allocates a whole tile however small the picture.

    **Source**: TIFF 6.0, tags 322 (TileWidth) and 323 (TileLength).
    """
    tags = getattr(image, "tag_v2", {})
    width, length = tags.get(322), tags.get(323)
    return width * length if isinstance(width, int) and isinstance(length, int) else 0


def _format(image: Image.Image) -> str:
    return "JPEG" if image.format == "MPO" else str(image.format)  # MPO: a JPEG with further JPEGs behind it


def _count_frames(image: Image.Image) -> int:
    if image.format != "TIFF":
        return min(int(getattr(image, "n_frames", 1)), MAX_FRAMES)
    for frame in range(1, MAX_FRAMES):
        try:
            image.seek(frame)
        except Exception:  # the end, or a page too broken to count
            return frame
    return MAX_FRAMES


def _register_heif() -> None:
    """Teach Pillow HEIF. Only here: loading libheif takes time and memory that most folders never need."""
    import pillow_heif

    pillow_heif.register_heif_opener()
