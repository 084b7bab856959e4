"""Tiny CLIPSeg, DETR and OWLv2 in the file layout of their repositories, as the hub's cache holds it, loaded by the
real code."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hotfolder.errors import JobError, NotYet, RejectedInput
from hotfolder.models.entries import entries, weights_folder
from hotfolder.models.hashes import model_hash
from hotfolder.models.placement import Placement
from hotfolder.models.pool import ModelPool

CPU = Placement(device="cpu", precision="fp32", text_precision="fp32")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
        "vocab_size": len(VOCABULARY), "bos_token_id": len(VOCABULARY) - 2, "eos_token_id": len(VOCABULARY) - 1,
        "pad_token_id": 0}  # fmt: skip
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2,
          "patch_size": 16}  # fmt: skip


def made(name: str) -> Any:
    import torch
    from transformers import (
        CLIPSegConfig,
        CLIPSegForImageSegmentation,
        DetrConfig,
        DetrForObjectDetection,
        Owlv2Config,
        Owlv2ForObjectDetection,
        ResNetConfig,
    )

    torch.manual_seed(0)
    if name == "clipseg-rd64-refined":
        small = {"projection_dim": 32, "extract_layers": [0, 1, 2], "reduce_dim": 8, "decoder_num_attention_heads": 2}
        vision = {**VISION, "image_size": 32}  # less than is looked at, as in the real one
        return CLIPSegForImageSegmentation(
            CLIPSegConfig(
                text_config=TEXT, vision_config=vision, use_complex_transposed_convolution=True,
                decoder_intermediate_size=16, **small,
            )
        )  # fmt: skip
    if name == "owlv2-base-patch16-ensemble":
        text = {**TEXT, "max_position_embeddings": 16}
        return Owlv2ForObjectDetection(
            Owlv2Config(text_config=text, vision_config={**VISION, "image_size": 64}, projection_dim=32)
        )
    backbone = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage4"],
    )  # fmt: skip
    labels = {0: "N/A", 1: "cat", 2: "remote"}
    return DetrForObjectDetection(
        DetrConfig(
            backbone_config=backbone, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32,
            decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=6, id2label=labels,
            label2id={label: number for number, label in labels.items()},
        )
    )  # fmt: skip


SIZES: dict[str, dict[str, Any]] = {
    "clipseg-rd64-refined": {"image_processor_type": "ViTImageProcessor", "size": {"height": 64, "width": 64}},
    "detr-resnet-50": {"image_processor_type": "DetrImageProcessor",
                       "size": {"shortest_edge": 64, "longest_edge": 107}},
    "owlv2-base-patch16-ensemble": {"image_processor_type": "Owlv2ImageProcessor",
                                    "size": {"height": 64, "width": 64}},
}  # fmt: skip


@pytest.fixture(scope="module", params=SIZES)
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A model of random weights, its files as they were published: a tokenizer of vocab.json and merges.txt."""
    folder = tmp_path_factory.mktemp(request.param)
    made(request.param).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(SIZES[request.param]))
    if request.param != "detr-resnet-50":
        (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(VOCABULARY)}))
        (folder / "merges.txt").write_text("#version: 0.2\n")
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
        (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    return request.param, folder


def cache(name: str, folder: Path, hub: Path, monkeypatch: pytest.MonkeyPatch, branch: str | None = None) -> Path:
    """Put a repository into a cache as the hub's client does; returns the snapshot."""
    entry = entries()[name]
    assert entry.repo
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    storage = hub / f"models--{entry.repo.replace('/', '--')}"
    commit = ("a" if branch in (None, entry.revision) else "b") * 40
    shutil.copytree(folder, storage / "snapshots" / commit)
    (storage / "refs").mkdir(exist_ok=True)
    (storage / "refs" / (branch or entry.revision)).write_text(commit)
    return storage / "snapshots" / commit


def looked(name: str, models: Path) -> Any:
    family = ModelPool(models).use(name, CPU)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8))
    if name.startswith("clipseg"):
        return [one.tolist() for one in family.mask(picture, ["a cat", "fog"])]
    return family.detect(picture, ["a cat", "fog"] if name.startswith("owlv2") else [])


