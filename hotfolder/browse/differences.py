"""What differs between pictures: their parameters, and the words of their prompts."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from hotfolder.browse.parameters import Parameter

MAX_WORDS = 2500
"""Words of a prompt that are compared, which takes time by their square; the rest is shown without marks."""
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
    split = [_WORD.findall(text)[:MAX_WORDS] for text in texts]
    first = [word.strip() for word in split[0]]
    same_in_first = [True] * len(first)
    pieces = []
    for text, parts in zip(texts[1:], split[1:], strict=True):
        if not parts or not first:
            pieces.append([(text, False)] if parts else [])
            continue
        own = [word.strip() for word in parts]
        same = [False] * len(own)
        for tag, a0, a1, b0, b1 in SequenceMatcher(None, first, own).get_opcodes():
            if tag == "equal":
                same[b0:b1] = [True] * (b1 - b0)
            else:
                same_in_first[a0:a1] = [False] * (a1 - a0)
        pieces.append(_pieces(text, parts, same))
    return [_pieces(texts[0], split[0], same_in_first), *pieces]


def _pieces(text: str, parts: list[str], same: list[bool]) -> list[tuple[str, bool]]:
    found = []
    for is_same, group in groupby(zip(parts, same, strict=True), key=lambda pair: pair[1]):
        piece = "".join(part for part, _ in group)
        words = piece.rstrip()
        found += [(piece, False)] if is_same else [(words, True), (piece[len(words) :], False)]
    lead = len(text) - len(text.lstrip())
    rest = text[lead + sum(map(len, parts)) :]
    return [*found, (rest, False)] if rest else found
