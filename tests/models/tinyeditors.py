"""Editors of the real classes with small random weights, saved in the real models' layout.

**Shapes**: Qwen's latents have 4 channels, its transformer two blocks of 3 heads x 16; FLUX Kontext is `tests.service
.tiny`'s pipeline with guidance.
"""

import shutil
from pathlib import Path

from tests.service import tiny

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]


def save_kontext(folder: Path) -> None:
    """Save FLUX.1 Kontext, small: the tiny generator with a transformer that is told its guidance."""
    import torch
    from diffusers import FluxKontextPipeline, FluxPipeline, FluxTransformer2DModel

    torch.manual_seed(0)
    known = FluxPipeline.from_pretrained(tiny.weights(), local_files_only=True)
    transformer = FluxTransformer2DModel.from_config({**known.transformer.config, "guidance_embeds": True})
    parts = {name: part for name, part in known.components.items() if part is not None}
    FluxKontextPipeline(**{**parts, "transformer": transformer}).save_pretrained(folder)


def save_qwen(folder: Path, pipeline: str) -> None:
    """Save Qwen-Image-Edit, small, as the diffusers class named writes it."""
    import diffusers
    import torch
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2Tokenizer,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    torch.manual_seed(0)
    letters = {letter: number for number, letter in enumerate(tiny._characters())}
    words = Qwen2Tokenizer(vocab={**letters, "<|endoftext|>": len(letters)}, merges=[])
    words.add_special_tokens({"additional_special_tokens": SPECIAL})
    ids = {name: words.convert_tokens_to_ids(name) for name in SPECIAL}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 16,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    looks = Qwen2VLImageProcessor(size={"shortest_edge": 3136, "longest_edge": 12544})
    getattr(diffusers, pipeline)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            base_shift=0.5, max_shift=0.9, base_image_seq_len=256, max_image_seq_len=8192, shift_terminal=0.02,
            use_dynamic_shifting=True, time_shift_type="exponential",
        ),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=4, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=1, temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config),
        tokenizer=words,
        processor=Qwen2VLProcessor(looks, words, Qwen2VLVideoProcessor()),
        transformer=diffusers.QwenImageTransformer2DModel(
            patch_size=2, in_channels=16, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=3,
            joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
        ),
    ).save_pretrained(folder)  # fmt: skip


def cached(folder: Path, hub: Path, repo: str) -> None:
    """Move a saved pipeline to where the hub's cache has the newest snapshot of a repository."""
    place = hub / f"models--{repo.replace('/', '--')}" / "snapshots" / ("a" * 40)
    place.parent.mkdir(parents=True)
    shutil.move(folder, place)