def test_it_is_loaded_from_the_cache_and_looks(
    repository: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = repository
    snapshot = cache(name, folder, tmp_path / "hub", monkeypatch)
    assert weights_folder(entries()[name], tmp_path) == snapshot
    found = looked(name, tmp_path)
    if name.startswith("clipseg"):
        values = np.array(found)
        assert values.shape == (2, 64, 64), "one map for each phrase, of the square that is looked at"
        assert 0 <= values.min() < values.max() <= 1
        assert np.abs(values[0] - values[1]).max() > 0, "the words count"
        return
    assert found and [score for _, score, _ in found] == sorted((score for _, score, _ in found), reverse=True)
    assert {label for label, *_ in found} <= ({"a cat", "fog"} if name.startswith("owlv2") else {"cat", "remote"})
    # DETR's boxes are fractions of the picture, OWLv2's of the square around it
    assert all(-90 <= value <= 180 for _, _, box in found for value in box)


def test_models_of_one_file_or_more_lack_it_by_name(
    repository: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = repository
    snapshot = cache(name, folder, tmp_path / "hub", monkeypatch)
    whole = (snapshot / "model.safetensors").read_bytes()
    (snapshot / "model.safetensors").write_bytes(whole[:-10])
    with pytest.raises(NotYet, match=r"model\.safetensors is missing or cut short"):
        weights_folder(entries()[name], tmp_path)
    (snapshot / "model.safetensors").write_bytes(whole)
    (snapshot / "preprocessor_config.json").unlink()
    with pytest.raises(NotYet, match=r"preprocessor_config\.json is missing"):
        weights_folder(entries()[name], tmp_path)


def test_a_pickle_is_opened_where_the_registry_says_so_and_runs_nothing(
    repository: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLIPSeg was published so alone; OWLv2 was not."""
    import torch
    from safetensors.torch import load_file

    name, folder = repository
    snapshot = cache(name, folder, tmp_path / "hub", monkeypatch)
    expected = looked(name, tmp_path)
    tensors = load_file(snapshot / "model.safetensors")
    (snapshot / "model.safetensors").unlink()
    torch.save(tensors, snapshot / "pytorch_model.bin")
    if name.startswith("owlv2"):
        with pytest.raises(NotYet, match="safetensors is missing"):
            weights_folder(entries()[name], tmp_path)
        return
    assert looked(name, tmp_path) == expected
    assert model_hash(snapshot), "it has a name"
    whole = (snapshot / "pytorch_model.bin").read_bytes()
    (snapshot / "pytorch_model.bin").write_bytes(whole[:-100])
    with pytest.raises(NotYet, match=r"pytorch_model\.bin is missing or cut short"):
        weights_folder(entries()[name], tmp_path)
    torch.save({"evil": _Evil(tmp_path / "ran")}, snapshot / "pytorch_model.bin", pickle_module=pickle)
    with pytest.raises(JobError, match="cannot be loaded"):
        looked(name, tmp_path)
    assert not (tmp_path / "ran").exists()


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_another_branch_of_a_repository_is_not_taken_for_the_one_wanted(
    repository: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DETR's main branch has a backbone that only timm can build."""
    name, folder = repository
    if name != "detr-resnet-50":
        return
    cache(name, folder, tmp_path / "hub", monkeypatch, branch="main")
    with pytest.raises(NotYet, match="not on this machine"):
        weights_folder(entries()[name], tmp_path)
    wanted = cache(name, folder, tmp_path / "hub", monkeypatch)
    assert weights_folder(entries()[name], tmp_path) == wanted


def test_words_that_a_model_cannot_look_for_are_refused(
    repository: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = repository
    if name.startswith("clipseg"):
        return
    cache(name, folder, tmp_path / "hub", monkeypatch)
    family = ModelPool(tmp_path).use(name, CPU)
    said = "knows 2 labels, and `cats` is none of them; did you mean `cat`" if "detr" in name else "looks for words"
    with pytest.raises(RejectedInput, match=said):
        family.detect(Image.new("L", (30, 20)), ["cats"] if "detr" in name else [])


def test_numbers_of_detrs_that_have_no_label_find_nothing(
    repository: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = repository
    if name != "detr-resnet-50":
        return
    cache(name, folder, tmp_path / "hub", monkeypatch)
    family = ModelPool(tmp_path).use(name, CPU)
    picture = Image.new("RGB", (40, 30), "red")
    assert family.detect(picture, [])
    family.model.class_labels_classifier.bias.data[0] += 1000  # it is sure of `N/A`, wherever it looks
    assert family.detect(picture, []) == []
    with pytest.raises(RejectedInput, match="knows 2 labels, and `N/A` is none of them"):
        family.detect(picture, ["N/A"])


def test_owlv2_sees_a_picture_at_the_top_left_of_a_black_square(
    repository: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Squashed into it, as CLIPSeg sees one, things would have other proportions than in its training."""
    name, folder = repository
    if not name.startswith("owlv2"):
        return
    cache(name, folder, tmp_path / "hub", monkeypatch)
    family = ModelPool(tmp_path).use(name, CPU)
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8))
    square = Image.new("RGB", (64, 64))
    square.paste(wide)
    found = family.detect(wide, ["a cat", "fog " * 40])
    assert found and found == family.detect(square, ["a cat", "fog " * 40]), "more words than it reads are cut off"


def test_what_is_transparent_counts_as_white(
    repository: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = repository
    cache(name, folder, tmp_path / "hub", monkeypatch)
    family = ModelPool(tmp_path).use(name, CPU)
    clear, white = Image.new("RGBA", (40, 30), (255, 0, 0, 0)), Image.new("RGB", (40, 30), "white")
    if name.startswith("clipseg"):
        (one,), (other,) = (family.mask(picture, ["fog"]) for picture in (clear, white))
        assert (one == other).all()
    else:
        words = ["fog"] if name.startswith("owlv2") else []
        assert family.detect(clear, words) == family.detect(white, words)
