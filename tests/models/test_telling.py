"""A tiny BLIP-2 in the file layout of its repository, as it is published now and as older copies lie on disks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hotfolder.models.placement import Placement
from hotfolder.models.pool import ModelPool

CPU = Placement(device="cpu", precision="fp32", text_precision="fp32")
NAME = "blip2-opt-2.7b"
IMAGE, BEGIN, PAD = 50265, 2, 1
"""Numbers of tokens as they were published."""
ENDS = {"<unk>": 0, "<pad>": PAD, "</s>": BEGIN}


def made() -> Any:
    import torch
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    torch.manual_seed(0)
    common = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "initializer_range": 0.5}
    config = Blip2Config(
        vision_config={**common, "intermediate_size": 64, "image_size": 32, "patch_size": 16},
        qformer_config={**common, "intermediate_size": 64, "encoder_hidden_size": 32, "cross_attention_frequency": 1,
                        "vocab_size": 32},
        text_config={**common, "model_type": "opt", "ffn_dim": 64, "word_embed_proj_dim": 32, "vocab_size": 50304,
                     "max_position_embeddings": 64, "init_std": 0.5, "bos_token_id": BEGIN, "eos_token_id": BEGIN,
                     "pad_token_id": PAD},
        num_query_tokens=4, image_text_hidden_size=32, image_token_index=IMAGE,
    )  # fmt: skip
    return Blip2ForConditionalGeneration(config).eval()


@pytest.fixture(scope="module", params=["as published", "an older copy"])
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace's models; the older copy lacks the processor's configuration and the number of `<image>`."""
    root: Path = tmp_path_factory.mktemp("models")
    folder = root / "checkpoints" / NAME
    made().save_pretrained(folder)
    words = [f"Ġw{number}" for number in range(IMAGE - len(ENDS))]
    (folder / "vocab.json").write_text(json.dumps(ENDS | {word: len(ENDS) + n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    ends = {"unk_token": "</s>", "bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer", **ends}))
    pixels = {"image_processor_type": "BlipImageProcessor", "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    if request.param == "as published":
        (folder / "added_tokens.json").write_text(json.dumps({"<image>": IMAGE}))
        (folder / "processor_config.json").write_text(json.dumps({"num_query_tokens": 4}))
    else:
        config = json.loads((folder / "config.json").read_text())
        del config["image_token_index"]
        (folder / "config.json").write_text(json.dumps(config))
    return root


def test_blip2_is_shown_the_picture_before_the_words(models: Path) -> None:
    """It says what the model itself says of the pixels, whose own beginning is the picture's queries."""
    import torch

    family = ModelPool(models).use(NAME, CPU)
    noise = np.random.default_rng(0).integers(0, 256, (2, 40, 90, 3), dtype=np.uint8)
    said = []
    for picture in map(Image.fromarray, noise):
        seen = family.pixels(picture, return_tensors="pt").pixel_values
        with torch.no_grad():
            tokens = made().generate(pixel_values=seen, max_new_tokens=6, num_beams=5, do_sample=False)
        said.append(family.caption(picture, None, 6))
        assert said[-1] == family.words.decode(tokens[0, 4 + 1 :]).strip() != ""
    assert said[0] != said[1], "the picture counts"
    assert family.caption(Image.fromarray(noise[0]), "w7", 6).startswith("w7 w")
