"""FLUX.1 Fill, tiny, in the file layout of the real repository: loaded and run by the real code, offline."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hotfolder.models.entries import entries, weights_folder
from hotfolder.models.placement import Placement
from hotfolder.models.pool import ModelPool
from hotfolder.spec import JobSpec, Planned
from tests.service import tiny

MODEL = "flux1-fill-dev"
HALF = Placement(device="cpu", precision="bf16", text_precision="bf16")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the tiny generator's parts with a transformer of Fill's wider input: 16 of noise, 16 of the picture with its
    hole, 256 of the mask."""
    from diffusers import FluxTransformer2DModel

    folder = tmp_path_factory.mktemp("models")
    place = folder / "checkpoints" / MODEL
    shutil.copytree(tiny.weights(), place)
    index = json.loads((place / "model_index.json").read_text())
    (place / "model_index.json").write_text(json.dumps({**index, "_class_name": "FluxFillPipeline"}))
    known = FluxTransformer2DModel.load_config(place / "transformer", local_files_only=True)
    torch.manual_seed(0)
    wider = {"in_channels": 288, "out_channels": 16, "guidance_embeds": True}
    FluxTransformer2DModel.from_config({**known, **wider}).save_pretrained(place / "transformer")
    return folder


def test_it_fills_a_hole_at_the_pictures_size(models: Path) -> None:
    assert weights_folder(entries()[MODEL], models) == models / "checkpoints" / MODEL
    family = ModelPool(models).use(MODEL, HALF)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8))
    mask = Image.new("L", image.size)
    mask.paste(255, (16, 8, 48, 24))
    told: list[tuple[int, int]] = []
    planned = Planned(seed=5, seed_locked=True, prompt="a fox in the snow")
    spec = JobSpec(kind="inpaint", steps=2, sampler="Heun")

    def filled(number: int) -> np.ndarray:
        made, facts = family.fill(
            image, mask, planned.model_copy(update={"seed": number}), spec, lambda step, of: told.append((step, of))
        )
        assert (made.mode, made.size) == ("RGB", image.size)
        assert (facts["steps"], facts["guidance"], facts["sampler"], facts["notes"]) == (2, 30.0, "Heun", ())
        return np.asarray(made)

    first = filled(5)
    assert told[-1] == (2, 2)
    assert (filled(5) == first).all() and (filled(6) != first).any()
    assert {one.dtype for one in family.pipeline.transformer.parameters()} == {torch.bfloat16}
