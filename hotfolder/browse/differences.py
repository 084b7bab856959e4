"""What differs between pictures: their parameters, and the words of their prompts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from hotfolder.browse.parameters import Parameter

MAX_WORDS = 1000
"""Words that are compared, besides those with which two prompts both begin or end: that takes time by the square of
their number. The rest is shown without marks."""
_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True)
class Row:
    """One parameter of all pictures; `texts` are in their order, None where a picture has none."""

    label: str
    texts: list[str | None]

    @property
    def is_same(self) -> bool:
        return len(set(self.texts)) == 1


def table(pictures: list[list[Parameter]]) -> list[Row]:
    """Return a row for each parameter that any of the pictures has, in the order in which they come."""
    labels = {one.key: one.label for parameters in pictures for one in parameters}
    texts = [{one.key: one.text for one in parameters} for parameters in pictures]
    return [Row(label, [own.get(key) for own in texts]) for key, label in labels.items()]


def marked(texts: list[str]) -> list[list[tuple[str, bool]]]:
    """Return each text in pieces, each with whether it differs: the first from any other, the others from the first.

    An empty text has no pieces, and with it nothing is compared.
    """
    split = [_WORD.findall(text) for text in texts]
    first = [word.strip() for word in split[0]]
    same_in_first = [True] * len(first)
    pieces = []
    for parts in split[1:]:
        own = [word.strip() for word in parts]
        same = [True] * len(own)
        if first and own:
            for a0, a1, b0, b1 in _unlike(first, own):
                same_in_first[a0:a1] = [False] * (a1 - a0)
                same[b0:b1] = [False] * (b1 - b0)
        pieces.append(_pieces(parts, same))
    return [_pieces(split[0], same_in_first), *pieces]


def _unlike(one: list[str], other: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield where two lists of words differ: from and to in the one, from and to in the other."""
    begin = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest = one[begin:], other[begin:]
    end = next((at for at, (a, b) in enumerate(zip(*map(reversed, rest), strict=False)) if a != b), min(map(len, rest)))
    ours, theirs = (words[: len(words) - end][:MAX_WORDS] for words in rest)
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, ours, theirs).get_opcodes():
        if tag != "equal":
            yield begin + a0, begin + a1, begin + b0, begin + b1


def _pieces(parts: list[str], same: list[bool]) -> list[tuple[str, bool]]:
    found = []
    for is_same, group in groupby(zip(parts, same, strict=True), key=lambda pair: pair[1]):
        piece = "".join(part for part, _ in group)
        words = piece.rstrip()
        found += [(piece, False)] if is_same else [(words, True), (piece[len(words) :], False)]
    return found
