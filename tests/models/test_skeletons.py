"""The real models at full size, without their weights: built on the meta device from the shipped configurations.

Counts and names are those of the published files: parameters from their sizes, names from their indexes.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hotfolder.models.entries import entries
from hotfolder.models.parts import CONFIGS, Part, parts

BLOCK = [
    *(f"{norm}.linear" for norm in ("norm1", "norm1_context")), "attn.norm_q.weight", "attn.norm_k.weight",
    "attn.norm_added_q.weight", "attn.norm_added_k.weight",
    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj")),
    "attn.to_add_out", *(f"{ff}.net.{name}" for ff in ("ff", "ff_context") for name in ("0.proj", "2")),
]  # fmt: skip
SINGLE = [
    "norm.linear", "proj_mlp", "proj_out", "attn.norm_q.weight", "attn.norm_k.weight", "attn.to_q", "attn.to_k",
    "attn.to_v",
]  # fmt: skip
AROUND = ["context_embedder", "x_embedder", "norm_out.linear", "proj_out"]
T5_LAYER = [
    *(f"0.SelfAttention.{name}" for name in "qkvo"), "0.layer_norm",
    *(f"1.DenseReluDense.{name}" for name in ("wi_0", "wi_1", "wo")), "1.layer_norm",
]  # fmt: skip


def both(names: list[str]) -> Iterator[str]:
    """Yield weight and bias of each layer; a name that says which of them it is stands for itself."""
    for name in names:
        yield from [name] if name.endswith((".weight", ".bias")) else [f"{name}.weight", f"{name}.bias"]


def flux_names(has_guidance: bool) -> set[str]:
    """Return the names of FLUX.1's tensors in the diffusers layout."""
    found = set(both(AROUND))
    for embedder in ("timestep", "text", *(["guidance"] if has_guidance else [])):
        found |= set(both([f"time_text_embed.{embedder}_embedder.linear_{n}" for n in (1, 2)]))
    found |= {f"transformer_blocks.{n}.{name}" for n in range(19) for name in both(BLOCK)}
    found |= {f"single_transformer_blocks.{n}.{name}" for n in range(38) for name in both(SINGLE)}
    return found


def t5_names() -> set[str]:
    """Return the names of T5-XXL's tensors; the file has the embedding once."""
    found = {f"encoder.block.{n}.layer.{name}.weight" for n in range(24) for name in T5_LAYER}
    bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    return found | {"shared.weight", "encoder.final_layer_norm.weight", bias}


def built(part: Part) -> Any:
    """Return the architecture at full size, all of it on the meta device."""
    import diffusers
    import torch
    import transformers

    config = json.loads((part.folder / "config.json").read_text())
    with torch.device("meta"):
        if part.name == "realesrgan-x4plus":
            from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

            return RRDBNet(**{name: value for name, value in config.items() if not name.startswith("_")})
        if name := config.get("_class_name"):
            return getattr(diffusers, name).from_config(config)
        cls = getattr(transformers, config["architectures"][0])
        return cls(cls.config_class.from_pretrained(part.folder, local_files_only=True))


@pytest.fixture(scope="module")
def skeletons() -> dict[str, Any]:
    return {name: built(part) for name, part in parts().items()}


@pytest.mark.parametrize(
    ("name", "params", "tensors"),
    [
        ("flux1-schnell-transformer", 11_891_178_560, 1156),
        ("flux1-dev-transformer", 11_901_408_320, 1160),
        ("flux1-fill-transformer", 11_902_391_360, 1160),
        ("t5-xxl", 4_762_310_656, 219),
        ("clip-l", 123_060_480, 196),
        ("flux1-vae", 83_819_683, 244),
        ("qwen-image-transformer", 20_430_401_088, 1933),
        ("qwen-image-vae", 126_892_531, 194),
        ("qwen2.5-vl-7b", 8_292_166_656, 729),
        ("realesrgan-x4plus", 16_697_987, 702),
        ("blip-large", 446_290_492, 615),
        ("blip2-opt-2.7b", 3_744_761_856, 1247),
        ("qwen2.5-1.5b-instruct", 1_543_714_304, 338),
        ("clipseg-rd64-refined", 150_747_746, 462),
        ("detr-resnet-50", 41_524_768, 318),
        ("owlv2-base-patch16-ensemble", 154_966_792, 418),
    ],
)
def test_an_architecture_has_the_size_of_the_published_one(
    name: str, params: int, tensors: int, skeletons: dict[str, Any]
) -> None:
    found = list(skeletons[name].parameters())
    assert (sum(one.numel() for one in found), len(found)) == (params, tensors)
    assert all(one.is_meta for one in found), "no memory was taken"
    assert parts()[name].params == params


