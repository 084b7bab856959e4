"""The shipped generator: a real pipeline folder that paints what prompts it never met in training say."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import hotfolder.miniatures as miniatures
from hotfolder.miniatures.split import heldout_prompts, pair_prompts

torch = pytest.importorskip("torch")

from hotfolder.miniatures.measure import SEED, generate, load, score  # noqa: E402
from hotfolder.miniatures.text import WORDS, clip_tokenizer, t5_tokenizer  # noqa: E402


@pytest.fixture(scope="module")
def pipeline():  # type: ignore[no-untyped-def]
    return load(miniatures.path("flux1-schnell"))


def test_unknown_names_are_told_the_known_ones() -> None:
    with pytest.raises(LookupError, match="flux1-schnell"):
        miniatures.path("flux9")


def test_asking_for_a_path_or_a_judgement_loads_no_torch() -> None:
    code = (
        "import sys, hotfolder.miniatures.world, hotfolder.miniatures.judge, hotfolder.miniatures.split\n"
        "hotfolder.miniatures.path('flux1-schnell')\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_folder_has_the_real_layout_and_is_small() -> None:
    folder = miniatures.path("flux1-schnell")
    index = json.loads((folder / "model_index.json").read_text())
    assert index["_class_name"] == "FluxPipeline"
    assert index["transformer"] == ["diffusers", "FluxTransformer2DModel"]
    transformer = json.loads((folder / "transformer" / "config.json").read_text())
    assert transformer["in_channels"] == 64
    assert transformer["guidance_embeds"] is False
    assert sum(file.stat().st_size for file in folder.rglob("*")) < 14.5e6


def test_every_word_of_the_world_is_one_token() -> None:
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    for word in WORDS:
        assert len(clip(word).input_ids) == 3, word  # with start and end
        assert len(t5(word).input_ids) == 2, word  # with end
    sentence = "redo the Überwald; 3 dogs"
    decoded = clip.decode(clip(sentence).input_ids, skip_special_tokens=True)
    assert decoded.replace(" ", "") == sentence.lower().replace(" ", "")


def test_shipped_tokenizers_are_those_of_the_code(pipeline) -> None:  # type: ignore[no-untyped-def]
    sentence = "make the red heart bigger, please"
    assert pipeline.tokenizer(sentence).input_ids == clip_tokenizer()(sentence).input_ids
    assert pipeline.tokenizer_2(sentence).input_ids == t5_tokenizer()(sentence).input_ids


def test_autoencoder_keeps_a_picture(pipeline) -> None:  # type: ignore[no-untyped-def]
    from hotfolder.miniatures.world import Scene, Thing, paint

    pixels = np.asarray(paint(Scene("pink", (Thing("green", "tree"),)), 128, np.random.default_rng(0)).image)
    batch = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        decoded = pipeline.vae.decode(pipeline.vae.encode(batch).latent_dist.mean).sample
    assert (decoded - batch).abs().mean() * 127.5 < 1.5  # levels of 255


def test_paints_what_held_out_prompts_say(pipeline) -> None:  # type: ignore[no-untyped-def]
    prompts = heldout_prompts(30, SEED)
    shares = score(prompts, generate(pipeline, prompts))
    assert shares["ground+colour+shape"] >= 0.85, shares
    assert shares["place"] >= 0.9, shares


def test_keeps_two_objects_apart(pipeline) -> None:  # type: ignore[no-untyped-def]
    prompts = pair_prompts(20, SEED)
    shares = score(prompts, generate(pipeline, prompts))
    assert shares["colour+place"] >= 0.8, shares


def test_seeds_vary_the_picture_and_repeat_it(pipeline) -> None:  # type: ignore[no-untyped-def]
    one, same, other = (
        np.asarray(generate(pipeline, ["a small red star on a white background"], seed=seed)[0], dtype=int)
        for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()
