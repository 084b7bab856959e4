"""How a model is put on this machine: plain data, decided without torch and obeyed by whoever loads."""

from typing import Literal

from hotfolder.spec import Strict

Device = Literal["cuda", "mps", "cpu"]
Precision = Literal["bf16", "fp16", "fp32", "nf4"]
Offload = Literal["none", "model", "group", "sequential"]


class Machine(Strict):
    """What a machine computes with. `device_bytes` is the memory of the card, of all for Apple's and for processors.

    `free_bytes` of it were free when it was looked at; `limit_bytes`: what models may take of it at most, where its
    user says so. `capability` is CUDA's compute capability, (8, 9) for Ada.
    """

    device: Device
    name: str
    device_bytes: int
    free_bytes: int
    ram_bytes: int
    capability: tuple[int, int] | None = None
    windows: bool = False
    limit_bytes: int | None = None

    def limited(self, gigabytes: float | None) -> "Machine":
        """Return the machine of which models may take so much, None for as much as there is."""
        return self.model_copy(update={"limit_bytes": None if gigabytes is None else int(gigabytes * 1e9)})


class Placement(Strict):
    """One model on one machine.

    `precision` is that of the denoiser (or of the whole model where there is one part), `text_precision` that of the
    large text encoder. `encoders_leave`: text encoders leave the device before sampling. `budget_bytes`: what all
    models and the work may take of the device's memory together, None for no limit. What the work takes above the
    weights: `encoding_bytes` while a text is read, `headroom_bytes` while the picture is painted.
    """

    device: Device
    precision: Precision
    text_precision: Precision
    offload: Offload = "none"
    tile_vae: bool = False
    encoders_leave: bool = False
    budget_bytes: int | None = None
    encoding_bytes: int = 0
    headroom_bytes: int = 0