@pytest.mark.parametrize(
    ("name", "file_bytes", "each"),
    [("t5-xxl", 4_994_582_224 + 4_530_066_360, 2), ("clip-l", 246_144_352, 2), ("flux1-vae", 167_666_902, 2),
     ("flux1-schnell-transformer", 9_962_580_296 + 9_949_328_904 + 3_870_584_832, 2),
     ("flux1-dev-transformer", 9_983_040_304 + 9_949_328_904 + 3_870_584_832, 2),
     ("realesrgan-x4plus", 66_857_836, 4)],
)  # fmt: skip
def test_it_fills_the_published_files(name: str, file_bytes: int, each: int) -> None:
    """A file is its tensors and a header of at most 200 kB."""
    assert 0 < file_bytes - parts()[name].params * each < 200_000


def test_tensors_have_the_names_of_the_published_files(skeletons: dict[str, Any]) -> None:
    assert set(skeletons["flux1-schnell-transformer"].state_dict()) == flux_names(has_guidance=False)
    for name in ("flux1-dev-transformer", "flux1-fill-transformer"):
        assert set(skeletons[name].state_dict()) == flux_names(has_guidance=True)
    assert set(skeletons["t5-xxl"].state_dict()) == t5_names() | {"encoder.embed_tokens.weight"}
    assert set(skeletons["realesrgan-x4plus"].state_dict()) >= {"model.0.weight", "model.1.sub.22.RDB3.conv5.0.weight"}
    shapes = {name: tuple(value.shape) for name, value in skeletons["flux1-fill-transformer"].state_dict().items()}
    assert (shapes["x_embedder.weight"], shapes["proj_out.weight"]) == ((3072, 384), (64, 3072))
    blip = {name: tuple(value.shape) for name, value in skeletons["blip-large"].state_dict().items()}
    assert blip["text_decoder.bert.encoder.layer.11.crossattention.self.key.weight"] == (768, 1024)
    assert blip["vision_model.embeddings.position_embedding"] == (1, (384 // 16) ** 2 + 1, 1024)
    assert skeletons["blip-large"].config.text_config.num_attention_heads == 12, "8, the default, captions nonsense"


def test_models_that_look_have_the_parts_of_the_published_ones(skeletons: dict[str, Any]) -> None:
    shapes = {
        name: {key: tuple(value.shape) for key, value in skeletons[name].state_dict().items()}
        for name in ("clipseg-rd64-refined", "detr-resnet-50", "owlv2-base-patch16-ensemble")
    }
    clipseg, detr, owl = shapes.values()
    assert clipseg["decoder.film_mul.weight"] == (64, 512), "the words act on 64 channels"
    assert clipseg["decoder.transposed_convolution.4.weight"] == (32, 1, 4, 4), "the refined one"
    assert clipseg["clip.vision_model.embeddings.patch_embedding.weight"] == (768, 3, 16, 16)
    assert detr["class_labels_classifier.weight"] == (92, 256), "91 labels, and nothing"
    assert detr["model.query_position_embeddings.weight"] == (100, 256)
    assert "model.backbone.model.encoder.stages.3.layers.2.layer.2.convolution.weight" in detr, "no timm"
    assert owl["owlv2.vision_model.embeddings.position_embedding.weight"] == ((960 // 16) ** 2 + 1, 768)
    assert owl["class_head.dense0.weight"] == (512, 768) and owl["objectness_head.dense2.weight"] == (1, 768)
    labels = skeletons["detr-resnet-50"].config.id2label
    assert len(set(labels.values()) - {"N/A"}) == 80
    assert (labels[1], labels[12], labels[17], labels[90]) == ("person", "N/A", "cat", "toothbrush")


def test_qwen_image_edit_has_the_names_of_the_published_one(skeletons: dict[str, Any]) -> None:
    shapes = {
        name: {key: tuple(value.shape) for key, value in skeletons[name].state_dict().items()}
        for name in ("qwen-image-transformer", "qwen-image-vae", "qwen2.5-vl-7b")
    }
    transformer, vae, reader = shapes.values()
    assert transformer["transformer_blocks.59.attn.add_q_proj.weight"] == (3072, 3072)
    assert transformer["txt_in.weight"] == (3072, 3584) and transformer["proj_out.weight"] == (64, 3072)
    assert vae["quant_conv.weight"] == (32, 32, 1, 1, 1), "16 latent channels"
    assert reader["model.language_model.layers.27.mlp.up_proj.weight"] == (18944, 3584)
    assert reader["model.visual.blocks.31.mlp.down_proj.weight"] == (1280, 3420)
    assert reader["lm_head.weight"] == (152064, 3584)


def test_language_models_have_the_names_of_the_published_files(skeletons: dict[str, Any]) -> None:
    qwen, blip2 = skeletons["qwen2.5-1.5b-instruct"], skeletons["blip2-opt-2.7b"]
    shapes = {name: tuple(value.shape) for name, value in (qwen.state_dict() | blip2.state_dict()).items()}
    assert shapes["model.layers.27.self_attn.k_proj.weight"] == (2 * 128, 1536)
    assert qwen.lm_head.weight is qwen.model.embed_tokens.weight, "its file has the embedding once"
    assert shapes["query_tokens"] == (1, 32, 768)
    assert shapes["vision_model.encoder.layers.38.mlp.fc1.weight"] == (6144, 1408)
    assert shapes["qformer.encoder.layer.10.crossattention.attention.key.weight"] == (768, 1408)
    assert shapes["language_model.model.decoder.embed_tokens.weight"] == (50304, 2560)


def test_nf4_leaves_in_16_bits_what_is_said_of_it(skeletons: dict[str, Any]) -> None:
    """bitsandbytes quantises the weights of linear layers; transformers passes over T5's `wo`."""
    import torch

    for name, part in parts().items():
        if part.kept is None:
            assert part.bytes("nf4") == part.bytes("bf16")
            continue
        linear = [
            module.weight.numel()
            for path, module in skeletons[name].named_modules()
            if isinstance(module, torch.nn.Linear) and not path.endswith(".wo")
        ]
        assert part.kept == part.params - sum(linear)


@pytest.mark.parametrize(
    ("name", "bf16", "nf4"),
    [("flux1-schnell-transformer", 23.78, 6.69), ("flux1-dev-transformer", 23.80, 6.70), ("t5-xxl", 9.52, 4.32),
     ("clip-l", 0.25, 0.25), ("flux1-vae", 0.17, 0.17)],
)  # fmt: skip
def test_memory_in_each_precision(name: str, bf16: float, nf4: float) -> None:
    part = parts()[name]
    assert (round(part.bytes("bf16") / 1e9, 2), round(part.bytes("nf4") / 1e9, 2)) == (bf16, nf4)
    assert part.bytes("fp32") == 2 * part.bytes("fp16") == 2 * part.bytes("bf16")


def test_a_configuration_is_all_that_its_class_asks_for(skeletons: dict[str, Any]) -> None:
    """No key of a shipped configuration is unknown to its class, and CLIP pools as the original did."""
    from transformers import CLIPTextConfig

    for name in ("flux1-schnell-transformer", "flux1-dev-transformer", "flux1-fill-transformer", "flux1-vae"):
        written = json.loads((parts()[name].folder / "config.json").read_text())
        assert (
            written.items()
            <= json.loads(json.dumps({**skeletons[name].config, "_class_name": written["_class_name"]})).items()
        )
    assert isinstance(clip := skeletons["clip-l"].config, CLIPTextConfig)
    assert (clip.eos_token_id, clip.hidden_act) == (2, "quick_gelu"), "2 makes transformers pool at the last token"


@pytest.mark.parametrize(
    ("name", "shift", "dynamic"), [("flux1-schnell-scheduler", 1.0, False), ("flux1-dev-scheduler", 3.0, True)]
)
def test_the_noise_schedule(name: str, shift: float, dynamic: bool) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    config = FlowMatchEulerDiscreteScheduler.from_pretrained(CONFIGS / name, local_files_only=True).config
    assert (config.shift, config.use_dynamic_shifting) == (shift, dynamic)
    assert (config.base_shift, config.max_shift) == (0.5, 1.15)
    assert (config.base_image_seq_len, config.max_image_seq_len) == (256, 4096)


def test_every_part_of_every_model_has_its_configuration() -> None:
    for entry in entries().values():
        for part in entry.parts.values():
            assert list((CONFIGS / part).glob("*config.json")), f"{entry.name}: {part}"
            assert part in parts() or part.endswith("-scheduler")
