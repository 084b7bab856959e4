"""The miniatures' LoRA: what is trained and written, and how outlines are counted."""

from pathlib import Path

import pytest
from PIL import Image
from safetensors import safe_open

from hotfolder.miniatures import LORAS, path, train_lora
from hotfolder.miniatures.measure import SEED, generate, load
from hotfolder.miniatures.measure_lora import outlines
from hotfolder.miniatures.shapes import SHAPES
from hotfolder.miniatures.split import heldout_prompts
from hotfolder.miniatures.train_flux import new_transformer
from hotfolder.miniatures.world import COLOURS, Scene, Thing, paint
from hotfolder.models import loras


def test_attention_and_feed_forward_are_trained_and_written_as_diffusers_reads_them(tmp_path: Path) -> None:
    transformer = new_transformer()
    train_lora.add(transformer)
    assert all("lora" in name for name, value in transformer.named_parameters() if value.requires_grad)
    path = tmp_path / "outlines.safetensors"
    train_lora.save(transformer, path)
    with safe_open(path, "pt") as file:
        names, metadata = set(file.keys()), file.metadata()
    layers = {name.partition(".lora_")[0] for name in names}
    assert len(names) == 2 * len(layers) == 2 * (3 * 12 + 4 * 5), "12 layers of a double block, 5 of a single one"
    assert all(layer.startswith("transformer.") for layer in layers)
    assert metadata["ss_base_model_version"] == "flux1" and loras.base_model(path) == "FLUX.1"


def test_the_shipped_one_draws_outlines_and_leaves_no_trace() -> None:
    pipeline, prompts = load(path("flux1-schnell")), heldout_prompts(20, SEED)
    before = [image.tobytes() for image in generate(pipeline, prompts[:5])]
    pipeline.load_lora_weights(str(LORAS / "outlines.safetensors"), adapter_name="outlines", local_files_only=True)
    assert outlines(prompts, generate(pipeline, prompts))[0] >= 16
    pipeline.set_adapters("outlines", 0.0)
    assert outlines(prompts, generate(pipeline, prompts))[0] == 0
    pipeline.unload_lora_weights()
    assert [image.tobytes() for image in generate(pipeline, prompts[:5])] == before


@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_and_filled_shapes_are_told_apart_by_their_pixels(shape: str) -> None:
    scene = Scene("blue", (Thing("red", shape, "large"),))
    hollow = Scene("blue", (Thing("red", shape, "large", filled=False),))
    prompt = scene.describe()
    assert outlines([prompt], [paint(scene).image]) == (0, 1)
    assert outlines([prompt], [paint(hollow, stroke=train_lora.STROKE).image]) == (1, 0)
    assert outlines([prompt], [Image.new("RGB", (128, 128), COLOURS["blue"])]) == (0, 0), "there is nothing"
