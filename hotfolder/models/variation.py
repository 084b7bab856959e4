"""Noise between that of two seeds: what makes pictures that are nearly the same."""

from typing import Any

import torch
from torch import Tensor


def between(one: Tensor, other: Tensor, how_far: float) -> Tensor:
    """Return the noise that lies a part of the way from one to the other, on the arc that keeps its strength.

    Halfway on the straight line two noises half cancel out, and a model makes grey mud of what is left.

    **Shapes**: any, the same for both; floating point. The arithmetic is in 32 bits; dtype and device stay `one`'s.

    Args:
        how_far: 0 to 1, whose ends are the noises themselves, bit for bit.

    **Source**: Ken Shoemake, Animating Rotation with Quaternion Curves (SIGGRAPH 1985): spherical interpolation.
    AUTOMATIC1111's variation strength means the same, along one axis of the latent.
    """
    if how_far in (0, 1):
        return other if how_far else one
    a, b = one.float(), other.float().to(one.device)
    cosine = (a * b).sum() / (a.norm() * b.norm())
    angle = torch.arccos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
    mixed = torch.sin((1 - how_far) * angle) * a + torch.sin(how_far * angle) * b
    return (mixed / torch.sin(angle)).to(one.dtype)


def begin(pipeline: Any, given: dict[str, Any], seed: int, towards: int, how_far: float) -> None:
    """Make a FLUX pipeline begin from the noise between those of two seeds, both drawn as it draws its own.

    Args:
        pipeline: with a noise scheduler of its own for this run.
        given: what it is called with: `width` and `height` in pixels, `image` where it begins from a picture; gets
            `latents` added where it begins from noise alone. **Shapes**: (1, height/16 * width/16, 4 * channels).
        seed: whose noise it begins from by itself.
        towards: the other seed.
        how_far: as `between` takes it.
    """
    if "image" in given:
        mix = pipeline.scheduler.scale_noise

        def mixed(sample: Tensor, timestep: Tensor, noise: Tensor) -> Tensor:
            other = torch.randn(noise.shape, generator=_generator(towards), dtype=noise.dtype)
            return mix(sample, timestep, between(noise, other.to(noise.device), how_far))

        pipeline.scheduler.scale_noise = mixed
        return
    channels = pipeline.transformer.config.in_channels // 4
    size, dtype = (given["height"], given["width"]), pipeline.text_encoder_2.dtype  # the dtype of the prompt's vectors
    one, other = (
        pipeline.prepare_latents(1, channels, *size, dtype, pipeline._execution_device, _generator(number))[0]
        for number in (seed, towards)
    )
    given["latents"] = between(one, other, how_far)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)
