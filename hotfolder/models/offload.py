"""Where the parts of a model are while it works: whole on the device, coming and going, or streamed.

**Source**: accelerate's hooks (Apache-2.0), which diffusers hangs on the parts of one pipeline; here several
pipelines share them. `apply_forward_hook` of diffusers calls them for a VAE's `encode` and `decode` too.
"""

from collections.abc import Mapping
from typing import Any

import torch
from accelerate import cpu_offload, cpu_offload_with_hook
from accelerate.hooks import ModelHook, UserCpuOffloadHook, add_hook_to_module, remove_hook_from_module
from diffusers.hooks import apply_group_offloading

from hotfolder.models.placement import Placement

ENCODERS = ("text_encoder", "text_encoder_2")
DENOISER = "transformer"
ORDER = (*ENCODERS, DENOISER, "vae")
"""As a pipeline uses them."""


class _SendAway(ModelHook):
    """Sends text encoders away when the part it hangs on begins to work.

    It names the device like every other hook: a pipeline believes the first hook that it finds, or else the device of
    any one of its parts, which may be an encoder that is away.
    """

    def __init__(self, execution_device: torch.device, encoders: list[UserCpuOffloadHook]) -> None:
        self.execution_device = execution_device
        self.encoders = encoders

    def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        for encoder in self.encoders:
            if encoder.model.device.type != "cpu":
                encoder.offload()
        return args, kwargs


def put(name: str, module: Any, placement: Placement) -> None:
    """Bring a part, once, to where it is at rest: to the device, or where it is streamed from."""
    device = torch.device(placement.device)
    match placement.offload:
        case "none" if not (name in ENCODERS and placement.encoders_leave):
            module.to(device)
        case "group" if name == DENOISER:
            module.to(device)  # what is no parameter stays: the scales of NF4
            apply_group_offloading(
                module, device, offload_type="block_level", num_blocks_per_group=1, use_stream=device.type == "cuda"
            )
        case "group" if name not in ENCODERS:
            module.to(device)
        case "sequential":
            cpu_offload(module, device, offload_buffers=bool(module._parameters))


def arrange(parts: Mapping[str, Any], placement: Placement) -> None:
    """Make ready the parts of the model that works next; those it shares may have served another meanwhile."""
    device = torch.device(placement.device)
    if vae := parts.get("vae"):
        vae.enable_tiling() if placement.tile_vae else vae.disable_tiling()
    if placement.offload == "sequential":
        return
    for name in parts:
        remove_hook_from_module(parts[name])
    moving = ORDER if placement.offload == "model" else ENCODERS
    leaves = placement.offload != "none" or placement.encoders_leave
    hook, hooks = None, []
    for name in (name for name in moving if name in parts):
        if leaves:
            _, hook = cpu_offload_with_hook(parts[name], device, hook)
            hooks.append(hook)
        else:
            parts[name].to(device)
    if leaves and moving == ENCODERS:
        for name in parts.keys() - set(ENCODERS):
            add_hook_to_module(parts[name], _SendAway(device, hooks))
