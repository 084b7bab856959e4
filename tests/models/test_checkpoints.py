"""FLUX.1 from one file: what it is told from its header, what it borrows, and that its weights are the same."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hotfolder import worker
from hotfolder.errors import JobError, NotYet
from hotfolder.models import checkpoints, inventory, load, parts, quantized, sources
from hotfolder.models.entries import entries, home_of, known, weights_folder
from hotfolder.models.families.flux1 import Flux1
from hotfolder.models.placement import Placement
from hotfolder.models.pool import ModelPool
from hotfolder.spec import JobSpec, LoraUse
from tests.models import lorafiles, singlefile
from tests.models.singlefile import GUIDANCE, SHAPES, put_header
from tests.service import tiny

HALF = Placement(device="cpu", precision="bf16", text_precision="bf16")
DEV = SHAPES | GUIDANCE


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "models" / "checkpoints").mkdir(parents=True)
    return tmp_path / "models"


def put(models: Path, name: str, **given: Any) -> Path:
    return put_header(models / "checkpoints" / name, given.pop("shapes", DEV), **given)


def why(models: Path, name: str) -> str:
    with pytest.raises(NotYet) as raised:
        weights_folder(known(models)[name], models)
    return str(raised.value)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F8_E4M3"])
def test_schnell_and_dev_are_told_apart_by_the_guidance(models: Path, prefix: str, dtype: str) -> None:
    one = put(models, "one.safetensors", shapes=DEV, prefix=prefix, dtype=dtype)
    two = put(models, "two.safetensors", shapes=SHAPES, prefix=prefix, dtype=dtype)
    assert (checkpoints.base_of(one), checkpoints.base_of(two)) == (("flux1-dev", ""), ("flux1-schnell", ""))


@pytest.mark.parametrize(
    ("name", "shapes", "says"),
    [
        ("fill", DEV | {"img_in.weight": [3072, 384]}, "is FLUX.1 Fill in one file, which cannot be read yet"),
        ("depth", DEV | {"img_in.weight": [3072, 128]}, "made to generate by edges or depth"),
        ("my-kontext", DEV, "is FLUX.1 Kontext by its name"),
        ("small", DEV | {"img_in.weight": [32, 64]}, "is no FLUX.1 of the known size: its layers are 32 wide"),
        ("scaled", DEV | {"scaled_fp8": [2]}, "is FLUX.1 quantised in a way that cannot be read"),
        ("xl", {"conditioner.embedders.1.model.ln_final.bias": [8]}, "is a checkpoint of Stable Diffusion XL, which"),
        ("unet", {"model.diffusion_model.label_emb.0.0.bias": [8]}, "Stable Diffusion XL"),
        ("sd15", {"model.diffusion_model.input_blocks.0.0.weight": [8]}, "Stable Diffusion 1 or 2"),
        ("sd3", {"model.diffusion_model.joint_blocks.0.x_block.mlp.fc1.bias": [8]}, "Stable Diffusion 3"),
        ("flux2", DEV | {"single_stream_modulation.lin.weight": [8]}, "FLUX.2"),
        ("chroma", DEV | {"distilled_guidance_layer.in_proj.bias": [8]}, "Chroma"),
        ("style", {"lora_unet_double_blocks_0_img_attn_proj.lora_down.weight": [4, 8]}, "models/loras/"),
        ("inner", {"single_transformer_blocks.0.norm.linear.bias": [8]}, "the transformer of a diffusers folder"),
        ("t5", {"encoder.block.0.layer.0.SelfAttention.q.weight": [8, 8]}, "is a text encoder alone"),
        ("vae", {"decoder.conv_in.weight": [8, 8, 3, 3]}, "is a VAE alone"),
        ("what", {"something.weight": [8]}, "is a checkpoint of a family that this version does not know"),
        ("odd", DEV | {"img_in.weight": [3072]}, "has a header that says nothing of its weights"),
    ],
)
def test_another_checkpoint_waits_and_says_what_it_is(
    models: Path, name: str, shapes: dict[str, list[int]], says: str
) -> None:
    put(models, f"{name}.safetensors", shapes=shapes)
    told = why(models, name)
    assert told.startswith(f"models/checkpoints/{name}.safetensors ")
    assert says in told


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "is a web page, no weights"),
        (pickle.dumps({"weights": 1}), "is a pickle by another name"),
        (b"PK\x03\x04archive/data.pkl", "is a pickle by another name"),
        (b"version https://git-lfs.github.com/spec/v1\n", "only points to the weights"),
        (b"", "is cut short or holds no weights at all"),
        (bytes(range(256)), "is cut short or holds no weights at all"),
    ],
)
@pytest.mark.parametrize("name", ["flux1-dev", "mine"])
def test_what_holds_no_weights_waits_and_is_named(models: Path, name: str, content: bytes, says: str) -> None:
    (models / "checkpoints" / f"{name}.safetensors").write_bytes(content)
    told = why(models, name)
    assert told.startswith(f"models/checkpoints/{name}.safetensors {says}")


def test_one_that_is_still_being_copied_waits(models: Path) -> None:
    path = put(models, "flux1-dev.safetensors")
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 1)
    assert "models/checkpoints/flux1-dev.safetensors is cut short" in why(models, "flux1-dev")


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".bin"])
@pytest.mark.parametrize("name", ["flux1-dev", "mine"])
def test_a_pickle_is_never_opened(models: Path, name: str, suffix: str) -> None:
    (models / "checkpoints" / f"{name}{suffix}").write_bytes(pickle.dumps(1))
    told = why(models, name)
    assert f"models/checkpoints/{name}{suffix} is a pickle, which could run any program" in told
    assert f"waits for {name}.safetensors" in told
    put(models, f"{name}.safetensors")
    assert "pickle" not in why(models, name)


def test_a_web_page_within_a_folder_is_named(models: Path) -> None:
    folder = tiny.put_weights(models)
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(b"<html>")
    told = why(models, tiny.MODEL)
    assert f"vae/{path.name} is a web page" in told


def test_a_file_under_the_name_of_another_model_waits(models: Path) -> None:
    put(models, "flux1-dev.safetensors", shapes=SHAPES)
    assert "holds the weights of flux1-schnell by its layers, not of flux1-dev" in why(models, "flux1-dev")


def test_what_a_file_lacks_is_named_with_its_size(models: Path) -> None:
    put(models, "mine.safetensors")
    told = why(models, "mine")
    for words in (
        "holds the transformer alone", "lacks text_encoder, text_encoder_2, vae, tokenizer, tokenizer_2 (9.9 GB): put",
        "models/checkpoints/flux1-dev/", "(33.7 GB): hotfolder models pull flux1-dev",
    ):  # fmt: skip
        assert words in told
    folder = tiny.put_weights(models)
    assert weights_folder(known(models)["mine"], models).name == "mine.safetensors"
    for path in (folder / "vae").iterdir():
        path.unlink()
    assert "holds the transformer alone and lacks vae (0.2 GB): put" in why(models, "mine")
    save_file({"decoder.conv_in.weight": torch.zeros(1)}, models / "checkpoints" / "ae.safetensors")
    assert weights_folder(known(models)["mine"], models).name == "mine.safetensors"
    assert home_of(known(models)["mine"], "vae", models) == models / "checkpoints" / "ae.safetensors"


def test_own_checkpoints_are_listed_as_the_model_they_were_made_from(models: Path) -> None:
    tiny.put_weights(models)
    put(models, "mine.safetensors")
    put(models, "quick.safetensors", shapes=SHAPES)
    put(models, "flux1-dev.safetensors")
    put(models, ".hidden.safetensors")
    (models / "checkpoints" / "notes.txt").write_text("x")
    rows = {row.name: row for row in inventory.take_stock(models)}
    assert {*rows} - {*entries()} == {"mine", "quick"}
    assert (rows["mine"].kinds, rows["mine"].commercial, rows["quick"].commercial) == (("generate",), False, True)
    assert rows["mine"].path == str(models / "checkpoints" / "mine.safetensors")
    assert rows["mine"].vram["nf4"] == rows["flux1-dev"].vram["nf4"]
    mine, quick = known(models)["mine"], known(models)["quick"]
    assert (mine.defaults.steps, quick.defaults.steps, mine.repo) == (28, 4, None)
    assert weights_folder(entries()["flux1-dev"], models) == models / "checkpoints" / "flux1-dev.safetensors"


def test_a_file_in_the_root_of_the_hubs_snapshot_serves(models: Path, tmp_path: Path) -> None:
    tiny.put_weights(models)
    snapshot = tmp_path / "hub" / "models--black-forest-labs--FLUX.1-dev" / "snapshots" / ("a" * 40)
    blob = put_header(snapshot.parents[1] / "blobs" / ("b" * 64), DEV)
    snapshot.mkdir(parents=True)
    path = snapshot / "flux1-dev.safetensors"
    path.symlink_to(blob)
    entry = entries()["flux1-dev"]
    assert weights_folder(entry, models) == path
    source = sources.find(entry, "transformer", path, models)
    assert (source.files[0].path, source.is_original) == (blob, True)


def test_loras_of_a_job_reach_a_checkpoint_of_ones_own(models: Path) -> None:
    tiny.put_weights(models)
    put(models, "mine.safetensors")
    (models / "loras").mkdir()
    lorafiles.write(models / "loras" / "style.safetensors", lorafiles.as_diffusers(*lorafiles.matrices()))
    spec = JobSpec(kind="generate", model="mine", loras=(LoraUse(name="style"),))
    order = worker.Order(1, spec, (), "mine", None, models, 1)
    assert [lora.name for lora in worker._loras(order, models)] == ["style"]


def one_block(name: str, config: dict[str, Any]) -> None:
    """Leave of FLUX.1's transformers one double and one single block, at full width."""
    if name.endswith("transformer"):
        config |= {"num_layers": 1, "num_single_layers": 1}


