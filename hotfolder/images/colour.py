"""Any mode and any embedded colour profile, as sRGB with 8 bits a channel."""

import io
from typing import Any

from PIL import Image, ImageCms

from hotfolder.images import depth

CONVERTED = "its colours were converted from its own profile to sRGB"
_LEFT_OUT = "its colour profile cannot be used and was left out"
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


def to_srgb(image: Image.Image, icc: bytes | None, tags: dict[int, Any]) -> tuple[Image.Image, tuple[str, ...]]:
    """Return `image` in mode L, RGB or RGBA, in sRGB, and notes on what was done.

    Args:
        image: loaded, of any mode that Pillow opens the accepted formats in.
        icc: the embedded colour profile.
        tags: a TIFF's tags, else empty.
    """
    image, notes = _expand(image, tags)
    if icc:
        try:
            converted = _through_profile(image, icc)
        except (ImageCms.PyCMSError, OSError, ValueError):  # damaged, or made for another kind of picture
            notes = (*notes, _LEFT_OUT)
        else:
            if converted is None:
                return _bare(image), notes
            return _bare(converted), (*notes, CONVERTED)
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return _bare(_transform(lab, image.mode, "RGB").apply(image)), notes
    if image.mode == "CMYK":
        return _bare(image.convert("RGB")), notes
    return _bare(image), notes


def on_white(image: Image.Image) -> Image.Image:
    """Return a picture without its alpha: what shows through is white."""
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _expand(image: Image.Image, tags: dict[int, Any]) -> tuple[Image.Image, tuple[str, ...]]:
    """Return `image` in one of the modes L, RGB, RGBA, CMYK, LAB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return depth.to_8_bits(image, is_inverted=tags.get(262) == 0)
    if image.has_transparency_data and image.mode != "RGBA":
        return image.convert("RGBA"), ()
    if image.mode in ("L", "RGB", "RGBA", "CMYK", "LAB"):
        return image, ()
    return image.convert("L" if image.mode == "1" else "RGB"), ()


def _through_profile(image: Image.Image, icc: bytes) -> Image.Image | None:
    """Return `image` converted from its profile, None when that profile is sRGB in all but name."""
    profile = ImageCms.getOpenProfile(io.BytesIO(icc))
    space = profile.profile.xcolor_space.strip()
    if image.mode == "L" and space == "RGB":  # a grey picture saved with the profile of the screen it was made on
        converted = _through_profile(image.convert("RGB"), icc)
        return converted and converted.getchannel("G")
    if image.mode == "RGBA" and space == "GRAY":  # grey with alpha
        grey = _through_profile(image.getchannel("R"), icc)
        return grey and Image.merge("RGBA", (grey, grey, grey, image.getchannel("A")))
    if image.mode == "L":
        converted = _changed(_transform(profile, "L", "RGB"), image)
        return converted and converted.getchannel("G")
    return _changed(_transform(profile, image.mode, "RGBA" if image.mode == "RGBA" else "RGB"), image)


def _transform(profile: ImageCms.ImageCmsProfile | Any, mode: str, into: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, into, _INTENT, _FLAGS)


def _changed(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image | None:
    """Apply `transform`, unless it moves no colour by more than one step of 255: then the pixels stay untouched."""
    if image.mode in ("L", "RGB", "RGBA"):
        sample = _sample(image.mode)
        moved = transform.apply(sample).convert("RGB").tobytes()
        if max(abs(a - b) for a, b in zip(moved, sample.convert("RGB").tobytes(), strict=True)) <= 1:
            return None
    return transform.apply(image)


def _sample(mode: str) -> Image.Image:
    """Return one pixel for each of 9 x 9 x 9 colours, opaque; for L the 256 greys."""
    if mode == "L":
        return Image.frombytes("L", (256, 1), bytes(range(256)))
    steps = [min(32 * step, 255) for step in range(9)]
    colours = bytes(value for r in steps for g in steps for b in steps for value in (r, g, b))
    return Image.frombytes("RGB", (729, 1), colours).convert(mode)


def _bare(image: Image.Image) -> Image.Image:
    """Drop what the file said about itself (profile, gamma, transparency, text): the pixels now say all.

    They are taken over, not copied: of 250 megapixels a copy is a gigabyte. They are never mapped from the file, since
    Pillow is given an open one and not its path.
    """
    bare = image if type(image) is Image.Image else image._new(image.im)
    bare.info = {}
    return bare
