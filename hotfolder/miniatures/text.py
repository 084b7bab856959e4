"""The miniatures' two tokenizers and text encoders: one token per word of the world, letters for all else."""

from __future__ import annotations

import string

from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

from .shapes import SHAPES
from .world import COLOURS, PLACES, SIZES

WIDTH = 128
MAX_TOKENS = 32  # of T5; the longest description of the world takes 14
# Words of edits and questions, so that later models can share these tokenizers and encoders.
FURTHER_WORDS = (
    "a an the this that it of on at in to with and by from for into is are there "
    "background above below up down next side inside "
    "make turn change remove delete erase add move put replace paint draw keep swap fill "
    "bigger smaller larger outline filled solid empty one two both other same all everything rest "
    "picture image photo object shape color colour size what no not please"
).split()
WORDS = tuple(dict.fromkeys([*COLOURS, *SHAPES, *SIZES, *PLACES, *FURTHER_WORDS]))


def clip_tokenizer() -> CLIPTokenizer:
    """Byte-pair encoding with just the merges that make every word of the world one token."""
    letters = byte_letters()
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        pieces = merge([*word[:-1], word[-1] + "</w>"], merges)
        while len(pieces) > 1:  # new merges rank last, so words done before keep their own
            merges.append((pieces[0], pieces[1]))
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def t5_tokenizer() -> T5Tokenizer:
    """A unigram model in which a whole word always beats its letters."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    vocabulary += [("▁" + word, -1.0) for word in WORDS if len(word) > 1]
    vocabulary += [("▁a", -1.0)]
    vocabulary += [(letter, -3.0) for letter in string.ascii_letters + string.digits + ".,!?:;-'\"()"]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, additional_special_tokens=None, model_max_length=512)


def clip_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained CLIP text model, of which the generator uses the pooled vector."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=WIDTH,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        hidden_act="quick_gelu",
    )
    return CLIPTextModel(config)


def t5_encoder(tokenizer: T5Tokenizer) -> T5EncoderModel:
    """An untrained T5 encoder, of which the generator reads every token."""
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=WIDTH,
        d_kv=32,
        d_ff=2 * WIDTH,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        dropout_rate=0.0,
    )
    return T5EncoderModel(config)


def merge(pieces: list[str], merges: list[tuple[str, str]]) -> list[str]:
    """Byte-pair encodes: applies the earliest merge that fits until none does."""
    rank = {pair: i for i, pair in enumerate(merges)}
    while len(pieces) > 1:
        best = min((rank.get(pair, len(rank)), i) for i, pair in enumerate(zip(pieces, pieces[1:], strict=False)))
        if best[0] == len(rank):
            break
        i = best[1]
        pieces = [*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2 :]]
    return pieces


def byte_letters() -> list[str]:
    """The 256 printable stand-ins of bytes in byte-level encodings, as GPT-2 defined them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [256 + n for n in range(256 - len(plain))]
    return [chr(code) for code in plain + others]