@pytest.fixture(scope="module")
def full_width(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, torch.Tensor]]]:
    """Write a file of one double and one single block of [dev], 1 GB; each row of each weight has its own number."""
    from diffusers import FluxTransformer2DModel

    config = json.loads((parts.CONFIGS / "flux1-dev-transformer" / "config.json").read_text())
    one_block("transformer", config)
    with torch.device("meta"):
        shapes = FluxTransformer2DModel.from_config(config).state_dict()
    tensors = {}
    for number, (name, empty) in enumerate(shapes.items()):
        rows = (torch.arange(empty.shape[0]) * 7 + number) % 256  # all of which bf16 holds exactly
        rows = rows.to(torch.bfloat16)
        tensors[name] = (rows[:, None].expand(empty.shape) if empty.ndim == 2 else rows).contiguous()
    path = tmp_path_factory.mktemp("single") / "mine.safetensors"
    save_file({f"{checkpoints.PREFIX}{name}": one for name, one in singlefile.of_transformer(tensors).items()}, path)
    yield path, tensors
    path.unlink()


def test_the_weights_of_a_file_are_those_of_the_folder(
    full_width: tuple[Path, dict[str, torch.Tensor]], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FLUX.1's conversion has its full width fixed in it: one block of each kind, loaded as a job does it."""
    path, expected = full_width
    tiny.put_weights(models)
    (models / "checkpoints" / path.name).symlink_to(path)
    singlefile.configure(models / "configs", one_block)
    monkeypatch.setattr(sources, "CONFIGS", models / "configs")
    monkeypatch.setattr(load, "own", lambda module: None)
    monkeypatch.setattr("socket.socket.connect", None)
    pipeline = ModelPool(models).use("mine", HALF).pipeline
    found = pipeline.transformer.state_dict()
    assert {*found} == {*expected}
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert (pipeline.transformer.config.guidance_embeds, pipeline.transformer.training) == (True, False)
    assert (pipeline.scheduler.config.shift, pipeline.scheduler.config.use_dynamic_shifting) == (3.0, True)
    assert type(pipeline.text_encoder_2).__name__ == "T5EncoderModel"


def test_a_file_that_does_not_fit_is_named(full_width: tuple[Path, dict[str, torch.Tensor]], models: Path) -> None:
    """Shorter than the configuration, so that blocks are missing; nothing of it is left to chance."""
    tiny.put_weights(models)
    (models / "checkpoints" / "mine.safetensors").symlink_to(full_width[0])
    with pytest.raises(JobError, match=r"the weights of mine in .*mine.safetensors cannot be loaded .*does not fit"):
        ModelPool(models).use("mine", HALF)


def test_wrong_shapes_fail_with_the_names_of_file_and_tensor(models: Path) -> None:
    folder = tiny.put_weights(models)
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    name = "context_embedder.weight"
    save_file(tensors | {name: tensors[name][:, :-1].contiguous()}, path, {"format": "pt"})
    with pytest.raises(JobError, match=rf"the weights of flux1-schnell in .* cannot be loaded .*{name}"):
        ModelPool(models).use(tiny.MODEL, HALF)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float8_e4m3fn])
