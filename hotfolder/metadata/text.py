"""Text made fit for a file: what XML, PNG and UTF-8 refuse is taken out, what is too long is cut."""

import re

MAX_DECODED_BYTES = 16_384
# XML 1.0, production 2 (Char): everything else is refused by every reader of XMP. A NUL also ends a PNG text.
_REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Return `text` with line ends as `\\n` and without control characters, lone surrogates and non-characters."""
    return _REFUSED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def decoded(data: bytes) -> str | None:
    """Return a text whose coding is not said: UTF-8 where it can be that, else Windows' Latin; None where it is empty,
    or longer than MAX_DECODED_BYTES."""
    data = data.partition(b"\0")[0]
    if len(data) > MAX_DECODED_BYTES:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return clean(text).strip() or None


def cut(text: str, limit: int) -> str:
    """Return `text`, at most `limit` characters of it, the last one `…` where something is missing."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
