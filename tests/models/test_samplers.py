"""Samplers: found by the names people use, and each comes to the same picture over the model's own noise levels."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from hotfolder import miniatures
from hotfolder.miniatures.judge import judge
from hotfolder.miniatures.measure import generate, load
from hotfolder.models import samplers

SCHNELL = {"shift": 1.0, "use_dynamic_shifting": False}
DEV = {"shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15,
       "base_image_seq_len": 256, "max_image_seq_len": 4096}  # fmt: skip
MU = 1.15
"""The shift of dev at 1024x1024."""

ALL = [f"{solver} {schedule}".strip() for solver in samplers.SOLVERS for schedule in samplers.SCHEDULES]


def own(published: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as `from_pretrained` reads it."""
    scheduler = FlowMatchEulerDiscreteScheduler(**published)
    return {**scheduler.config, "_class_name": type(scheduler).__name__}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (None, "Euler"), ("euler", "Euler"), ("Euler simple", "Euler"), ("k_euler", "Euler"),
        ("FlowMatchEulerDiscreteScheduler", "Euler"), ("dpmpp_2m", "DPM++ 2M"), ("DPM++ 2M", "DPM++ 2M"),
        ("DPM++ 2M SGM Uniform", "DPM++ 2M"), ("dpmpp_2m_karras", "DPM++ 2M Karras"), ("heun", "Heun"),
        ("DPMSolverMultistepScheduler", "DPM++ 2M"), ("uni_pc", "UniPC"), ("UniPC exponential", "UniPC Exponential"),
    ],
)  # fmt: skip
def test_names_of_other_programs_are_understood(written: str | None, name: str) -> None:
    assert samplers.find(written).name == name


@pytest.mark.parametrize("written", ["Euler a", "DPM++ SDE Karras", "DDIM", "lms", "eulerr", "karras"])
def test_one_that_does_not_fit_is_refused_by_naming_those_that_do(written: str) -> None:
    with pytest.raises(LookupError, match=r"there are Euler, DPM\+\+ 2M, Heun or UniPC") as refusal:
        samplers.find(written)
    assert written in str(refusal.value)


def exact(noise: Tensor, level: float, mean: float = 0.7, spread: float = 0.3) -> Tensor:
    """Where a flow from a normal distribution of noise to one of data carries a noise, at a level from 1 to 0."""
    return (1 - level) * mean + ((1 - level) ** 2 * spread**2 + level**2) ** 0.5 * noise


def velocity(sample: Tensor, level: float, mean: float = 0.7, spread: float = 0.3) -> Tensor:
    """What a perfect model of that data predicts."""
    variance = (1 - level) ** 2 * spread**2 + level**2
    return -mean + (level - (1 - level) * spread**2) / variance * (sample - (1 - level) * mean)


def walked(scheduler: Any, steps: int, noise: Tensor, mu: float | None) -> Tensor:
    """Sample as FluxPipeline does."""
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), device="cpu", mu=mu)
    scheduler.set_begin_index(0)
    sample = noise
    for time in scheduler.timesteps:
        sample = scheduler.step(velocity(sample, float(time) / 1000), time, sample, return_dict=False)[0]
    return sample


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("published", "mu"), [(SCHNELL, None), (DEV, MU)], ids=["schnell", "dev"])
def test_each_comes_to_the_exact_picture(name: str, published: dict[str, Any], mu: float | None) -> None:
    noise = torch.randn(1, 64, 1, generator=torch.Generator().manual_seed(0))
    errors = {}
    for steps in (8, 64):
        made = walked(samplers.find(name).scheduler(own(published)), steps, noise, mu)
        errors[steps] = float((made - exact(noise, 0.0)).abs().mean())
    assert errors[64] < errors[8] / 3 < 0.06, errors


def test_the_higher_orders_need_fewer_steps_than_euler() -> None:
    noise = torch.randn(1, 64, 1, generator=torch.Generator().manual_seed(0))
    errors = {
        name: float((walked(samplers.find(name).scheduler(own(DEV)), 16, noise, MU) - exact(noise, 0.0)).abs().mean())
        for name in samplers.SOLVERS
    }
    assert max(errors["DPM++ 2M"], errors["Heun"], errors["UniPC"]) < 0.8 * errors["Euler"], errors


@pytest.mark.parametrize("name", ["DPM++ 2M", "Heun", "UniPC"])
def test_all_walk_the_levels_of_the_models_own_scheduler(name: str) -> None:
    levels = FlowMatchEulerDiscreteScheduler(**DEV)
    scheduler = samplers.find(name).scheduler(own(DEV))
    for one in (levels, scheduler):
        one.set_timesteps(sigmas=np.linspace(1.0, 0.125, 8), device="cpu", mu=MU)
    assert sorted({float(time) for time in scheduler.timesteps}) == sorted(map(float, levels.timesteps))
    for key in ("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len"):  # FluxPipeline reads them there
        assert scheduler.config[key] == DEV[key]


@pytest.mark.parametrize("name", ["DPM++ 2M", "Heun", "UniPC", "Euler Karras"])
def test_the_miniature_paints_what_the_prompt_says_with_each(name: str) -> None:
    pipeline = load(miniatures.path("flux1-schnell"))
    pipeline.scheduler = samplers.find(name).scheduler(dict(pipeline.scheduler.config))
    (image,) = generate(pipeline, ["a large red circle on a blue background"], steps=8)
    seen = judge(image)
    assert (seen.ground, [(thing.colour, thing.shape) for thing in seen.things]) == ("blue", [("red", "circle")])
