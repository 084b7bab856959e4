"""Colour profiles made by hand, and what their colours are in sRGB, computed without a colour library."""

import struct

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
# Columns are the red, green and blue primaries in XYZ, adapted to D50 (Bradford).
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])

INKS = {
    (0, 0, 0, 0): (100, 0, 0),
    (255, 0, 0, 0): (60, -30, -35),
    (0, 255, 0, 0): (50, 55, 0),
    (0, 0, 255, 0): (85, -5, 60),
    (0, 0, 0, 255): (0, 0, 0),
}
"""Lab of the inks of our imagined press; every mixture of two or more is black."""


def rgb(primaries: np.ndarray, gamma: float, space: bytes = b"RGB ", kind: bytes = b"mntr") -> bytes:
    """Return a version 2 matrix profile."""
    curve = _curve(gamma)
    tags = {b"wtpt": _xyz(D50), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags |= {name: _xyz(primaries[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _profile(space, b"XYZ ", kind, tags)


def grey(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", b"mntr", {b"wtpt": _xyz(D50), b"kTRC": _curve(gamma)})


def press() -> bytes:
    """Return a CMYK profile: a lookup table with the sixteen corners of INKS."""
    ramp = bytes(range(256))
    identity = b"".join(struct.pack(">i", 65_536 if i % 4 == 0 else 0) for i in range(9))
    table = b""
    for corner in range(16):
        inks = tuple(255 if corner >> (3 - ink) & 1 else 0 for ink in range(4))
        lightness, a, b = INKS.get(inks, (0, 0, 0))
        table += bytes((round(lightness * 2.55), a + 128, b + 128))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + table + ramp * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"wtpt": _xyz(D50), b"A2B0": lut})


def srgb_of(colour: tuple[int, int, int], primaries: np.ndarray, gamma: float) -> tuple[int, ...]:
    """Return what an 8-bit colour of a matrix profile is in sRGB."""
    return _encoded(primaries @ (np.array(colour) / 255) ** gamma)


def srgb_of_lab(lightness: float, a: float, b: float) -> tuple[int, ...]:
    fy = (lightness + 16) / 116
    f = np.array((fy + a / 500, fy, fy - b / 200))
    return _encoded(np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50)


def _encoded(xyz: np.ndarray) -> tuple[int, ...]:
    linear = np.clip(np.linalg.solve(SRGB, xyz), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(int(value) for value in np.round(encoded * 255))


def _profile(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)} | tags
    at = 128 + 4 + 12 * len(tags)
    index, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        index += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I", at + len(body)) + b"lcms" + struct.pack(">I", 0x02_10_00_00) + kind + space + connection
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(D50)[8:]
    return head.ljust(128, b"\0") + index + body


def _xyz(values: tuple[float, ...] | np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(float(value) * 65_536)) for value in values)


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
