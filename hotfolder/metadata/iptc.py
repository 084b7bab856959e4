"""IPTC's older record in a JPEG (IIM): the caption that a photographer's program put there.

**Source**: IPTC-NAA Information Interchange Model 4.2, chapter 3 (data sets), 1:90 (coded character set) and 2:120
(caption/abstract); Adobe's image resource 0x0404, which holds it.
"""

import struct

from hotfolder.metadata.text import decoded

RESOURCE = 0x0404
_MARK = 0x1C
_CAPTION = (2, 120)
_MAX_SETS = 2000


def caption(data: bytes) -> str | None:
    """Return the caption among the data sets; what is broken ends them, nothing raises."""
    at = 0
    for _ in range(_MAX_SETS):
        if at + 5 > len(data) or data[at] != _MARK:
            return None
        record, number, length = struct.unpack_from(">BBH", data, at + 1)
        end = at + 5 + length
        if length & 0x8000 or end > len(data):  # an extended data set, which no caption needs
            return None
        if (record, number) == _CAPTION:
            return decoded(data[at + 5 : end])
        at = end
    return None
