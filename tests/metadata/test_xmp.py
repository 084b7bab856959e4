"""XMP: well-formed whatever the words, read in both of its spellings, hostile packets without effect."""

import time
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotfolder.metadata import xmp
from hotfolder.metadata.xmp import Described
from tests.metadata import made

HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    ' xmlns:digiKam="http://www.digikam.org/ns/1.0/">'
)
TAIL = "</rdf:RDF></x:xmpmeta>"


def test_a_models_version_is_its_hash_or_not_said() -> None:
    assert "<Iptc4xmpExt:AISystemVersionUsed>9421f1dd5d51ffff<" in xmp.build(made.facts(), None)
    without = xmp.build(made.facts(model_hash=None), None)
    assert "AISystemUsed>" in without and "AISystemVersionUsed" not in without


@given(st.text(max_size=40), st.text(max_size=20), st.lists(st.text(max_size=10), max_size=4))
def test_whatever_the_words_it_is_xml(prompt: str, title: str, tags: list[str]) -> None:
    packet = xmp.build(made.facts(prompt=prompt, title=title, tags=tuple(tags), model=title or None), prompt)
    ET.fromstring(packet.encode().split(b"?>", 1)[1].rsplit(b"<?", 1)[0])
    assert xmp.read(packet).source_type == "trainedAlgorithmicMedia"


def test_words_that_look_like_xml_stay_words() -> None:
    nasty = "]]></rdf:li><dc:title>owned</dc:title>&amp;<!DOCTYPE"
    found = xmp.read(xmp.build(made.facts(prompt=nasty, title="mine"), None))
    assert found.title == "mine"
    assert found.description == nasty


@pytest.mark.parametrize(
    ("packet", "rating"),
    [
        (f'{HEAD}<rdf:Description xmp:Rating="3"/>{TAIL}', 3),
        (f"{HEAD}<rdf:Description><xmp:Rating>5</xmp:Rating></rdf:Description>{TAIL}", 5),
        (f'{HEAD}<rdf:Description/><rdf:Description xmp:Rating="4.0"/>{TAIL}', 4),
        (f'{HEAD}<rdf:Description xmp:Rating="-1"/>{TAIL}', -1),
        (f'{HEAD}<rdf:Description xmp:Rating="9"/>{TAIL}', None),
        (f'{HEAD}<rdf:Description xmp:Rating="{"9" * 5000}"/>{TAIL}', None),
        (f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{HEAD}<rdf:Description xmp:Rating="2"/>{TAIL}', 2),
        (f'<?xml version="1.0" encoding="UTF-8"?>{HEAD}<rdf:Description xmp:Rating="1"/>{TAIL}\0\0', 1),
    ],
)
def test_ratings(packet: str, rating: int | None) -> None:
    assert xmp.read(packet).rating == rating
    assert xmp.read(packet.encode()).rating == rating


def test_tags_of_either_kind() -> None:
    tree = "<digiKam:TagsList><rdf:Seq><rdf:li>a/b</rdf:li><rdf:li>c</rdf:li></rdf:Seq></digiKam:TagsList>"
    assert xmp.read(f"{HEAD}<rdf:Description>{tree}</rdf:Description>{TAIL}").tags == ("a/b", "c")
    flat = "<dc:subject><rdf:Bag><rdf:li> x </rdf:li><rdf:li/></rdf:Bag></dc:subject>"
    assert xmp.read(f"{HEAD}<rdf:Description>{tree}{flat}</rdf:Description>{TAIL}").tags == ("x",)


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    "packet",
    [
        "", "not xml", "<a>", "\0" * 100, "<a" * 10_000,
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>{HEAD}<rdf:Description xmp:Rating="3">&l9;</rdf:Description>{TAIL}',
        f'<!DOCTYPE x SYSTEM "file:///etc/passwd">{HEAD}<rdf:Description xmp:Rating="3"/>{TAIL}',
        f'{HEAD}<rdf:Description xmp:Rating="3">&undefined;</rdf:Description>{TAIL}',
        f'{HEAD}<rdf:Description xmp:Rating="3"/>{TAIL}'.encode("utf-16"),
        b"\xff\xfe\xfa",
    ],
)  # fmt: skip
def test_what_is_no_packet_says_nothing(packet: str | bytes) -> None:
    began = time.process_time()
    assert xmp.read(packet) == Described()
    assert time.process_time() - began < 3


def test_deep_nesting_is_no_trouble() -> None:
    began = time.process_time()
    assert xmp.read("<a>" * 200_000 + "</a>" * 200_000) == Described()
    assert time.process_time() - began < 5


def test_lists_in_lists_take_no_time_and_no_memory() -> None:
    deep = 8_000
    opened, closed = "<rdf:Description><dc:subject>" * deep, "</dc:subject></rdf:Description>" * deep
    began = time.process_time()
    found = xmp.read(f"{HEAD}{opened}{'<rdf:li>a</rdf:li>' * 20}{closed}{TAIL}")
    assert time.process_time() - began < 2
    assert found.tags == ()


@given(st.binary(max_size=300))
def test_rubbish_never_raises(data: bytes) -> None:
    xmp.read(data)
    xmp.read(HEAD.encode() + data + TAIL.encode())
