"""Training of the autoencoder all miniatures share: 8 times smaller sides, 16 channels, like the real one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor
from torch.nn import functional

from .losslog import LossLog
from .pictures import training_picture

SIZE_PX = 128
LATENTS = 16
CONSTANT = 3.0
STEPS = 3360
POOL = 5000  # pictures
CROP_PX = 64
WHOLE, CROPS = 3, 12  # per step; both cost the same
PEAK_RATE = 8e-4
NOISE = 0.05  # added to the latents, so that the decoder forgives the generator's small errors
SCALE_WEIGHT = 3e-4  # on the latents' squares, against outgrowing that noise
SAVE_EVERY = 500


def new_vae() -> AutoencoderKL:
    """An autoencoder that begins as plain averaging: few channels where the picture is large, which costs the time."""
    vae = AutoencoderKL(
        block_out_channels=(16, 32, 64, 96),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=LATENTS,
        norm_num_groups=2,
        sample_size=SIZE_PX,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
    )
    with torch.no_grad():
        _start_as_average(vae)
    return vae


def _start_as_average(vae: AutoencoderKL) -> None:
    """Sets weights so that the untrained encoder shrinks the picture and the decoder enlarges it again.

    From random weights the first ten minutes go into carrying plain colours through the group norms. So the first
    eight channels carry +red, +green, +blue, -red, -green, -blue, +c, -c throughout: the constants keep the norm's
    divisor steady, and silu(x) - silu(-x) = x undoes the activation before the last convolution.
    """
    for coder in (vae.encoder, vae.decoder):
        for module in coder.modules():
            if isinstance(module, ResnetBlock2D):
                module.conv2.weight.zero_()
                module.conv2.bias.zero_()
                if module.conv_shortcut is not None:
                    _carry(module.conv_shortcut, torch.eye(8), 1.0)
            elif isinstance(module, Downsample2D):
                _carry(module.conv, torch.eye(8), 0.25)
            elif isinstance(module, Upsample2D):
                _carry(module.conv, torch.eye(8), 1.0)
        signs = torch.cat([torch.eye(3), -torch.eye(3), torch.zeros(2, 3)])
        _carry(coder.conv_in, signs, 1.0)
        coder.conv_in.bias[6:8] = torch.tensor([CONSTANT, -CONSTANT])
        _carry(coder.conv_out, signs.T[:3], 1.0)
    vae.encoder.conv_out.weight[:3] *= 0.4
    vae.encoder.conv_out.weight[3:LATENTS] *= 2.0
    # A fixed spread instead of a learned one: with a KL term all channels but three collapsed into noise.
    vae.encoder.conv_out.weight[LATENTS:] = 0.0
    vae.encoder.conv_out.bias[LATENTS:] = 2 * math.log(NOISE)


def _carry(conv: torch.nn.Conv2d, matrix: Tensor, tap: float) -> None:
    """Makes a convolution's first outputs a matrix times its first inputs, at one pixel or averaged over 2 x 2."""
    rows, columns = matrix.shape
    conv.weight[:rows] = 0.0
    conv.bias[:rows] = 0.0
    middle = conv.kernel_size[0] // 2
    taps = [(0, 0), (0, 1), (1, 0), (1, 1)] if tap < 1 else [(middle, middle)]
    for y, x in taps:
        conv.weight[:rows, :columns, y, x] = matrix * tap


def train(out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves now and then.

    Args:
        out: Folder that receives the weights, float16.
        log: Receives the loss curve.
        seed: Seed of pictures and weights.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pool = np.stack([np.asarray(training_picture(rng, SIZE_PX)) for _ in range(POOL)])
    vae = new_vae()
    optimizer = torch.optim.AdamW(vae.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=1e-3)
    for step in range(STEPS):
        done = step / STEPS
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1, (step + 1) / 150) * 0.5 * (1 + math.cos(math.pi * done)) + 1e-6
        # Crops first for many different edges; whole pictures at the end, where group norms see what they will see.
        batch = _crops(pool, rng) if step % 3 and done < 0.6 else pool[rng.integers(POOL, size=WHOLE)]
        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        loss, sharp = _loss(vae, pixels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        log.add(step + 1, loss.item(), sharp)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(vae, pool, out)


def save(vae: AutoencoderKL, pool: np.ndarray, out: Path) -> None:
    """Saves a copy in float16 whose 16 channels have equal spread, their common mean and scale in the config.

    The scale of a channel moves from the decoder's first weights into the encoder's last, which changes no picture.
    Without it the colours' channels drown those of the shapes when the generator learns.
    """
    balanced = new_vae()
    balanced.load_state_dict(vae.state_dict())
    pixels = torch.from_numpy(pool[:128]).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    with torch.no_grad():
        spread = balanced.encode(pixels).latent_dist.mean.std((0, 2, 3))
        balanced.encoder.conv_out.weight[:LATENTS] /= spread[:, None, None, None]
        balanced.encoder.conv_out.bias[:LATENTS] /= spread
        balanced.encoder.conv_out.bias[LATENTS:] -= 2 * spread.log()
        balanced.decoder.conv_in.weight *= spread[None, :, None, None]
        latents = balanced.encode(pixels).latent_dist.mean
    balanced.register_to_config(shift_factor=latents.mean().item(), scaling_factor=1 / latents.std().item())
    balanced.half().save_pretrained(out)


def _loss(vae: AutoencoderKL, pixels: Tensor) -> tuple[Tensor, float]:
    """Loss, and the mean absolute error in levels of 255; pixels are (n, 3, h, w) in -1..1."""
    with torch.autocast("cpu", torch.bfloat16):
        latents = vae.encode(pixels).latent_dist.mean
        decoded = vae.decode(latents + NOISE * torch.randn_like(latents)).sample
    decoded = decoded.float()
    error = (decoded - pixels).abs().mean()
    edges = sum(functional.l1_loss(decoded.diff(dim=dim), pixels.diff(dim=dim)) for dim in (2, 3))
    return error + edges + SCALE_WEIGHT * latents.float().square().mean(), error.item() * 127.5


def _crops(pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut-outs (n, 64, 64, 3), three of four around a point on an edge."""
    out = []
    for picture in pool[rng.integers(len(pool), size=CROPS)]:
        y, x = rng.integers(SIZE_PX, size=2)
        if rng.random() < 0.75:
            rows, columns = np.nonzero((picture[1:, 1:] != picture[:-1, :-1]).any(-1))
            if len(rows):
                i = rng.integers(len(rows))
                y, x = rows[i], columns[i]
        top, left = (int(np.clip(v - rng.integers(16, 48), 0, SIZE_PX - CROP_PX)) for v in (y, x))
        out.append(picture[top : top + CROP_PX, left : left + CROP_PX])
    return np.stack(out)
