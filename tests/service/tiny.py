"""A FLUX pipeline of the real classes with random weights of a few hundred kilobytes, in the real models' layout.

It makes noise, but by the very code that the real weights take, offline. **Shapes**: latents of 4 channels, one double
and one single block of 2 heads x 16.
"""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

MODEL = "flux1-schnell"


@functools.cache
def weights() -> Path:
    """Return the folder of the pipeline, made once for the whole test run."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-flux-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _build(folder)
    return folder


def put_weights(models: Path) -> Path:
    """Make `models` know the pipeline as the model that `profile: auto` generates with; returns its folder there."""
    place = models / "checkpoints" / MODEL
    shutil.copytree(weights(), place)
    return place


def _characters() -> list[str]:
    """Return the 256 characters that stand for bytes in GPT-2's and CLIP's vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + number) for number in range(len(others))]


def _build(folder: Path) -> None:
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

    torch.manual_seed(0)
    words = [*_characters(), *(f"{one}</w>" for one in _characters()), "<|startoftext|>", "<|endoftext|>"]
    clip = CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=77)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?:;-'\""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in letters)]
    t5 = T5Tokenizer(vocab=pieces, extra_ids=0, additional_special_tokens=None, model_max_length=512)
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False),
        vae=AutoencoderKL(
            block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=1, latent_channels=4, norm_num_groups=4,
            sample_size=64, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
            use_post_quant_conv=False, force_upcast=False,
        ),
        text_encoder=CLIPTextModel(CLIPTextConfig(
            vocab_size=len(clip), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
            projection_dim=32, bos_token_id=clip.bos_token_id, eos_token_id=clip.eos_token_id, pad_token_id=1,
        )),
        tokenizer=clip,
        text_encoder_2=T5EncoderModel(T5Config(
            vocab_size=len(t5) + 4, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4,
            feed_forward_proj="gated-gelu", tie_word_embeddings=False,
        )),
        tokenizer_2=t5,
        transformer=FluxTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32, guidance_embeds=False,
            axes_dims_rope=(4, 4, 8),
        ),
    )  # fmt: skip
    pipeline.save_pretrained(folder)
