"""File names as data: cleaned for every operating system, shown safely, compared as the strictest disk would.

Source: Win32 "Naming Files, Paths, and Namespaces" for the refused characters and device names.
"""

import hashlib
import re
import unicodedata

MAX_STEM_BYTES = 150
MAX_NAME_BYTES = 255
"""What ext4, APFS and NTFS take for one name, or nearly; reached with a number or an ending of ours behind it."""
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
_BIDI_AND_HIDDEN = re.compile(
    "[\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")}


def clean(stem: str, spare: str = "picture") -> str:
    """Return `stem` as a name that Linux, macOS and Windows all take: NFC, at most 150 bytes, never empty.

    `spare` is used when nothing is left. Bytes that are not UTF-8 (surrogates) become `_`.
    """
    text = stem.encode("utf-8", "replace").decode()  # a surrogate becomes `?`, which is refused below
    text = unicodedata.normalize("NFC", _BIDI_AND_HIDDEN.sub("", _REFUSED.sub("_", text))).strip(" .")
    if text.split(".")[0].rstrip().casefold() in _DEVICES:
        text = f"_{text}"
    return _cut(text, MAX_STEM_BYTES).strip(" .") or spare


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
    """Return `name` itself for 1, else with `-number` before its suffixes: `x.job.yaml`, 2 -> `x-2.job.yaml`.

    A name that would get too long for a file system is cut before the number.
    """
    if number == 1:
        return name
    for known in (".job.yaml", ".error.txt", ".mask.png", ".overlay.png"):
        if name.endswith(known):
            stem, suffix = name[: -len(known)], known
            break
    else:
        inner = name.removesuffix(".xmp")  # `x.tif.xmp` goes along with its picture `x.tif`
        stem, dot, rest = inner.rpartition(".") if "." in inner[1:] else (inner, "", "")
        suffix = dot + rest + name[len(inner) :]
    tail = f"-{number}{suffix}"
    return _cut(stem, MAX_NAME_BYTES - len(_bytes(tail))) + tail


def ending(index: int, count: int) -> str:
    """Return what comes behind the name of one of `count` pictures of a job; `index` counts from 0: `_01`."""
    return f"_{index + 1:0{max(2, len(str(count)))}}"


def reason_name(name: str) -> str:
    """Return what the `.error.txt` of a file is called: always valid UTF-8, and never that of another file.

    Room is left for the few bytes that a file carries in its name while it is written.
    """
    text = name.encode("utf-8", "replace").decode()
    room = MAX_NAME_BYTES - len(".error.txt") - len("..part")
    if text != name or len(_bytes(text)) > room:
        text = f"{_cut(text, room - 9)}~{hashlib.sha256(_bytes(name)).hexdigest()[:8]}"
    return f"{text}.error.txt"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _cut(text: str, limit_bytes: int) -> str:
    """Return the beginning of `text` that takes at most `limit_bytes`; bytes that are not UTF-8 count three each."""
    text = text[:limit_bytes]
    while len(_bytes(text)) > limit_bytes:
        text = text[:-1]
    return text
