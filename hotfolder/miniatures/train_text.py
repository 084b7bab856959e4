"""Training of the two text encoders that all miniatures share, before and apart from any picture.

They learn to read: of every word of T5, and of CLIP's one vector, which thing it belongs to, that thing's colour,
shape and place, and the ground. What is linear in their output is easy for a generator to find, so that it need not
learn grammar from pictures; with encoders learned along with the generator, two objects kept mixing their colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .losslog import LossLog
from .shapes import SHAPES
from .split import training_scene
from .text import MAX_TOKENS, WIDTH, clip_encoder, clip_tokenizer, t5_encoder, t5_tokenizer
from .world import COLOURS, PLACES, RELATIONS, SIZES, Scene, Thing

STEPS = 1000
BATCH = 64
RATE = 2e-3
CLIP_TOKENS = 20
SHORT = 16  # tokens; holds every description of the world
INSTRUCTIONS = 0.25  # share of sentences that ask for a change instead of describing
NAMED, MADE = "named", "made"  # where the thing of an instruction is that exists, and the one that is to come
_CHOICES: tuple[tuple[str | None, ...], ...] = (
    tuple(COLOURS),
    tuple(SHAPES),
    (*(f"{place} {size}" for place in PLACES for size in (*SIZES, None)), *RELATIONS, NAMED, MADE),
    tuple(COLOURS),
)
_WIDTHS = tuple(len(choice) for choice in _CHOICES)
_TURNED = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}

Marks = tuple[str | None, str | None, str | None, str | None]
"""Colour, shape and whereabouts of a thing, and the ground; None where nothing is said."""


@dataclass(frozen=True)
class Sentence:
    """A sentence in pieces, each with what its words are to know, and what the whole says of its things in order."""

    pieces: tuple[tuple[str, Marks], ...]
    things: tuple[Marks, ...]

    @property
    def text(self) -> str:
        return " ".join(piece for piece, _ in self.pieces)


def train(out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains both and saves them with their tokenizers, float16, as `text_encoder`, `tokenizer` and so on in `out`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    clip_words, t5_words = clip_tokenizer(), t5_tokenizer()
    clip, t5 = clip_encoder(clip_words), t5_encoder(t5_words)
    word_head, whole_head = nn.Linear(WIDTH, sum(_WIDTHS)), nn.Linear(WIDTH, 2 * sum(_WIDTHS))
    parameters = [p for module in (clip, t5, word_head, whole_head) for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.01)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = (
            RATE * min(1.0, (step + 1) / 100) * (0.505 + 0.495 * math.cos(math.pi * step / STEPS))
        )
        sentences = [sentence(rng) for _ in range(BATCH)]
        texts = [one.text for one in sentences]
        length = SHORT if rng.random() < 0.75 else MAX_TOKENS
        t5_ids = t5_words(texts, padding="max_length", max_length=length, return_tensors="pt").input_ids
        clip_ids = clip_words(texts, padding="max_length", max_length=CLIP_TOKENS, return_tensors="pt").input_ids
        of_words, of_wholes = _labels(sentences, length)
        loss, right = _loss(word_head(t5(t5_ids).last_hidden_state), of_words)
        more, right_wholes = _loss(whole_head(clip(clip_ids).pooler_output).view(BATCH, 2, -1), of_wholes)
        (loss + more).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        log.add(step + 1, loss.item() + more.item(), right, right_wholes)
    clip.half().save_pretrained(out / "text_encoder")
    clip_words.save_pretrained(out / "tokenizer")
    t5.half().save_pretrained(out / "text_encoder_2")
    t5_words.save_pretrained(out / "tokenizer_2")


def sentence(rng: np.random.Generator) -> Sentence:
    """A random sentence: a description of a scene that training may see, or an instruction."""
    return _instruction(rng) if rng.random() < INSTRUCTIONS else _description(training_scene(rng, 0.6))


def _description(scene: Scene) -> Sentence:
    marks: list[Marks] = []
    for i, thing in enumerate(scene.things):
        where = f"{thing.place} {thing.size}"
        if scene.relation is not None:
            where = scene.relation if i == 0 else _TURNED[scene.relation]
        marks.append((thing.colour, thing.shape, where, scene.ground))
    pieces: list[tuple[str, Marks]] = [(scene.things[0].words(), marks[0])]
    if scene.relation is not None:
        pieces += [(scene.relation, marks[1]), (scene.things[1].words(), marks[1])]
    elif scene.things[0].place != "center":
        pieces.append((f"at the {scene.things[0].place}", marks[0]))
    article = "an" if scene.ground[0] in "aeiou" else "a"
    pieces.append((f"on {article} {scene.ground} background", (None, None, None, scene.ground)))
    first_told = scene.ordered().things[0] is scene.things[0]
    return Sentence(tuple(pieces), tuple(marks if first_told else marks[::-1]))


def _instruction(rng: np.random.Generator) -> Sentence:
    """One of the ways to ask for a change or to name a thing alone."""
    colour, other = (str(name) for name in rng.choice(list(COLOURS), 2, replace=False))
    shape, second = (str(name) for name in rng.choice(SHAPES, 2))
    says_colour = rng.random() < 0.5
    old: Marks = (colour if says_colour else None, shape, NAMED, None)
    the = f"the {colour} {shape}" if says_colour else f"the {shape}"
    made = Thing(other, second, (*SIZES, None)[rng.integers(3)])
    new: Marks = (other, second, f"center {made.size}", None)
    nothing: Marks = (None, None, None, None)
    ways: list[Sentence] = [
        Sentence((("make", nothing), (the, old), (other, (other, None, MADE, None))), (old, (other, None, MADE, None))),
        Sentence((("remove", nothing), (the, old)), (old,)),
        Sentence((("make the background", nothing), (other, (None, None, None, other))), ((None, None, None, other),)),
        Sentence((("replace", nothing), (the, old), ("with", nothing), (made.words(), new)), (old, new)),
        Sentence(((made.words(), new),), (new,)),
    ]
    return ways[rng.integers(len(ways))]


def _labels(sentences: list[Sentence], length: int) -> tuple[Tensor, Tensor]:
    """Class of every T5 token (n, length, 4) and of every whole (n, 2 things, 4); -100 where there is none."""
    of_words = torch.full((len(sentences), length, 4), -100)
    of_wholes = torch.full((len(sentences), 2, 4), -100)
    for row, one in enumerate(sentences):
        place = 0
        for piece, marks in one.pieces:
            words = len(piece.split())
            of_words[row, place : place + words] = _classes(marks)
            place += words
        for i, marks in enumerate(one.things):
            of_wholes[row, i] = _classes(marks)
    return of_words, of_wholes


def _classes(marks: Marks) -> Tensor:
    return torch.tensor([-100 if m is None else choice.index(m) for m, choice in zip(marks, _CHOICES, strict=True)])


def _loss(scores: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    """Sum of the cross entropies of the four fields, and the share of labels that are right."""
    total, hits, count = torch.zeros(()), 0, 0
    for part, label in zip(scores.split(_WIDTHS, -1), labels.unbind(-1), strict=True):
        total = total + nn.functional.cross_entropy(part.flatten(0, -2), label.flatten())
        hits += int((part.argmax(-1) == label)[label >= 0].sum())
        count += int((label >= 0).sum())
    return total, hits / count
