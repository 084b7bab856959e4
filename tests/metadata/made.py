"""Facts and pictures for the tests here."""

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from hotfolder.metadata.facts import Facts, Lora, Source

FACTS = Facts(
    image_id="0123456789abcdef0123456789abcdef",
    kind="generate",
    job={"kind": "generate", "prompt": "a knight in a storm", "seed": 42, "steps": 4, "format": "png"},
    source_type="trainedAlgorithmicMedia",
    created_at="2026-11-20T13:00:00+00:00",
    width=64,
    height=48,
    prompt="a knight in a storm",
    seed=42,
    steps=4,
    sampler="Euler",
    guidance=3.5,
    model="flux1-schnell",
    model_hash="9421f1dd5d51ffff",
    profile="fast",
    version="0.1.0",
)
SOURCE = Source("photo.jpg", "ab" * 32)
UPSCALED = replace(
    FACTS,
    kind="upscale",
    job={"kind": "upscale", "image": "photo.jpg", "options": {"factor": 4}},
    source_type="algorithmicallyEnhanced",
    prompt=None,
    seed=None,
    steps=None,
    sampler=None,
    guidance=None,
    model="realesrgan-x4plus",
    model_hash=None,
    source=SOURCE,
)
LORAS = (Lora("tarot", 0.8, "aabbccddee"), Lora("koda", -0.5, None))


def facts(**changes: Any) -> Facts:
    """Return FACTS with changes; a changed prompt is the job's too, as in real life."""
    texts = {key: changes[key] for key in ("prompt", "negative_prompt", "seed") if key in changes}
    return replace(FACTS, **{"job": FACTS.job | texts} | changes)


def picture(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(3).integers(0, 256, (size[1], size[0], bands), np.uint8)
    return Image.fromarray(values.squeeze(2) if bands == 1 else values)
