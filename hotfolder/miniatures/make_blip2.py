"""``python -m hotfolder.miniatures.make_blip2``: a BLIP-2 that learned nothing, in the files of the real one.

It goes the real one's whole way and says words at random; `train_captioner` makes the one that sees.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    GPT2Tokenizer,
    OPTConfig,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from .text import WORDS, byte_letters, merge

HERE = Path(__file__).parent
SIZE_PX, PATCH_PX, QUERIES, WIDTH = 32, 16, 4, 32
IMAGE, BEGIN, PAD = "<image>", "</s>", "<pad>"


def tokenizer() -> GPT2Tokenizer:
    """Byte-pair encoding as OPT has it: each word of the world after a space is one token."""
    letters = byte_letters()
    pairs: list[tuple[str, str]] = []
    for word in WORDS:
        pieces = merge(list("Ġ" + word), pairs)
        while len(pieces) > 1:
            pairs.append((pieces[0], pieces[1]))
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
    tokens = dict.fromkeys([PAD, BEGIN, *letters, *("".join(pair) for pair in pairs)])
    return GPT2Tokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=pairs,
        unk_token=BEGIN,
        bos_token=BEGIN,
        eos_token=BEGIN,
        pad_token=PAD,
        additional_special_tokens=[IMAGE],
    )


def new_captioner(words: GPT2Tokenizer) -> Blip2ForConditionalGeneration:
    """An untrained model with a layer of each kind."""
    common = {"hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Blip2Config(
        vision_config=Blip2VisionConfig(
            **common, intermediate_size=2 * WIDTH, image_size=SIZE_PX, patch_size=PATCH_PX
        ).to_dict(),
        qformer_config=Blip2QFormerConfig(
            **common, intermediate_size=2 * WIDTH, encoder_hidden_size=WIDTH, cross_attention_frequency=1, vocab_size=32
        ).to_dict(),
        text_config=OPTConfig(
            **common,
            ffn_dim=2 * WIDTH,
            word_embed_proj_dim=WIDTH,
            vocab_size=len(words),
            max_position_embeddings=256,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        ).to_dict(),
        num_query_tokens=QUERIES,
        image_text_hidden_size=WIDTH,
        image_token_index=words.convert_tokens_to_ids(IMAGE),
    )
    model = Blip2ForConditionalGeneration(config)
    letters = words.convert_tokens_to_ids(byte_letters())
    with torch.no_grad():
        model.get_input_embeddings().weight[letters] = 0  # what it says at random are words
    return model


def make(out: Path, seed: int = 0) -> None:
    """Writes the model, float16, with its tokenizer and its picture settings into a folder."""
    torch.manual_seed(seed)
    words = tokenizer()
    new_captioner(words).half().save_pretrained(out)
    words.save_pretrained(out)
    BlipImageProcessorPil(size={"height": SIZE_PX, "width": SIZE_PX}).save_pretrained(out)


if __name__ == "__main__":
    make(HERE / "weights" / "blip2-opt-2.7b")
