"""Noise between that of two seeds: what makes pictures that are nearly the same."""

import torch
from torch import Tensor


def between(one: Tensor, other: Tensor, how_far: float) -> Tensor:
    """Return the noise that lies a part of the way from one to the other, on the arc that keeps its strength.

    Halfway on the straight line two noises half cancel out, and a model makes grey mud of what is left.

    **Shapes**: any, the same for both; floating point. The arithmetic is in 32 bits; dtype and device stay `one`'s.

    Args:
        how_far: 0 (`one` itself, bit for bit) to 1 (`other`).

    **Source**: Ken Shoemake, Animating Rotation with Quaternion Curves (SIGGRAPH 1985): spherical interpolation.
    AUTOMATIC1111's variation strength means the same, along one axis of the latent.
    """
    if not how_far:
        return one
    a, b = one.float(), other.float().to(one.device)
    cosine = (a * b).sum() / (a.norm() * b.norm())
    angle = torch.arccos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
    mixed = torch.sin((1 - how_far) * angle) * a + torch.sin(how_far * angle) * b
    return (mixed / torch.sin(angle)).to(one.dtype)
