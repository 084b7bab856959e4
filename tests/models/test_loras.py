"""LoRAs: found by name, told apart by their headers, loaded whole or not at all, and gone without a trace."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline
from torch import Tensor

from hotfolder.errors import NotYet, RejectedInput
from hotfolder.models import loras
from hotfolder.models.adapters import Adapters
from hotfolder.models.entries import ModelEntry, entries
from hotfolder.models.loras import Lora
from hotfolder.spec import LoraUse
from tests.models.lorafiles import DIM, RANK, as_diffusers, as_kohya, as_xlabs, matrices, write
from tests.service import tiny

SCHNELL = entries()["flux1-schnell"]


@pytest.fixture
def pipeline() -> Any:
    made = FluxPipeline.from_pretrained(tiny.weights(), local_files_only=True, dtype=torch.float32)
    made.set_progress_bar_config(disable=True)
    return made


def pixels(pipeline: Any) -> np.ndarray:
    image = pipeline(
        "x", width=32, height=32, num_inference_steps=1, guidance_scale=0.0, max_sequence_length=8, output_type="np",
        generator=torch.Generator().manual_seed(1),
    ).images[0]  # fmt: skip
    return np.asarray(image)


# -- from a name to a file -------------------------------------------------------------------------------------------


def locate(models: Path, name: str, entry: ModelEntry = SCHNELL) -> Lora:
    return loras.locate(LoraUse(name=name, weight=0.5), models, entry)


def test_a_lora_is_found_by_its_stem_its_folder_and_in_any_case(tmp_path: Path) -> None:
    path = write(tmp_path / "loras" / "styles" / "Tarot.safetensors", as_diffusers(*matrices()))
    for name in ("Tarot", "tarot", "styles/tarot", "styles\\Tarot", "tarot.safetensors"):
        found = locate(tmp_path, name)
        assert (found.path, found.weight, found.name) == (path, 0.5, name)
    assert len(found.hash) == 10


def test_one_that_is_named_twice_acts_once_with_both_weights(tmp_path: Path) -> None:
    paths = [write(tmp_path / "loras" / f"{name}.safetensors", as_diffusers(*matrices())) for name in ("ink", "chalk")]
    uses = [LoraUse(name=name, weight=weight) for name, weight in (("ink", 0.1), ("chalk", 1), ("Ink", 0.2))]
    found = loras.chosen(uses, tmp_path, SCHNELL)
    assert [(lora.name, lora.weight, lora.path) for lora in found] == [("ink", 0.3, paths[0]), ("chalk", 1, paths[1])]


def test_one_may_be_named_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path / "loras" / "styles" / "ink.safetensors", as_diffusers(*matrices()))
    for name in ("models/loras/styles/ink.safetensors", str(path)):
        assert locate(tmp_path, name).path == path
    with pytest.raises(NotYet, match=r"`no`: put it into models/loras/ as no\.safetensors"):
        locate(tmp_path, "models/loras/no.safetensors")


def test_one_that_is_not_there_is_waited_for_with_a_hint(tmp_path: Path) -> None:
    write(tmp_path / "loras" / "tarot.safetensors", as_diffusers(*matrices()))
    with pytest.raises(NotYet, match=r"`tarto`: put it into models/loras/ as tarto.safetensors; did you mean `tarot`"):
        locate(tmp_path, "tarto")
    with pytest.raises(NotYet):
        locate(tmp_path, "../../etc/passwd")


def test_a_published_lora_that_is_not_here_names_itself_to_be_fetched(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(NotYet, match="hyper-flux1-dev-8steps"):
        locate(tmp_path, "hyper-flux1-dev-8steps", entries()["flux1-dev"])


def test_of_a_repository_with_several_loras_the_one_that_is_meant_is_taken(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub" / "models--ByteDance--Hyper-SD" / "snapshots" / "main"
    for name in ("Hyper-FLUX.1-dev-16steps-lora", "Hyper-FLUX.1-dev-8steps-lora"):
        write(snapshot / f"{name}.safetensors", as_diffusers(*matrices()))
    found = locate(tmp_path, "hyper-flux1-dev-8steps", entries()["flux1-dev"])
    assert found.path.name == "Hyper-FLUX.1-dev-8steps-lora.safetensors"


# -- what it is for ---------------------------------------------------------------------------------------------------

OTHERS = {
    "Stable Diffusion XL": {"lora_unet_input_blocks_4_1_attn2_to_k.lora_down.weight": (4, 2048)},
    "Stable Diffusion 1.5": {"lora_unet_down_blocks_0_attn2_to_k.lora_down.weight": (4, 768)},
    "Stable Diffusion 3": {"transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight": (4, 1536)},
    "Qwen-Image": {"transformer.transformer_blocks.0.img_mlp.net.0.proj.lora_A.weight": (4, 3072)},
    "FLUX.2": {"transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight": (4, 3072)},
    "Z-Image": {"diffusion_model.layers.0.attention.to_q.lora_A.weight": (4, 3840)},
    "Chroma": {"lora_unet_distilled_guidance_layer_layers_0_in_layer.lora_down.weight": (4, 5120)},
    "HiDream": {"diffusion_model.double_stream_blocks.0.block.ff_i.w1.lora_A.weight": (4, 2560)},
}


@pytest.mark.parametrize("made_for", OTHERS)
def test_a_lora_of_another_family_is_refused_by_its_layers(tmp_path: Path, made_for: str) -> None:
    state = {name: torch.zeros(shape) for name, shape in OTHERS[made_for].items()}
    write(tmp_path / "loras" / "x.safetensors", state)
    with pytest.raises(RejectedInput, match=f"`x` is for {made_for} and does not fit flux1-schnell"):
        locate(tmp_path, "x")


def test_what_its_trainer_wrote_counts_before_its_layers(tmp_path: Path) -> None:
    state = as_diffusers(*matrices())
    write(tmp_path / "loras" / "x.safetensors", state, ss_base_model_version="sdxl_base_v1-0",
          modelspec__architecture="flux-1-dev/lora")  # fmt: skip
    with pytest.raises(RejectedInput, match="for Stable Diffusion XL"):
        locate(tmp_path, "x")
    write(tmp_path / "loras" / "y.safetensors", state, modelspec__architecture="Flux.1-dev/lora")
    assert locate(tmp_path, "y").name == "y"


def test_flux_loras_of_every_program_are_taken(tmp_path: Path) -> None:
    real = {"lora_unet_single_blocks_0_linear1.lora_down.weight": torch.zeros(4, 3072)}
    half = {"transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight": torch.zeros(4, 3072)}
    for number, state in enumerate([real, half, as_kohya(*matrices()), as_xlabs(*matrices())]):
        assert loras.base_model(write(tmp_path / f"{number}.safetensors", state)) == "FLUX.1"


def broken() -> dict[str, tuple[bytes, str]]:
    header = json.dumps({"a.lora_A.weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + bytes(8)
    return {
        "empty": (b"", "holds no weights at all"),
        "cut": (whole[:-3], "is cut short: "),
        "page": (b"<!DOCTYPE html><html>Log in</html>", "is a web page"),
        "pickle": (b"\x80\x02}q\x00.", "is a pickle by another name"),
        "zip": (b"PK\x03\x04archive/data.pkl", "is a pickle by another name"),
        "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "only points to the weights"),
        "list": ((2).to_bytes(8, "little") + b"[]", "holds no weights at all"),
        "huge": ((2**63).to_bytes(8, "little") + b"{}", "is cut short: "),
    }


@pytest.mark.parametrize("what", broken())
def test_what_is_no_lora_is_refused_with_a_sentence(tmp_path: Path, what: str) -> None:
    data, says = broken()[what]
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "x.safetensors").write_bytes(data)
    with pytest.raises(RejectedInput, match=says):
        locate(tmp_path, "x")


def test_a_checkpoint_and_a_lycoris_are_no_lora(tmp_path: Path) -> None:
    write(tmp_path / "loras" / "full.safetensors", {"double_blocks.0.img_attn.qkv.weight": torch.zeros(2, 2)})
    write(tmp_path / "loras" / "lokr.safetensors", {"lycoris_x.lokr_w1": torch.zeros(2, 2)})
    with pytest.raises(RejectedInput, match="is no LoRA"):
        locate(tmp_path, "full")
    with pytest.raises(RejectedInput, match="LyCORIS"):
        locate(tmp_path, "lokr")


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "x.pt").write_bytes(b"\x80\x02.")
    with pytest.raises(RejectedInput, match=r"x\.pt is in a format that can run programs"):
        locate(tmp_path, "x")


# -- in a pipeline ----------------------------------------------------------------------------------------------------


def test_every_format_has_the_same_effect(tmp_path: Path, pipeline: Any) -> None:
    plain, made = pixels(pipeline), {}
    adapters = Adapters(pipeline, "tiny")
    for form in (as_diffusers, as_kohya, as_xlabs):
        path = write(tmp_path / f"{form.__name__}.safetensors", form(*matrices()))
        with adapters.active([Lora("x", 1.0, path)]):
            made[form.__name__] = pixels(pipeline)
    assert np.abs(made["as_diffusers"] - plain).max() > 0.01
    for form in ("as_kohya", "as_xlabs"):
        np.testing.assert_allclose(made[form], made["as_diffusers"], atol=1e-5)


def test_several_act_at_once_by_their_weights(tmp_path: Path, pipeline: Any) -> None:
    one, other = (write(tmp_path / f"{n}.safetensors", as_diffusers(*matrices(n))) for n in (1, 2))
    adapters, made = Adapters(pipeline, "tiny"), []
    for weights in ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.0, 0.0), (-1.0, 0.0)):
        with adapters.active([Lora("one", weights[0], one), Lora("other", weights[1], other)]):
            made.append(pixels(pipeline))
    assert np.array_equal(made[3], pixels(pipeline)), "weight 0 is as without"
    assert len({image.tobytes() for image in made}) == len(made)
    assert len(pipeline.get_list_adapters()["transformer"]) == 2, "both are loaded once, and stay"
    with adapters.active([Lora("one", 1.0, one)]):
        assert np.array_equal(pixels(pipeline), made[0]), "one that is loaded acts only where it is asked for"


def test_between_and_after_jobs_pixels_are_bit_by_bit_those_before(tmp_path: Path, pipeline: Any) -> None:
    before = pixels(pipeline)
    one, other = (write(tmp_path / f"{n}.safetensors", as_diffusers(*matrices(n))) for n in (1, 2))
    adapters = Adapters(pipeline, "tiny")
    with adapters.active([Lora("one", 1.0, one)]):
        assert not np.array_equal(pixels(pipeline), before)
    assert np.array_equal(pixels(pipeline), before)
    with adapters.active([Lora("other", 1.0, other)]):
        assert len(pipeline.get_list_adapters()["transformer"]) == 1, "the one that is not wanted made room"
    assert np.array_equal(pixels(pipeline), before)
    later = FluxPipeline(**pipeline.components)
    later.set_progress_bar_config(disable=True)
    Adapters(later, "tiny")
    assert not later.get_list_adapters(), "a later pipeline over the same parts begins without"
    assert np.array_equal(pixels(later), before)


def test_a_file_that_is_replaced_is_loaded_anew(tmp_path: Path, pipeline: Any) -> None:
    adapters, made = Adapters(pipeline, "tiny"), []
    for seed in (1, 2):
        path = write(tmp_path / "x.safetensors", as_diffusers(*matrices(seed)))
        with adapters.active([Lora("x", 1.0, path)]):
            made.append(pixels(pipeline))
    assert not np.array_equal(made[0], made[1])


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (as_diffusers(*matrices(), prefix=""), "0 of its 3 layers are in that model"),
        (as_diffusers(*matrices(), prefix="transformer.transformer_blocks.7.x."), "0 of its|Target modules"),
        (as_diffusers(*matrices()) | {"transformer.other.lora_A.weight": torch.zeros(RANK, DIM),
                                      "transformer.other.lora_B.weight": torch.zeros(DIM, RANK)}, "3 of its 4 layers"),
        (as_diffusers(torch.zeros(RANK, 64), torch.zeros(192, RANK)), "does not fit tiny"),
    ],
    ids=["no prefix", "no such layers", "some layers", "other widths"],
)  # fmt: skip
def test_one_that_loads_nothing_or_not_all_is_an_error(
    tmp_path: Path, pipeline: Any, state: dict[str, Tensor], says: str
) -> None:
    before = pixels(pipeline)
    path = write(tmp_path / "x.safetensors", state)
    adapters = Adapters(pipeline, "tiny")
    with pytest.raises(RejectedInput, match=says), adapters.active([Lora("x", 1.0, path)]):
        pass
    assert np.array_equal(pixels(pipeline), before)
    good = write(tmp_path / "good.safetensors", as_diffusers(*matrices()))
    with adapters.active([Lora("good", 1.0, good)]):
        assert not np.array_equal(pixels(pipeline), before), "the next job has its LoRA"
