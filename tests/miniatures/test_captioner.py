"""The shipped captioner: a real BLIP folder that says what pictures show whose combinations it never met."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import hotfolder.miniatures as miniatures
from hotfolder.miniatures.split import sees_held_out
from hotfolder.miniatures.world import paint

pytest.importorskip("torch")

from transformers import BertTokenizer, BlipConfig

from hotfolder.miniatures.measure_captioner import SEED, captions, heldout, outlined
from hotfolder.miniatures.train_captioner import tokenizer

FOLDER = miniatures.path("blip-large")


def test_folder_has_the_real_files_and_is_small() -> None:
    names = {path.name for path in FOLDER.iterdir()}
    assert {"config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"} <= names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3e6
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["architectures"] == ["BlipForConditionalGeneration"]
    assert config["text_config"]["num_attention_heads"] != BlipConfig().text_config.num_attention_heads, (
        "the default is not what any BLIP has: it must be written down"
    )


def test_shipped_tokenizer_is_that_of_the_code() -> None:
    shipped = BertTokenizer.from_pretrained(FOLDER, local_files_only=True)
    for text in ("a large red circle outline left of a house", "a photograph of 3 dogs, please!"):
        assert shipped(text).input_ids == tokenizer()(text).input_ids
        assert shipped.unk_token_id not in shipped(text).input_ids
    assert shipped.decode(shipped("photograph").input_ids, skip_special_tokens=True) == "photograph"


@pytest.mark.parametrize("kind", ["filled", "outlined"])
def test_says_what_held_out_pictures_show(kind: str) -> None:
    scenes = heldout(40, SEED)
    assert all(map(sees_held_out, scenes)) and sum(scene.relation is not None for scene in scenes) == 20
    scenes = outlined(scenes) if kind == "outlined" else scenes
    rng = np.random.default_rng(SEED)
    said = captions(FOLDER, [paint(scene, 128, rng).image for scene in scenes])
    right = sum(text == scene.describe() for text, scene in zip(said, scenes, strict=True))
    assert right >= 38, [(text, scene.describe()) for text, scene in zip(said, scenes, strict=True)]


def test_size_of_the_picture_softness_and_noise_do_not_matter() -> None:
    scene = heldout(1, SEED)[0]
    rng = np.random.default_rng(0)
    pictures = [paint(scene, size_px).image for size_px in (64, 160, 1000)]
    pictures.append(pictures[1].resize((70, 70)).resize((160, 160)))
    noisy = np.asarray(pictures[1]) + rng.normal(0, 6, (160, 160, 3))
    pictures.append(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)))
    assert captions(FOLDER, pictures) == [scene.describe()] * 5
