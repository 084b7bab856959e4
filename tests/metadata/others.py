"""Pictures as other programs write them, made from the descriptions of their formats."""

import json
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

USER_COMMENT, MAKER_NOTE, MODEL, MAKE, CAMERA = 0x9286, 0x927C, 0x0110, 0x010F, 0x8769


def png(path: Path, size: tuple[int, int] = (64, 48), **texts: str) -> Path:
    """Write a PNG with texts as Pillow writes them: Latin-1, else UTF-8."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", size, "orange").save(path, "PNG", pnginfo=info)
    return path


def with_exif(path: Path, tags: dict[int, str], comment: bytes = b"", format: str = "WEBP") -> Path:
    """Write a JPEG or WebP with texts in the first EXIF directory, and bytes as UserComment where it belongs."""
    exif = Image.Exif()
    for tag, text in tags.items():
        exif[tag] = text
    if comment:
        exif.get_ifd(CAMERA)[USER_COMMENT] = comment
    Image.new("RGB", (64, 48), "orange").save(path, format, exif=exif)
    return path


A1111 = (
    "a fox in the snow\nNegative prompt: cat\nSteps: 3, Sampler: Euler, Schedule type: Simple, CFG scale: 7, Seed: 42, "
    "Size: 96x64, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Version: v1.10.1"
)

COMFYUI = {
    "3": {"class_type": "KSampler", "inputs": {
        "seed": 42, "steps": 3, "cfg": 7.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0,
        "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
    }},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5-pruned-emaonly.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 96, "height": 64, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox in the snow", "clip": ["10", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "cat", "clip": ["10", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}},
    "10": {"class_type": "LoraLoader", "inputs": {
        "lora_name": "styles\\tarot.safetensors", "strength_model": 0.8, "strength_clip": 1.0,
        "model": ["4", 0], "clip": ["4", 1],
    }},
}  # fmt: skip

FLUX = {
    "5": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 96, "height": 64, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["60", 0], "clip": ["11", 0]}},
    "60": {"class_type": "StringConcatenate", "inputs": {
        "string_a": "a fox", "string_b": ["61", 0], "delimiter": " "}},
    "61": {"class_type": "PrimitiveString", "inputs": {"value": "in the snow"}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["13", 0], "vae": ["14", 0]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "flux", "images": ["8", 0]}},
    "11": {"class_type": "DualCLIPLoader", "inputs": {"clip_name1": "t5xxl_fp16.safetensors", "type": "flux"}},
    "12": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux1-dev.safetensors", "weight_dtype": "default"}},
    "13": {"class_type": "SamplerCustomAdvanced", "inputs": {
        "noise": ["25", 0], "guider": ["22", 0], "sampler": ["16", 0], "sigmas": ["17", 0], "latent_image": ["5", 0],
    }},
    "14": {"class_type": "VAELoader", "inputs": {"vae_name": "ae.safetensors"}},
    "16": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}},
    "17": {"class_type": "BasicScheduler", "inputs": {
        "scheduler": "simple", "steps": 3, "denoise": 1.0, "model": ["30", 0]}},
    "22": {"class_type": "BasicGuider", "inputs": {"model": ["30", 0], "conditioning": ["26", 0]}},
    "25": {"class_type": "RandomNoise", "inputs": {"noise_seed": 42}},
    "26": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["6", 0]}},
    "30": {"class_type": "ModelSamplingFlux", "inputs": {
        "max_shift": 1.15, "base_shift": 0.5, "width": 1024, "height": 1024, "model": ["31", 0]}},
    "31": {"class_type": "LoraLoaderModelOnly", "inputs": {
        "lora_name": "tarot.safetensors", "strength_model": 0.8, "model": ["12", 0]}},
}  # fmt: skip

INVOKEAI = {
    "generation_mode": "flux_txt2img", "positive_prompt": "a fox in the snow", "negative_prompt": "cat", "width": 96,
    "height": 64, "seed": 42, "rand_device": "cpu", "cfg_scale": 1.0, "guidance": 4.0, "steps": 3,
    "scheduler": "euler", "loras": [{"model": {"key": "a", "hash": "blake3:b", "name": "tarot", "base": "flux",
    "type": "lora"}, "weight": 0.8}], "model": {"key": "c", "hash": "blake3:d", "name": "FLUX Dev", "base": "flux",
    "type": "main"}, "app_version": "6.14.0",
}  # fmt: skip

SD_METADATA = {
    "model": "stable diffusion", "model_weights": "stable-diffusion-1.5", "app_version": "2.3.5",
    "image": {"prompt": [{"prompt": "a fox in the snow [cat]", "weight": 1.0}], "steps": 3, "cfg_scale": 7.5,
    "width": 96, "height": 64, "seed": 42, "sampler": "k_euler", "type": "txt2img"},
}  # fmt: skip

SWARMUI = {
    "sui_image_params": {
        "prompt": "a fox in the snow", "negativeprompt": "cat", "model": "Flux/flux1-dev", "seed": 42, "steps": "3",
        "cfgscale": 1.0, "fluxguidancescale": "3.5", "aspectratio": "3:2", "width": 96, "height": 64,
        "sampler": "dpmpp_2m", "scheduler": "karras", "loras": ["tarot"], "loraweights": "0.8",
        "swarm_version": "0.9.8.0",
    },
    "sui_extra_data": {"date": "2026-08-21", "generation_time": "4.84 sec"},
}  # fmt: skip

FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernautXL_v8Rundiffusion", "base_model_hash": "aeb7e9e689",
    "full_negative_prompt": ["cat", "blurry"], "full_prompt": ["cinematic still a fox in the snow"],
    "guidance_scale": 4, "lora_combined_1": "tarot : 0.8", "loras": [["tarot", 0.8, "aabbccddee"]],
    "metadata_scheme": "fooocus", "negative_prompt": "cat", "performance": "Speed", "prompt": "a fox in the snow",
    "prompt_expansion": "", "refiner_model": "None", "refiner_switch": 0.5, "resolution": "(96, 64)",
    "sampler": "dpmpp_2m", "scheduler": "karras", "seed": "42", "sharpness": 2, "steps": 3,
    "styles": "['Fooocus Cinematic']", "vae": "Default (model)", "version": "Fooocus v2.5.5",
}  # fmt: skip


def a1111(path: Path) -> Path:
    return png(path, parameters=A1111)


def comfyui(path: Path, graph: dict[str, Any] = COMFYUI) -> Path:
    return png(path, prompt=json.dumps(graph), workflow='{"nodes": [], "links": []}')


def invokeai(path: Path) -> Path:
    return png(path, invokeai_metadata=json.dumps(INVOKEAI), invokeai_graph="{}")


def swarmui(path: Path) -> Path:
    return png(path, parameters=json.dumps(SWARMUI, indent=2))


def fooocus(path: Path) -> Path:
    return png(path, parameters=json.dumps(FOOOCUS), fooocus_scheme="fooocus")
