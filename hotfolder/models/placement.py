"""How a model is put on this machine: plain data, decided without torch and obeyed by whoever loads."""

from typing import Literal

from hotfolder.spec import Strict

Device = Literal["cuda", "mps", "cpu"]
Precision = Literal["bf16", "fp16", "fp32", "nf4"]
Offload = Literal["none", "model", "group", "sequential"]


class Machine(Strict):
    """What a machine computes with. `device_bytes` is the memory of the card, of all for Apple's and for processors.

    `free_bytes` of it were free when it was looked at. `capability` is CUDA's compute capability, (8, 9) for Ada.
    """

    device: Device
    name: str
    device_bytes: int
    free_bytes: int
    ram_bytes: int
    capability: tuple[int, int] | None = None
    windows: bool = False


class Placement(Strict):
    """One model on one machine.

    `precision` is that of the denoiser (or of the whole model where there is one part), `text_precision` that of the
    large text encoder. `budget_bytes`: what all models together may take of the device's memory, None for no limit.
    `encoders_leave`: text encoders leave the device before sampling.
    """

    device: Device
    precision: Precision
    text_precision: Precision
    offload: Offload = "none"
    tile_vae: bool = False
    encoders_leave: bool = False
    budget_bytes: int | None = None
