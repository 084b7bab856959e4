"""BiRefNet by rembg: one ONNX file, run by onnxruntime; torch has no part in it.

**Source:** rembg 2.0.86 (MIT), its session `birefnet-general`: a square of 1024 pixels, ImageNet's normalisation. The
sigmoid and the stretch of its map to 0..1 are made here, since rembg's divides by zero where the map is one value.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass

MEAN, STD, SIDE_PX = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1024

FLAT = 0.05
"""How far apart the least and the greatest certainty of a map are at least; one of nothing is not stretched."""


class Network:
    """A rembg session for an ONNX file wherever it lies, on the processor or on what onnxruntime was installed for."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        # pymatting's numba would take OpenMP, which is torch's too: with other threads other kinds' pixels change
        os.environ["NUMBA_THREADING_LAYER"] = "workqueue"
        from rembg.sessions.birefnet_general import BiRefNetSessionGeneral

        class Local(BiRefNetSessionGeneral):
            """Takes the file that it is given, and downloads none."""

            @classmethod
            def download_models(cls, *args: Any, **how: Any) -> str:
                return str(path)

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads burn no processor
        self.session = Local("birefnet-general", options)
        self.nbytes = path.stat().st_size

    @classmethod
    def from_pretrained(cls, place: Path, local_files_only: bool = True, dtype: Any = None) -> "Network":
        """Load an ONNX file, or the one that lies in a folder; it has its own precision."""
        return cls(place if place.is_file() else next(iter(sorted(place.glob("*.onnx")))))

    def eval(self) -> "Network":
        """Return itself: it cannot be trained."""
        return self

    def to(self, device: Any) -> "Network":
        """Return itself: onnxruntime chose its device when it was loaded."""
        return self

    def parameters(self) -> Iterator[Any]:
        """Return none: the weights are onnxruntime's."""
        return iter(())

    buffers = children = parameters

    def alpha(self, image: Image.Image) -> Image.Image:
        """Return how much of each pixel belongs to what a picture is of.

        Args:
            image: mode RGB, any size.

        Returns:
            mode L, the same size; black everywhere where the network sees nothing.
        """
        inner = self.session.inner_session
        (made, *_) = inner.run(None, self.session.normalize(image, MEAN, STD, (SIDE_PX, SIDE_PX)))
        sure = 1 / (1 + np.exp(-made[0, 0].astype(np.float64)))
        low, high = float(sure.min()), float(sure.max())
        if high - low >= FLAT:
            sure = (sure - low) / (high - low)
        mask = Image.fromarray((sure * 255).round().astype(np.uint8))
        return mask.resize(image.size, Image.Resampling.LANCZOS)


class BiRefNet:
    """A network that finds what a picture is of."""

    PARTS: ClassVar = {"network": PartClass("hotfolder.models.families.birefnet", "Network", at_root=True)}

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        self.entry = entry
        self.network: Network = parts["network"]

    def cutout(self, image: Image.Image) -> Image.Image:
        """Return the mask of what a picture is of: mode L, white where it is; `image` is RGB, any size."""
        return self.network.alpha(image)


FAMILIES.add("birefnet", BiRefNet)
