"""XMP: what photo managers search by, and IPTC's words for how a picture was made.

**Source**: ISO 16684-1 (XMP); IPTC Photo Metadata Standard 2025.1 (digital source type, AI system and prompt);
digiKam's namespace for its tag tree.
"""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from hotfolder.metadata.facts import Facts
from hotfolder.metadata.text import clean, cut
from hotfolder.names import display

MAX_BYTES = 60_000
"""Of one JPEG segment's 65,502."""
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"

PERCENT = {0: 0, 1: 1, 2: 25, 3: 50, 4: 75, 5: 99}
"""Windows' percentage by stars, as it writes it."""

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
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "microsoft": "http://ns.microsoft.com/photo/1.0",  # as exiftool writes it
}
_THEIRS = {"rdf", "MicrosoftPhoto", "microsoft"}
_TYPES = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items() if prefix not in _THEIRS)
_HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f'<rdf:RDF xmlns:rdf="{_NAMESPACES["rdf"]}">\n<rdf:Description rdf:about=""{_TYPES}>\n'
)
_TAG = re.compile(rb"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(rb"""\s([^\s=<>"'/]+)\s*=\s*("[^"]*"|'[^']*')""")
_EMPTY_HEAD = _HEAD.partition("<rdf:Description")[0]
_EMPTY_TAIL = '</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
_TAIL = f"</rdf:Description>\n{_EMPTY_TAIL}"


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
            _plain("Iptc4xmpExt:AISystemVersionUsed", facts.model_hash or ""),
            _plain("Iptc4xmpExt:AIPromptInformation", prompt),
        ]
    return _HEAD + "".join(parts) + _TAIL


def merged(own: bytes | None, facts: Facts, record: str | None) -> str:
    """Return a picture's own packet with caption, keywords and our record in it; all else in it stays to the letter.

    A caption takes the place of the description, in all its languages.

    Args:
        own: the packet as it is in the file, None where there is none.
        facts: `caption`, and `tags`: all that the picture then has, its own among them.
        record: our own JSON, for containers that have no other place for it.

    Raises:
        ValueError: the packet is of a kind that cannot be added to.
    """
    own = _whole(own)
    ours = {
        "dc:description": _language("dc:description", facts.caption or ""),
        "dc:subject": _list("dc:subject", "Bag", _joined(own, "dc:subject", facts.tags)),
        "digiKam:TagsList": _list("digiKam:TagsList", "Seq", _joined(own, "digiKam:TagsList", facts.tags)),
        "hotfolder:record": _plain("hotfolder:record", record or ""),
    }
    layout = _Layout(own, {_full(name) for name, text in ours.items() if text})
    if any(found.is_attribute for found in layout.found):
        raise ValueError("a list written as an attribute")
    return _spliced(own, [(one.start, one.end, b"") for one in layout.found], layout, "".join(ours.values()))


def rated(own: bytes | None, stars: int) -> str:
    """Return a picture's own packet with another rating, wherever in it a rating stands; all else stays to the letter.

    Args:
        own: the packet as it is in the file, None where there is none.
        stars: 0 to 5; 0 stands for none.

    Raises:
        ValueError: the packet is of a kind that cannot be added to.
    """
    own = _whole(own)
    percent = {_full(f"{prefix}:Rating"): str(PERCENT[stars]) for prefix in ("MicrosoftPhoto", "microsoft")}
    texts = {_full("xmp:Rating"): str(stars), **percent}
    layout = _Layout(own, set(texts))
    changes = [(one.start, one.end, one.saying(texts[one.name])) for one in layout.found]
    is_there = any(one.name == _full("xmp:Rating") for one in layout.found)
    return _spliced(own, changes, layout, "" if is_there else _plain("xmp:Rating", str(stars)))


def _whole(own: bytes | None) -> bytes:
    """Return a packet without what stands around it; an empty one where there is none."""
    return (own or f"{_EMPTY_HEAD}\n{_EMPTY_TAIL}".encode()).strip(b"\xef\xbb\xbf\0 \t\r\n")


def _spliced(own: bytes, changes: list[tuple[int, int, bytes]], layout: "_Layout", added: str) -> str:
    """Return the packet with some of its bytes exchanged, and properties added in a description of their own."""
    parts: list[bytes] = []
    at = 0
    for start, end, changed in sorted(changes):
        parts += [own[at:start], changed]
        at = end
    parts.append(own[at : layout.end])
    if added:
        rdf, about = quoteattr(_NAMESPACES["rdf"]), quoteattr(layout.about)
        head = f"<rdf:Description xmlns:rdf={rdf} rdf:about={about}{_TYPES}>\n"
        parts.append(f"{head}{added}</rdf:Description>\n".encode())
    text = b"".join([*parts, own[layout.end :]]).decode()
    head, mark, tail = text.rpartition("<?xpacket end")
    return f"{head.rstrip()}\n{mark}{tail}" if mark else text  # the white space kept for editing in place is not


def _joined(own: bytes, name: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return a list of keywords with `tags` added, where there are new ones; those in a tree count as their leaves."""
    root = _parsed(own.decode())
    kept = _values(root, name) if root is not None else []
    known = {*kept, *(tag.rpartition("/")[2] for tag in kept)}
    new = [tag for tag in tags if tag not in known]
    return (*kept, *new) if new else ()


@dataclass(frozen=True)
class _Found:
    """Where in a packet, in bytes, a property stands: its element from `<` to `>`, or its attribute's value, quoted."""

    name: str
    start: int
    end: int
    is_attribute: bool

    def saying(self, text: str) -> bytes:
        """Return what to write in its place."""
        if self.is_attribute:
            return quoteattr(text).encode()
        uri, _, local = self.name.partition(" ")
        prefix = next(prefix for prefix, known in _NAMESPACES.items() if known == uri)
        return f"<{prefix}:{local} xmlns:{prefix}={quoteattr(uri)}>{escape(text)}</{prefix}:{local}>".encode()


class _Layout:
    """Where in a packet some properties stand and the description ends; ValueError where that is not clear."""

    def __init__(self, packet: bytes, properties: set[str]) -> None:
        self.about = ""
        self.found: list[_Found] = []
        self.end = 0
        self._packet = packet
        self._properties = properties
        self._path: list[str] = []
        self._prefixes: list[tuple[str, str]] = []
        self._begun: int | None = None
        self._ended: str | None = None
        if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
            raise ValueError("a packet with a document type")
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.StartNamespaceDeclHandler = lambda prefix, uri: self._prefixes.append((prefix or "", uri))
        self._parser.EndNamespaceDeclHandler = lambda prefix: self._prefixes.pop()
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.DefaultHandler = lambda text: self._finish()
        try:
            self._parser.Parse(packet, True)
        except expat.ExpatError as error:
            raise ValueError("no XML") from error
        if packet[self.end : self.end + 2] != b"</":
            raise ValueError("no place for further properties")

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._finish()
        if self._path and self._path[-1] == _full("rdf:RDF"):
            self.about = attributes.get(_full("rdf:about"), "")
            if self._properties & attributes.keys():
                self._find_attributes()
        self._path.append(name)
        if name in self._properties and len(self._path) >= 3 and self._path[-3] == _full("rdf:RDF"):
            self._begun = self._parser.CurrentByteIndex

    def _find_attributes(self) -> None:
        """Find values in the text of a tag: the parser does not say where they stand."""
        prefixes = {prefix.encode(): uri for prefix, uri in self._prefixes}
        tag = _TAG.match(self._packet, self._parser.CurrentByteIndex)
        for one in _ATTRIBUTE.finditer(tag[0]) if tag else ():
            prefix, _, local = one[1].rpartition(b":")
            name = f"{prefixes.get(prefix, '') if prefix else ''} {local.decode()}"
            if tag and name in self._properties:
                self.found.append(_Found(name, tag.start() + one.start(2), tag.start() + one.end(2), True))

    def _close(self, name: str) -> None:
        self._finish()
        self._path.pop()
        if name in self._properties and len(self._path) >= 2 and self._path[-2] == _full("rdf:RDF"):
            self._ended = name
        elif name == _full("rdf:RDF"):
            self.end = self._parser.CurrentByteIndex

    def _finish(self) -> None:
        """End the place of a property at what comes next behind it."""
        if self._ended is not None and self._begun is not None:
            self.found.append(_Found(self._ended, self._begun, self._parser.CurrentByteIndex, False))
            self._begun = self._ended = None


def _full(name: str) -> str:
    """Return a name as expat gives it: the namespace, a blank, the local name."""
    prefix, _, local = name.partition(":")
    return f"{_NAMESPACES[prefix]} {local}"


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
    root = _parsed(packet)
    if root is None:
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


def is_whole(packet: bytes) -> bool:
    """Say whether a packet can be read, whatever it says."""
    return _parsed(packet) is not None


def _parsed(packet: str | bytes) -> ET.Element | None:
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # XMP has neither; entities are how a small XML becomes a large one
        return None
    try:
        # without a document type there are no entities to expand
        return ET.fromstring(text.strip("\ufeff\0 \t\r\n"))  # nosec B314
    except (ET.ParseError, ValueError):
        return None


def _first(root: ET.Element, name: str) -> str | None:
    return next(iter(_values(root, name)), None)


def _values(root: ET.Element, name: str) -> list[str]:
    """Return a property's texts: an attribute of a description, an element, or the items of a list in one."""
    prefix, _, local = name.partition(":")
    full = f"{{{_NAMESPACES[prefix]}}}{local}"
    rdf, item, description = (f"{{{_NAMESPACES['rdf']}}}{tag}" for tag in ("RDF", "li", "Description"))
    found: list[str | None] = []
    # step by step, never "anywhere below": what is nested ten thousand deep would be walked as often
    for node in (one for part in root.iter(rdf) for one in part.findall(description)):
        found.append(node.get(full))
        for element in node.findall(full):
            items = (*element.findall(item), *element.findall(f"*/{item}"))
            found += [one.text for one in items] or [element.text]
    return [text.strip() for text in found if text and text.strip()]
