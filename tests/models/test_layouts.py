"""Tiny models in the file layout of the real repositories, as the hub's cache holds it, loaded by the real code."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from hotfolder.errors import NotYet
from hotfolder.models.entries import entries, weights_folder
from hotfolder.models.placement import Placement
from hotfolder.models.pool import ModelPool
from hotfolder.spec import JobSpec, Planned
from tests.service import tiny

CPU = Placement(device="cpu", precision="fp32", text_precision="fp32")
ENTRY = entries()[tiny.MODEL]


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the tiny pipeline as the real one is: transformer and T5 in several files each, with an index."""
    from diffusers import FluxTransformer2DModel
    from transformers import T5EncoderModel

    folder = tmp_path_factory.mktemp("repository") / "flux"
    shutil.copytree(tiny.weights(), folder)
    for part, made, shard in (
        ("transformer", FluxTransformer2DModel, "40KB"),
        ("text_encoder_2", T5EncoderModel, "20KB"),
    ):
        module = made.from_pretrained(folder / part, local_files_only=True)
        shutil.rmtree(folder / part)
        module.save_pretrained(folder / part, max_shard_size=shard)
    return folder


@pytest.fixture
def cached(sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put it into a cache as the hub's client does: files under the hash of their content, a snapshot of links."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert ENTRY.repo
    storage = tmp_path / "hub" / f"models--{ENTRY.repo.replace('/', '--')}"
    (storage / "blobs").mkdir(parents=True)
    for path in [path for path in sharded.rglob("*") if path.is_file()]:
        blob = storage / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copyfile(path, blob)
        link = storage / "snapshots" / ("a" * 40) / path.relative_to(sharded)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return storage / "snapshots" / ("a" * 40)


def picture(models: Path) -> np.ndarray:
    spec = JobSpec(kind="generate", width=32, height=32, steps=2)
    planned = Planned(seed=5, seed_locked=True, prompt="a fox in the snow")
    family = ModelPool(models).use(tiny.MODEL, CPU)
    return np.asarray(family.generate(planned, spec, lambda step, of: None)[0], dtype=int)


def test_it_is_cut_in_files_as_the_real_one_is(sharded: Path) -> None:
    for part, stem in (("transformer", "diffusion_pytorch_model"), ("text_encoder_2", "model")):
        index = json.loads((sharded / part / f"{stem}.safetensors.index.json").read_text())
        assert len(set(index["weight_map"].values())) > 1
    assert {path.name for path in sharded.iterdir()} == {
        "model_index.json", "scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer",
        "vae",
    }  # fmt: skip
    assert [pattern for pattern in ENTRY.files if not list(sharded.glob(pattern))] == []


def test_a_sharded_repository_in_the_cache_paints_as_the_whole_one_does(cached: Path, tmp_path: Path) -> None:
    assert weights_folder(ENTRY, tmp_path / "none") == cached
    here = tmp_path / "models"
    tiny.put_weights(here)
    assert np.abs(picture(tmp_path / "none") - picture(here)).max() <= 1


def test_a_shard_that_is_not_there_yet_is_named(cached: Path, tmp_path: Path) -> None:
    shard = sorted((cached / "transformer").glob("*-00002-of-*"))[0]
    shard.unlink()
    with pytest.raises(NotYet, match=f"transformer/{shard.name} is missing or cut short"):
        weights_folder(ENTRY, tmp_path / "none")


def test_files_of_older_libraries_give_the_same_embeddings(sharded: Path, tmp_path: Path) -> None:
    """The published CLIP has `text_model.` before each name, and its tokenizer is vocab.json and merges.txt; T5's
    embedding is in its file once."""
    from safetensors.torch import load_file, save_file
    from transformers import CLIPTokenizer

    old = tmp_path / "models" / "checkpoints" / tiny.MODEL
    shutil.copytree(sharded, old)
    weights = old / "text_encoder" / "model.safetensors"
    tensors = load_file(weights)
    assert not any(name.startswith("text_model.") for name in tensors)
    save_file({f"text_model.{name}": tensor for name, tensor in tensors.items()}, weights, {"format": "pt"})
    names = json.loads((old / "text_encoder_2" / "model.safetensors.index.json").read_text())["weight_map"]
    assert "shared.weight" in names and "encoder.embed_tokens.weight" not in names

    modern = CLIPTokenizer.from_pretrained(old / "tokenizer", local_files_only=True)
    content = json.loads((old / "tokenizer" / "tokenizer.json").read_text())["model"]
    (old / "tokenizer" / "tokenizer.json").unlink()
    (old / "tokenizer" / "vocab.json").write_text(json.dumps(content["vocab"]))
    (old / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    here = tmp_path / "now"
    tiny.put_weights(here)
    family = ModelPool(tmp_path / "models").use(tiny.MODEL, CPU)
    assert family.pipeline.tokenizer("a fox").input_ids == modern("a fox").input_ids
    assert np.abs(picture(tmp_path / "models") - picture(here)).max() <= 1


def test_a_picture_that_is_begun_with_leaves_the_parts_in_their_precision(tmp_path: Path) -> None:
    """diffusers' own way from one pipeline to another, `from_pipe`, would make float32 of them, for all that share."""
    import torch
    from PIL import Image

    tiny.put_weights(tmp_path)
    half = CPU.model_copy(update={"precision": "bf16", "text_precision": "bf16"})
    family = ModelPool(tmp_path).use(tiny.MODEL, half)
    spec = JobSpec(kind="generate", width=32, height=32, steps=2, strength=0.5)
    planned = Planned(seed=5, seed_locked=True, prompt="a fox")
    _, facts = family.generate(planned, spec, lambda step, of: None, Image.new("RGB", (32, 32), "red"))
    assert facts["strength"] == 0.5 and not facts["notes"], (
        "one that lies beside its job is begun with like a named one"
    )
    for part in ("transformer", "text_encoder", "text_encoder_2", "vae"):
        assert {one.dtype for one in getattr(family.pipeline, part).parameters()} == {torch.bfloat16}, part
