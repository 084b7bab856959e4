"""EXIF: what file managers show of a JPEG or WebP, and the parameters text inside UserComment.

**Source**: CIPA DC-008 (EXIF 2.32) for the tags; Windows' photo metadata policies for the XP tags (UTF-16LE with two
zero bytes, type BYTE), Rating and RatingPercent.
"""

import re
from datetime import UTC, datetime

from hotfolder.metadata import tiff, xmp
from hotfolder.metadata.facts import Facts
from hotfolder.metadata.text import clean, cut, decoded
from hotfolder.metadata.tiff import ASCII, BYTE, LONG, RATIONAL, SHORT, UNDEFINED, Tag

MAX_BYTES = 60_000
"""Of one JPEG segment's 65,533; Pillow raises above that, after the model's work is done."""
MAX_COMMENT_CHARACTERS = 24_000
"""UTF-16 units in UserComment; what is left of MAX_BYTES holds titles, keywords and a camera's tags."""

_RATING, _RATING_PERCENT = 18_246, 18_249
_DESCRIPTION, _MODEL, _SOFTWARE, _CHANGED = 270, 272, 305, 306
_XP_TITLE, _XP_KEYWORDS = 40_091, 40_094
_TAKEN, _DIGITISED, _OFFSET_TAKEN, _OFFSET_DIGITISED = 36_867, 36_868, 36_881, 36_882
_USER_COMMENT, _COLOUR_SPACE, _WIDTH, _HEIGHT = 37_510, 40_961, 40_962, 40_963
_SRGB = 1
_PROMPT = "prompt:"
_PER_INCH = Tag(RATIONAL, (72).to_bytes(4, "big") + (1).to_bytes(4, "big"))
_REQUIRED_IMAGE = {282: _PER_INCH, 283: _PER_INCH, 296: Tag(SHORT, b"\0\2"), 531: Tag(SHORT, b"\0\1")}
"""XResolution, YResolution, ResolutionUnit (inches), YCbCrPositioning (centred): a JPEG's EXIF must state them."""
_REQUIRED_CAMERA = {
    36_864: Tag(UNDEFINED, b"0232"),
    37_121: Tag(UNDEFINED, b"\1\2\3\0"),
    40_960: Tag(UNDEFINED, b"0100"),
}
"""ExifVersion, ComponentsConfiguration (YCbCr), FlashpixVersion: the same."""
_CARRIED_IMAGE = {_DESCRIPTION, 271, _MODEL, _CHANGED, 315, 33_432}
"""Description, maker, model, time, artist, copyright. Not the orientation, which was applied, nor a TIFF's layout."""
_NOT_CARRIED_CAMERA = {37_500, _USER_COMMENT, _COLOUR_SPACE, _WIDTH, _HEIGHT, 40_965, 42_016}
"""MakerNote (its offsets break when moved), what describes the old pixels, the interoperability pointer, the id."""


def build(facts: Facts, comment: str) -> bytes:
    """Return the EXIF of one JPEG or WebP, below MAX_BYTES, with `comment` as its UserComment.

    A source's own tags are left out where they do not fit.
    """
    image, camera = _ours(facts, comment)
    kept = carried(facts)
    whole = tiff.write(tiff.Exif(kept.image | image, kept.camera | camera, kept.place))
    return whole if len(whole) <= MAX_BYTES else tiff.write(tiff.Exif(image, camera, {}))


def carried(facts: Facts) -> tiff.Exif:
    """Return what goes along of the source's own EXIF: nothing without `keep_exif`.

    Its UserComment would be read instead of our parameters; a camera's model in a generated picture crashes one
    common reader of A1111 texts.
    """
    if facts.source is None or facts.source.exif is None:
        return tiff.Exif({}, {}, {})
    own = tiff.read(facts.source.exif)
    image = {number: tag for number, tag in own.image.items() if number in _CARRIED_IMAGE}
    if facts.is_generated:
        image.pop(_MODEL, None)
    camera = {number: tag for number, tag in own.camera.items() if number not in _NOT_CARRIED_CAMERA}
    return tiff.Exif(image, camera, own.place)