def test_the_vae_of_one_file_is_that_of_the_folder(models: Path, dtype: torch.dtype) -> None:
    folder = tiny.put_weights(models)
    expected = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    content = json.loads((folder / "vae" / "config.json").read_text())
    singlefile.configure(models / "configs", lambda name, own: own.update(content) if name == "flux1-vae" else None)
    path = models / "blobs" / ("a" * 64)  # as the hub's cache names it
    path.parent.mkdir()
    save_file({name: one.to(dtype).contiguous() for name, one in singlefile.of_vae(expected).items()}, path)
    source = sources.Source(models / "configs" / "flux1-vae", (sources.file_of(path),), is_original=True)
    found = load.load(Flux1.PARTS["vae"], source, "fp32", "cpu", models).state_dict()
    assert {*found} == {*expected}
    assert all(torch.equal(found[name], one.to(dtype).float()) for name, one in expected.items())


def test_copies_in_nf4_go_when_their_source_is_gone(models: Path) -> None:
    folder = tiny.put_weights(models)
    for part in ("transformer", "text_encoder_2"):
        path = quantized.file_of(Flux1.PARTS[part], sources.part_of(folder, part), models)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"copy")
    begun = path.with_name(f"{path.name}.part")
    begun.write_bytes(b"half a copy")
    assert quantized.orphans(models) == [begun]
    tensors = load_file(folder / "text_encoder_2" / "model.safetensors")
    save_file(tensors, folder / "text_encoder_2" / "model.safetensors", {"format": "pt"})
    assert quantized.orphans(models) == [path, begun]
