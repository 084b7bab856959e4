"""XMP: what photo managers search by, and IPTC's words for how a picture was made.

**Source**: ISO 16684-1 (XMP); IPTC Photo Metadata Standard 2025.1 (digital source type, AI system and prompt);
digiKam's namespace for its tag tree.
"""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape

from hotfolder.metadata.facts import Facts
from hotfolder.metadata.text import clean, cut
from hotfolder.names import display

MAX_BYTES = 60_000
"""Of one JPEG segment's 65,502."""
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"

_NO_AI = {"lanczos"}
"""Model names of the job language that stand for plain arithmetic."""
_NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "hotfolder": "https://hotfolder.invalid/ns/1.0/",
}
_TYPES = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items() if prefix != "rdf")
_HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f'<rdf:RDF xmlns:rdf="{_NAMESPACES["rdf"]}">\n<rdf:Description rdf:about=""{_TYPES}>\n'
)
_TAIL = '</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'


def build(facts: Facts, record: str | None) -> str:
    """Return the XMP packet, below MAX_BYTES in UTF-8.

    Too much text is cut where another place holds it whole: first the description, then the prompt.

    Args:
        facts: what is known of the picture.
        record: our own JSON, for containers that have no other place for it.
    """
    for limit in (16_384, 2000, 200):
        packet = _packet(facts, record, limit)
        if len(packet.encode()) <= MAX_BYTES:
            break
    return packet


def _packet(facts: Facts, record: str | None, limit: int) -> str:
    prompt = cut(facts.prompt or "", limit)
    parts = [
        _language("dc:title", facts.shown_title),
        _language("dc:description", cut(facts.caption or facts.prompt or "", limit)),
        _list("dc:subject", "Bag", _shortened(facts.tags)),
        _list("digiKam:TagsList", "Seq", _shortened(facts.tags)),
        _plain("xmp:Rating", "" if facts.rating is None else str(facts.rating)),
        _plain("xmp:CreatorTool", facts.tool),
        _plain("xmp:CreateDate", facts.created_at),
        _plain("xmpMM:DocumentID", f"hotfolder:{facts.image_id}"),
        _derived(facts),
        _plain("Iptc4xmpExt:DigitalSourceType", SOURCE_TYPES + facts.source_type),
        _plain("hotfolder:record", record or ""),
    ]
    if facts.model and facts.model not in _NO_AI:
        parts += [
            _plain("Iptc4xmpExt:AISystemUsed", facts.model),
            _plain("Iptc4xmpExt:AISystemVersionUsed", facts.model_hash or facts.tool),
            _plain("Iptc4xmpExt:AIPromptInformation", prompt),
        ]
    return _HEAD + "".join(parts) + _TAIL


def _shortened(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return as many tags as 1,000 characters hold: the whole list is in our record."""
    kept, room = [], 1000
    for tag in tags:
        room -= len(tag)
        if room < 0:
            break
        kept.append(tag)
    return tuple(kept)


def _plain(name: str, text: str) -> str:
    return f"<{name}>{_safe(text)}</{name}>\n" if text else ""


def _language(name: str, text: str) -> str:
    inside = f'<rdf:Alt><rdf:li xml:lang="x-default">{_safe(text)}</rdf:li></rdf:Alt>'
    return f"<{name}>{inside}</{name}>\n" if text else ""


def _list(name: str, kind: str, items: tuple[str, ...]) -> str:
    inside = "".join(f"<rdf:li>{_safe(item)}</rdf:li>" for item in items)
    return f"<{name}><rdf:{kind}>{inside}</rdf:{kind}></{name}>\n" if items else ""


def _derived(facts: Facts) -> str:
    if facts.source is None:
        return ""
    inside = _plain("stRef:documentID", f"sha256:{facts.source.sha256}")
    inside += _plain("stRef:filePath", display(facts.source.name))
    return f'<xmpMM:DerivedFrom rdf:parseType="Resource">\n{inside}</xmpMM:DerivedFrom>\n'


def _safe(text: str) -> str:
    return escape(clean(text))


@dataclass(frozen=True)
class Described:
    """What is read from a packet. `rating` counts stars, 0 to 5, or is -1 for rejected."""

    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    rating: int | None = None
    creator_tool: str | None = None
    source_type: str | None = None
    record: str | None = None


def read(packet: str | bytes) -> Described:
    """Return what a packet says; an empty Described where it is no XML or brings its own entities."""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # XMP has neither; entities are how a small XML becomes a large one
        return Described()
    try:
        # without a document type there are no entities to expand
        root = ET.fromstring(text.strip("\ufeff\0 \t\r\n"))  # nosec B314
    except (ET.ParseError, ValueError):
        return Described()
    rating = _first(root, "xmp:Rating")
    source_type = _first(root, "Iptc4xmpExt:DigitalSourceType")
    return Described(
        title=_first(root, "dc:title"),
        description=_first(root, "dc:description"),
        tags=tuple(_values(root, "dc:subject") or _values(root, "digiKam:TagsList")),
        rating=int(float(rating)) if rating and re.fullmatch(r"-1|[0-5](\.0*)?", rating) else None,
        creator_tool=_first(root, "xmp:CreatorTool"),
        source_type=source_type and source_type.removeprefix(SOURCE_TYPES),
        record=_first(root, "hotfolder:record"),
    )


def _first(root: ET.Element, name: str) -> str | None:
    return next(iter(_values(root, name)), None)


def _values(root: ET.Element, name: str) -> list[str]:
    """Return a property's texts: an attribute of a description, an element, or the items of a list in one."""
    prefix, _, local = name.partition(":")
    full = f"{{{_NAMESPACES[prefix]}}}{local}"
    item, description = (f"{{{_NAMESPACES['rdf']}}}{tag}" for tag in ("li", "Description"))
    found: list[str | None] = []
    for node in root.iter(description):
        found.append(node.get(full))
        for element in node.findall(full):
            found += [one.text for one in element.iter(item)] or [element.text]
    return [text.strip() for text in found if text and text.strip()]
