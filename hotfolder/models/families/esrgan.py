"""Real-ESRGAN, and every other network for super-resolution that spandrel knows: one file, one picture in, one out.

**Source:** spandrel (MIT) finds architecture, scale and fit precisions by the names and shapes of the weights.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hotfolder.errors import JobError, OutOfMemory
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES

TILE_PX = {"cuda": 512, "mps": 256, "cpu": 256}
"""Edge of a tile before it is enlarged. Real-ESRGAN x4plus holds 1.6 GB of activations for 512 pixels in fp16."""

CHANNELS_LAST = ("ESRGAN", "Compact")
"""Convolutions alone, which run faster with the channels innermost; networks with attention gain nothing."""

PURPOSES = {
    "FaceSR": "is for faces alone",
    "Restoration": "cleans pictures and enlarges none",
    "Inpainting": "fills holes",
}


class Esrgan:
    """A network for super-resolution in memory. `scale`: how many times longer it makes each edge.

    `tile_px` is the edge of its tiles; it becomes smaller when memory runs out, and stays so.
    """

    def __init__(self, entry: ModelEntry, source: Path) -> None:
        import torch

        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        self.entry = entry
        self.network = _load(entry, source)
        half = device != "cpu" and self.network.supports_half
        self.network.to(device, torch.float16 if half else torch.float32)
        self._layout = torch.contiguous_format
        if self.network.architecture.id in CHANNELS_LAST:
            self._layout = torch.channels_last
            self.network.model.to(memory_format=self._layout)
        self.scale: int = self.network.scale
        self.tile_px = TILE_PX[device]

    def enlarge(self, pixels: np.ndarray, progress: Callable[[int, int], None]) -> np.ndarray:
        """Enlarge a picture, `scale` times each edge.

        Args:
            pixels: (h, w, 3), uint8.
            progress: is told how many tiles are done, of how many.

        Raises:
            OutOfMemory: not even the smallest tiles fit.
        """
        import torch

        from hotfolder import tiling

        while True:
            try:
                return tiling.tiled(pixels, self.scale, self.tile_px, self._run, progress)
            except torch.OutOfMemoryError:
                if self.tile_px <= tiling.SMALLEST:
                    raise OutOfMemory(f"{self.entry.name} ran out of memory with the smallest tiles") from None
            self.tile_px = max(self.tile_px // 2, tiling.SMALLEST)
            torch.cuda.empty_cache()

    def _run(self, tile: Any) -> Any:
        """Enlarge one tile: (1, 3, h, w) uint8 to the same in floating point, 0..1, on the device."""
        import torch

        values = tile.to(self.network.device).to(self.network.dtype).div_(255)
        bands = values.split(self.network.input_channels, dim=1)
        made = torch.cat([self.network(band.contiguous(memory_format=self._layout)) for band in bands], dim=1)
        if self.network.dtype == torch.float16 and made.isnan().any():  # 65,504 is little for some networks and cards
            self.network.to(torch.float32)
            return self._run(tile)
        return made


def _load(entry: ModelEntry, source: Path) -> Any:
    """Return spandrel's description of a network with its weights in it, on the CPU.

    Raises:
        JobError: the file is none that can be used; says why.
    """
    from safetensors import SafetensorError
    from spandrel import ModelLoader, UnsupportedModelError

    path = source if source.is_file() else next(iter(sorted(source.glob("*.safetensors"))), source)
    where = f"the weights of {entry.name}, {path},"
    if path.suffix != ".safetensors" and path.name not in entry.single_files:
        raise JobError(f"{where} are a pickle, which could run any program when it is read; get them as .safetensors")
    if path.read_bytes()[:1] == b"<":
        raise JobError(f"{where} are a web page: the download gave a page instead of the file; download it again")
    try:
        network = ModelLoader("cpu").load_from_file(path)
    except UnsupportedModelError:
        raise JobError(f"{where} are of no architecture that is known for enlarging pictures") from None
    except (SafetensorError, OSError, EOFError) as error:
        raise JobError(f"{where} are cut short or no weights at all ({error}); download them again") from None
    if network.purpose != "SR":
        raise JobError(f"{entry.name} {PURPOSES[network.purpose]} ({network.architecture.name}); it is no upscaler")
    if (network.input_channels, network.output_channels) not in ((3, 3), (1, 1)):
        raise JobError(f"{entry.name} takes {network.input_channels} channels and gives {network.output_channels}; "
                       "only colour and grey can be used")  # fmt: skip
    return network


FAMILIES.add("esrgan", Esrgan)
