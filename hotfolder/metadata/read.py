"""What a picture says about itself: our own record, A1111 parameters, ratings and tags from photo managers."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotfolder.images import header
from hotfolder.metadata import a1111, exif, iptc, png, record, tiff, xmp

_ANY_SIZE = 1 << 62
_MAX_SIDECAR_BYTES = 1 << 20
_CAMERAS_WORDS = re.compile(
    r"[A-Z ]*DIGITAL CAMERA|SONY DSC|DIGITAL IMAGE|DCIM([\\/].*)?|default|Exif_JPEG_PICTURE|Screenshot"
)
"""What cameras and telephones write as the description of every picture."""


@dataclass(frozen=True)
class Found:
    """What was found in one picture; None or empty where it says nothing.

    `tool` is `hotfolder`, `a1111` (any tool that writes its text) or empty. `record` holds our own facts by their
    names in `Facts`, `job` the resolved job among them. `parameters` is what `a1111.parse` returns of
    `parameters_text`. `rating` counts stars, 0 to 5, or is -1 for rejected; it and `tags` come from
    `<name>.<ext>.xmp` beside the picture, else from its XMP, else from its EXIF. `caption` is from there too, but from
    a JPEG's IPTC before EXIF; what a camera says of every picture, and the file's own name, are none.
    """

    tool: str = ""
    image_id: str | None = None
    job: dict[str, Any] | None = None
    record: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] | None = None
    parameters_text: str | None = None
    rating: int | None = None
    tags: tuple[str, ...] = ()
    title: str | None = None
    caption: str | None = None
    source_type: str | None = None


def read(path: Path) -> Found:
    """Read the metadata of the picture at `path`; no pixel is decoded.

    Raises:
        RejectedInput: it is not a picture that is read.
        OSError: it cannot be read at all.
    """
    with header.opened(path, _ANY_SIZE) as image:
        format = image.format
        photoshop = image.info.get("photoshop")
        exif_bytes, packet = header.exif_bytes(image), image.info.get("xmp")
    texts: dict[str, str] = {}
    if format == "PNG":
        texts, exif_bytes = png.read_texts(path)
        packet = texts.get(png.XMP_KEY)
    camera = tiff.read(exif_bytes or b"")
    inside = xmp.read(packet or "")
    beside = _sidecar(path)
    parameters_text = texts.get("parameters") or exif.user_comment(camera)
    parameters = a1111.parse(parameters_text) if parameters_text else None
    ours = record.parse(texts.get(record.KEY) or inside.record or beside.record) or {}
    ratings = (beside.rating, inside.rating, exif.rating(camera))
    classic = photoshop.get(iptc.RESOURCE) if isinstance(photoshop, dict) else None
    from_iptc = iptc.caption(classic) if isinstance(classic, bytes) else None
    described = (beside.description, inside.description, from_iptc, exif.description(camera))
    return Found(
        tool="hotfolder" if ours else "a1111" if parameters else "",
        image_id=ours.get("image_id"),
        job=ours.get("job"),
        record=ours,
        parameters=parameters,
        parameters_text=parameters_text if parameters else None,
        rating=next((stars for stars in ratings if stars is not None), None),
        tags=beside.tags or inside.tags or exif.keywords(camera),
        title=beside.title or inside.title or exif.title(camera),
        caption=next((text for text in described if text and (ours or _is_caption(text, path))), None),
        source_type=inside.source_type,
    )


def _is_caption(text: str, path: Path) -> bool:
    """Say whether somebody wrote this of the picture; its name counts with and without the ending."""
    names = (path.name.casefold(), path.stem.casefold())
    return not _CAMERAS_WORDS.fullmatch(text.strip()) and text.strip().casefold() not in names


def _sidecar(path: Path) -> xmp.Described:
    beside = path.with_name(f"{path.name}.xmp")
    if beside.is_symlink() or not beside.is_file():
        return xmp.Described()
    with open(beside, "rb") as file:
        return xmp.read(file.read(_MAX_SIDECAR_BYTES))
