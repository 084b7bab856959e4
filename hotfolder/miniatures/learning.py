"""What the trainings of small networks share: how a step is made, and positions that are told apart from the start."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Steps:
    """Makes steps: Muon turns the matrices, AdamW all else.

    Args:
        model: Its gradient is kept to a length of 1.
        matrices: The weights for Muon, all of them (out, in).
        others: All other weights that learn, of the model or not.
    """

    def __init__(self, model: nn.Module, matrices: Iterable[nn.Parameter], others: Iterable[nn.Parameter]) -> None:
        self._model = model
        self._optimizers = [
            torch.optim.Muon(matrices, lr=1.0, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0),
        ]

    def make(self, loss: Tensor, rate: float) -> None:
        """Makes one step down a loss's gradient at some learning rate."""
        for optimizer in self._optimizers:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()


def waves(grid: int, width: int) -> Tensor:
    """Sines and cosines of row and column, (grid * grid, width)."""
    rates = math.pi / grid * 2.0 ** torch.arange(-1, 3).repeat_interleave(width // 16)
    rates = rates * torch.linspace(0.75, 1.5, len(rates))
    angles = torch.arange(grid)[:, None] * rates
    table = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = table[:, None].expand(-1, grid, -1), table[None].expand(grid, -1, -1)
    return torch.cat([rows, columns], dim=2).flatten(0, 1)
