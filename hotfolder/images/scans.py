"""Progressive JPEGs that would keep a decoder busy for hours.

Each scan of a progressive JPEG makes the decoder walk over the whole picture, and a scan can be as short as sixty
bytes: one megabyte may ask for an hour of work. Encoders write about ten scans, by hand-made scripts a few dozen.

**Source**: ITU-T T.81 B.1.1 (markers; inside entropy-coded data `FF` is followed by `00` or `D0` to `D7`) and the
libjpeg-turbo project's note "Two Issues with the JPEG Standard", which names the attack and a limit of 500.
"""

import mmap
import re
from pathlib import Path

from hotfolder.errors import RejectedInput

MAX_SCANS = 100
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
_SOS, _EOI = 0xDA, 0xD9
_ALONE = {0x01, 0xD8}
"""Markers without a length behind them."""


def check(path: Path, name: str) -> None:
    """Refuse a JPEG with more than MAX_SCANS scans; follows the markers of the first picture, decodes nothing.

    Raises:
        RejectedInput: it has more.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, count = 2, 0
        while found := _MARKER.search(data, at):
            marker, at = found[1][0], found.end()
            if marker == _EOI:
                return
            if marker in _ALONE:
                continue
            count += marker == _SOS
            if count > MAX_SCANS:
                raise RejectedInput(f"{name} is a JPEG of more than {MAX_SCANS} scans, made to keep a reader busy.")
            at += int.from_bytes(data[at : at + 2], "big")
