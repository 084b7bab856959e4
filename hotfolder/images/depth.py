"""Grey pictures of 16 or 32 bits, or of floating point, as 8 bits. Pillow's own conversion clips them: all white."""

from PIL import Image

_OPAQUE = 255


def to_8_bits(image: Image.Image, is_inverted: bool) -> tuple[Image.Image, tuple[str, ...]]:
    """Return mode L (RGBA where one grey level is transparent) and notes.

    16 bits are scaled from 0..65535. 32-bit and floating-point pictures state no range: they are taken as 0..1, 0..255
    or 0..65535, the first that holds all their values (0..1 for floating point only), else stretched from the least
    to the greatest, which is noted.

    Args:
        image: mode I;16 in any byte order, I or F.
        is_inverted: a 16-bit TIFF whose zero is white (PhotometricInterpretation 0), which Pillow does not turn round.
    """
    import numpy as np  # here, not above: the service imports this package and never decodes

    values = np.asarray(image)
    notes: tuple[str, ...] = ()
    if image.mode.startswith("I;16"):
        grey = np.round(np.arange(65_536) / 257).astype(np.uint8)[values.astype(np.uint16, copy=False)]
        if is_inverted:
            grey = 255 - grey
    else:
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        tops = (1, 255, 65_535) if image.mode == "F" else (255, 65_535)
        top = next((top for top in tops if low >= 0 and high <= top), None)
        if top is None:
            notes = (f"its values from {low:g} to {high:g} were stretched to black and white",)
        base, span = (0.0, float(top)) if top else (low, high - low or 1.0)
        known = np.nan_to_num(values.astype(np.float32), nan=base, posinf=high, neginf=low)
        grey = np.clip((known - base) * (255 / span) + 0.5, 0, 255).astype(np.uint8)
    result = Image.fromarray(grey)
    key = image.info.get("transparency")
    if isinstance(key, int):
        alpha = Image.fromarray(np.where(values == key, 0, _OPAQUE).astype(np.uint8))
        result = Image.merge("RGBA", (result, result, result, alpha))
    return result, notes
