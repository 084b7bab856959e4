"""Real-ESRGAN, and every other network for super-resolution that spandrel knows: one file, one picture in, one out."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from hotfolder.errors import OutOfMemory
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass

TILE_PX = 512
"""Edge of a tile before it is enlarged. Real-ESRGAN x4plus holds about 1.6 GB of activations for that in fp16: three
tensors of 64 channels, 2,048 pixels square."""

TILE_ON_CPU_PX = 256


class Esrgan:
    """A network for super-resolution, ready to work. `scale`: how many times longer it makes each edge.

    `tile_px` is the edge of its tiles; it becomes smaller when memory runs out, and stays so.
    """

    PARTS: ClassVar = {"network": PartClass("hotfolder.models.superres", "Network", at_root=True)}

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        self.entry = entry
        self.network = parts["network"]
        self.scale: int = self.network.scale
        device = next(self.network.parameters()).device.type
        self.tile_px = TILE_ON_CPU_PX if device == "cpu" else TILE_PX

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
                with torch.inference_mode():
                    return tiling.tiled(pixels, self.scale, self.tile_px, self.network, progress)
            except torch.OutOfMemoryError:
                if self.tile_px <= tiling.SMALLEST:
                    raise OutOfMemory(f"{self.entry.name} ran out of memory with the smallest tiles") from None
            self.tile_px = max(self.tile_px // 2, tiling.SMALLEST)
            torch.cuda.empty_cache()


FAMILIES.add("esrgan", Esrgan)