def _ours(facts: Facts, comment: str) -> tuple[dict[int, Tag], dict[int, Tag]]:
    made = datetime.fromisoformat(facts.created_at).astimezone(UTC).strftime("%Y:%m:%d %H:%M:%S")
    image = _REQUIRED_IMAGE | {
        _SOFTWARE: _ascii(facts.tool),
        _CHANGED: _ascii(made),
        _XP_TITLE: _xp(facts.shown_title),
    }
    if facts.tags:
        image[_XP_KEYWORDS] = _xp(cut(";".join(tag.replace(";", ",") for tag in facts.tags), 2000))
    if facts.rating is not None:
        image[_RATING] = _short(facts.rating)
        image[_RATING_PERCENT] = _short(xmp.PERCENT[facts.rating])
    camera = _REQUIRED_CAMERA | {
        _USER_COMMENT: Tag(UNDEFINED, b"UNICODE\0" + comment.encode("utf-16-be")),
        _COLOUR_SPACE: _short(_SRGB),
        _WIDTH: Tag(LONG, facts.width.to_bytes(4, "big")),
        _HEIGHT: Tag(LONG, facts.height.to_bytes(4, "big")),
    }
    if _TAKEN not in carried(facts).camera:
        camera |= {number: _ascii(made) for number in (_TAKEN, _DIGITISED)}
        camera |= {number: _ascii("+00:00") for number in (_OFFSET_TAKEN, _OFFSET_DIGITISED)}
    return image, camera


def _ascii(text: str) -> Tag:
    return Tag(ASCII, text.encode("ascii", "replace") + b"\0")


def _short(value: int) -> Tag:
    return Tag(SHORT, value.to_bytes(2, "big"))


def _xp(text: str) -> Tag:
    return Tag(BYTE, clean(text).encode("utf-16-le") + b"\0\0")


def user_comment(exif: tiff.Exif) -> str | None:
    """Return UserComment as text: UTF-16 in either byte order or UTF-8 behind `UNICODE`, ASCII, or unmarked.

    Programs that write EXIF with Pillow put it into the first directory, where it does not belong.
    """
    tag = exif.camera.get(_USER_COMMENT) or exif.image.get(_USER_COMMENT)
    if tag is None:
        return None
    marker, data = tag.data[:8], tag.data[8:]
    if not marker.startswith((b"UNICODE", b"ASCII", b"\0\0\0\0\0\0\0\0")):
        data = tag.data
    elif marker == b"UNICODE\0":
        return _unicode(data)
    return data.decode("utf-8", "replace").strip(" \0") or None


def _unicode(data: bytes) -> str | None:
    """Tell the byte order by where the zero bytes of Latin letters lie: the text states it nowhere."""
    first, second = data[0::2].count(0), data[1::2].count(0)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    elif not first and not second:
        text = data.decode("utf-8", "replace")
    else:
        text = data.decode("utf-16-be" if first >= second else "utf-16-le", "replace")
    return text.strip(" \0") or None


def comfyui_prompt(exif: tiff.Exif) -> str | None:
    """Return the graph that ComfyUI puts into the camera's model, behind `prompt:`; None for any other model."""
    tag = exif.image.get(_MODEL)
    text = tag.data.decode("utf-8", "replace").strip(" \0") if tag else ""
    return text[len(_PROMPT) :] if text[: len(_PROMPT)].lower() == _PROMPT else None


def rating(exif: tiff.Exif) -> int | None:
    """Return the stars, 0 to 5, from Rating or else from RatingPercent; None where there are none."""
    stars, percent = (_number(exif.image.get(tag)) for tag in (_RATING, _RATING_PERCENT))
    if stars is not None and 0 <= stars <= 5:
        return stars
    if percent is not None and 0 <= percent <= 100:
        return max((stars for stars, least in xmp.PERCENT.items() if percent >= least), default=0)
    return None


def rated(own: bytes, stars: int) -> bytes:
    """Return TIFF bytes with another Rating and RatingPercent, 0 to 5 stars; all else stays, and where it was.

    What cannot be read stays as it is: the XMP's rating is the one that is read first.
    """
    return tiff.with_shorts(own, {_RATING: stars, _RATING_PERCENT: xmp.PERCENT[stars]})


def title(exif: tiff.Exif) -> str | None:
    return _from_xp(exif.image.get(_XP_TITLE))


def description(exif: tiff.Exif) -> str | None:
    """Return ImageDescription, which cameras fill with their own name too."""
    tag = exif.image.get(_DESCRIPTION)
    return decoded(tag.data) if tag and tag.type in (ASCII, BYTE) else None


def keywords(exif: tiff.Exif) -> tuple[str, ...]:
    text = _from_xp(exif.image.get(_XP_KEYWORDS)) or ""
    return tuple(word for part in re.split(";", text) if (word := part.strip()))


def _from_xp(tag: Tag | None) -> str | None:
    return (tag and tag.data.decode("utf-16-le", "replace").split("\0")[0].strip()) or None


def _number(tag: Tag | None) -> int | None:
    return int.from_bytes(tag.data, "big") if tag and tag.type == SHORT and len(tag.data) == 2 else None
