"""File names as data: cleaned for every operating system, shown safely, compared as the strictest disk would.

Source: Win32 "Naming Files, Paths, and Namespaces" for the refused characters and device names.
"""

import re
import unicodedata

MAX_STEM_BYTES = 150
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
_BIDI_AND_HIDDEN = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_DEVICES = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}


def clean(stem: str, spare: str = "picture") -> str:
    """Return `stem` as a name that Linux, macOS and Windows all take: NFC, at most 150 bytes, never empty.

    `spare` is used when nothing is left. Bytes that are not UTF-8 (surrogates) become `_`.
    """
    text = stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\ufffd", "_")
    text = unicodedata.normalize("NFC", text)
    text = _BIDI_AND_HIDDEN.sub("", _REFUSED.sub("_", text)).strip(" .")
    text = text.encode("utf-8")[:MAX_STEM_BYTES].decode("utf-8", "ignore").strip(" .")
    if text.split(".")[0].casefold() in _DEVICES:
        text = f"_{text}"
    return text or spare


def name_key(path: str) -> str:
    """Return the form in which two names that some disk would confuse are equal (NFC, casefolded)."""
    return unicodedata.normalize("NFC", path).casefold()


def display(name: str) -> str:
    """Return `name` for people: control, bidi and undecodable characters as visible escapes."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
        else character
        for character in text
    )


def numbered(name: str, number: int) -> str:
    """Return `name` itself for 1, else with `-number` before its suffixes: `x.job.yaml`, 2 -> `x-2.job.yaml`."""
    if number == 1:
        return name
    stem, dot, suffixes = name.partition(".")
    for known in (".job.yaml", ".error.txt", ".mask.png", ".overlay.png"):
        if name.endswith(known):
            stem, dot, suffixes = name[: -len(known)], ".", known[1:]
            break
    else:
        stem, dot, suffixes = name.rpartition(".") if "." in name[1:] else (name, "", "")
    return f"{stem}-{number}{dot}{suffixes}"


def shorten(name: str, suffix: str, limit_bytes: int = 255) -> str:
    """Return `name + suffix`, the name cut so that the whole stays within a file system's `limit_bytes`."""
    room = limit_bytes - len(suffix.encode())
    return name.encode("utf-8", "surrogateescape")[:room].decode("utf-8", "ignore") + suffix
