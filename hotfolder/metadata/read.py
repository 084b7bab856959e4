"""What a picture says about itself: our own record, how other tools made it, ratings and tags from photo managers."""

import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotfolder.images import header
from hotfolder.metadata import a1111, comfyui, exif, fooocus, invokeai, iptc, png, record, swarmui, tiff, xmp

_ANY_SIZE = 1 << 62
_MAX_SIDECAR_BYTES = 1 << 20
_CAMERAS_WORDS = re.compile(
    r"[A-Z ]*DIGITAL CAMERA|SONY DSC|DIGITAL IMAGE|DCIM([\\/].*)?|default|Exif_JPEG_PICTURE|Screenshot"
)
"""What cameras and telephones write as the description of every picture."""


@dataclass(frozen=True)
class Found:
    """What was found in one picture; None or empty where it says nothing.

    `tool` is `hotfolder`, `a1111` (any tool that writes its text), `comfyui`, `invokeai`, `swarmui`, `fooocus` or
    empty. `record` holds our own facts by their names in `Facts`, `job` the resolved job among them.

    `parameters` is how the picture was made, whatever the tool, each key only where it says so: `prompt`,
    `negative_prompt`, `template` (before expansion), `steps`, `sampler` and `schedule` (in that tool's words),
    `guidance`, `seed`, `width` and `height` (pixels), `model`, `model_hash`, `loras` (list of {name, weight}),
    `variation` and `variation_seed`, `styles`. `cfg` is there where guidance is distilled and there was a CFG scale
    besides; `strength` where the picture was begun from another. `parameters_text` is A1111's text.

    `rating` counts stars, 0 to 5, or is -1 for rejected; it and `tags` come from
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
    beside = xmp.read(_sidecar(path) or "")
    tool, parameters, parameters_text = _generated(texts, camera)
    ours = record.parse(texts.get(record.KEY) or inside.record or beside.record) or {}
    ratings = (beside.rating, inside.rating, exif.rating(camera))
    classic = photoshop.get(iptc.RESOURCE) if isinstance(photoshop, dict) else None
    from_iptc = iptc.caption(classic) if isinstance(classic, bytes) else None
    # XMP of ours is taken at its word; what stands elsewhere in the file is still the camera's
    described = [one for one in (beside.description, inside.description) if one and (ours or _is_caption(one, path))]
    described += [one for one in (from_iptc, exif.description(camera)) if one and _is_caption(one, path)]
    return Found(
        tool="hotfolder" if ours else tool,
        image_id=ours.get("image_id"),
        job=ours.get("job"),
        record=ours,
        parameters=parameters,
        parameters_text=parameters_text,
        rating=next((stars for stars in ratings if stars is not None), None),
        tags=beside.tags or inside.tags or exif.keywords(camera),
        title=beside.title or inside.title or exif.title(camera),
        caption=next(iter(described), None),
        source_type=inside.source_type,
    )


def _generated(texts: dict[str, str], camera: tiff.Exif) -> tuple[str, dict[str, Any] | None, str | None]:
    """Return which tool tells how a picture was made, what it tells, and its text where that is A1111's."""
    written = texts.get("parameters") or exif.user_comment(camera)
    readers: tuple[tuple[str, Callable[[str], dict[str, Any] | None], str | None], ...] = (
        ("a1111", a1111.parse, written),
        ("swarmui", swarmui.parse, written),
        ("fooocus", fooocus.parse, written),
        ("invokeai", invokeai.parse, texts.get(invokeai.KEY)),
        ("invokeai", invokeai.parse_older, texts.get(invokeai.OLDER_KEY)),
        ("comfyui", comfyui.parse, texts.get("prompt") or exif.comfyui_prompt(camera)),
    )
    for tool, parse, text in readers:
        if text and (parameters := parse(text)):
            return tool, parameters, text if tool == "a1111" else None
    return "", None, None


def _is_caption(text: str, path: Path) -> bool:
    """Say whether somebody wrote this of the picture; its name counts with and without the ending."""
    names = (path.name.casefold(), path.stem.casefold())
    return not _CAMERAS_WORDS.fullmatch(text.strip()) and text.strip().casefold() not in names


def has_half_sidecar(path: Path) -> bool:
    """Say whether what lies beside a picture as its XMP is none: broken, or just being written."""
    packet = _sidecar(path)
    return packet is not None and not xmp.is_whole(packet)


def _sidecar(path: Path) -> bytes | None:
    """Return the content of `<name>.<ext>.xmp` beside a picture, None where there is none."""
    beside = path.with_name(f"{path.name}.xmp")
    try:
        if not stat.S_ISREG(beside.lstat().st_mode):
            return None
    except OSError:  # there is none, or the name has no room for its ending
        return None
    with open(beside, "rb") as file:
        return file.read(_MAX_SIDECAR_BYTES)
