"""Solvers of diffusers, made to walk the noise levels of a flow-matching model's own scheduler.

By themselves they space the levels as other models want them, do not know FLUX's shift, and cannot begin in the middle,
as a picture made from another does.
"""

from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

ALMOST_ONE = 1 - 1e-4
"""The first noise level for solvers that take the logarithm of what is left of the picture: none is at 1."""


class _OnOwnLevels:
    """What the solvers share. `levels` is the model's own scheduler, with the spacing that is wanted."""

    levels: FlowMatchEulerDiscreteScheduler
    flow: ClassVar[dict[str, Any]] = {}
    """What tells a solver that is made for other models too that this one predicts flow."""

    @classmethod
    def over(cls, own: dict[str, Any]) -> Any:
        """Return the solver over a model's own configuration, which pipelines go on reading their shift from."""
        plain = {name: False for name in own if name.startswith("use_")}
        solver = cls.from_config({**own, **plain, **cls.flow})  # type: ignore[attr-defined]
        solver.levels = FlowMatchEulerDiscreteScheduler.from_config(own)
        return solver

    def _spread(self, count: int | None, device: Any, sigmas: Any, mu: float | None) -> tuple[Tensor, Tensor]:
        """Return noise levels (n + 1,) from at most 1 down to 0, and the times (n,) the model is told."""
        if sigmas is None:
            assert count
            sigmas = np.linspace(1.0, 1 / count, count)  # as FluxPipeline spaces them
        self.levels.set_timesteps(sigmas=list(sigmas), device=device, mu=mu)
        return self.levels.sigmas, self.levels.timesteps

    def scale_noise(self, sample: Tensor, timestep: Tensor, noise: Tensor) -> Tensor:
        """Return a clean latent as it is at a time: where sampling begins that starts from a picture."""
        level = (timestep / self.levels.config.num_train_timesteps).to(sample.dtype).view(-1, *[1] * (sample.ndim - 1))
        return torch.lerp(sample, noise, level)


class _Multistep(_OnOwnLevels):
    """A solver that remembers earlier steps; its own `set_timesteps` makes it forget them."""

    flow: ClassVar[dict[str, Any]] = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}

    def set_timesteps(
        self, num_inference_steps: int | None = None, device: Any = None, sigmas: Any = None, mu: float | None = None
    ) -> None:
        levels, times = self._spread(num_inference_steps, device, sigmas, mu)
        super().set_timesteps(len(times), device=device)  # type: ignore[misc]
        self.sigmas, self.timesteps = levels.clamp(max=ALMOST_ONE).cpu(), times


class DpmSolver(_Multistep, DPMSolverMultistepScheduler):
    """DPM-Solver++(2M)."""


class UniPc(_Multistep, UniPCMultistepScheduler):
    """UniPC of order 2, with its corrector."""


class Heun(_OnOwnLevels, FlowMatchHeunDiscreteScheduler):
    """Heun's method: the model is asked twice a step, but for the last."""

    def set_timesteps(
        self, num_inference_steps: int | None = None, device: Any = None, sigmas: Any = None, mu: float | None = None
    ) -> None:
        levels, times = self._spread(num_inference_steps, device, sigmas, mu)
        super().set_timesteps(len(times), device=device)
        self.sigmas = torch.cat([levels[:1], levels[1:-1].repeat_interleave(2), levels[-1:]])
        self.timesteps = torch.cat([times[:1], times[1:].repeat_interleave(2)])


BY_NAME: dict[str, type[_OnOwnLevels]] = {"DPM++ 2M": DpmSolver, "Heun": Heun, "UniPC": UniPc}
