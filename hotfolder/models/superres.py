"""A network for super-resolution as one part of a model: whatever architecture spandrel finds in a file of weights.

**Source:** spandrel (MIT) finds architecture, scale and fit precisions by the names and shapes of the weights. It reads
a .pth by an unpickler that knows nine harmless names, but a .pt by `torch.jit.load`, which runs what is in it.
"""

from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from spandrel import ImageModelDescriptor, ModelDescriptor, ModelLoader, UnsupportedModelError
from torch import Tensor

from hotfolder.errors import JobError

CHANNELS_LAST = ("ESRGAN", "Compact")
"""Convolutions alone, which run faster with the channels innermost; networks with attention gain nothing."""

PURPOSES = {
    "FaceSR": "is for faces alone",
    "Restoration": "cleans pictures and enlarges none",
    "Inpainting": "fills holes",
}


class Network(torch.nn.Module):
    """A network in memory. `scale`: how many times longer it makes each edge."""

    def __init__(self, found: ImageModelDescriptor) -> None:
        super().__init__()
        self.net = found.model
        self.scale = found.scale
        self._found = found
        is_plain = found.architecture.id in CHANNELS_LAST
        self._layout = torch.channels_last if is_plain else torch.contiguous_format
        self.net.to(memory_format=self._layout)

    @classmethod
    def from_pretrained(cls, place: Path, dtype: torch.dtype, local_files_only: bool = True) -> "Network":
        """Load a file of weights, or the one that lies in a folder.

        A network that does not stand half precision comes in single precision.

        Raises:
            JobError: it is none that can be used; says why.
        """
        path = place if place.is_file() else next(iter(sorted(place.glob("*.safetensors"))))
        found = _read(path)
        stands = {torch.float16: found.supports_half, torch.bfloat16: found.supports_bfloat16}
        found.to(dtype if stands.get(dtype, True) else torch.float32)
        return cls(found)

    def forward(self, tile: Tensor) -> Tensor:
        """Enlarge (1, 3, h, w), uint8, anywhere, to (1, 3, h * scale, w * scale), 0..1, in the network's precision.

        Some networks and cards give NaN in half precision, for 65,504 is its largest number: a picture would be black.
        Then it goes on in single precision, for good.
        """
        first = next(self.net.parameters())
        values = tile.to(first.device).to(first.dtype).div_(255)
        bands = values.split(self._found.input_channels, dim=1)
        made = torch.cat([self._found(band.contiguous(memory_format=self._layout)) for band in bands], dim=1)
        if first.dtype == torch.float32 or not made.isnan().any():
            return made
        self.float()
        return self(tile)


def _read(path: Path) -> ImageModelDescriptor:
    if path.suffix not in (".safetensors", ".pth"):
        raise JobError(f"{path} is a pickle, which could run any program when it is read")
    with open(path, "rb") as file:
        if file.read(1) == b"<":
            raise JobError(f"{path} is a web page: the download gave a page instead of the file; download it again")
    loader = ModelLoader("cpu")
    try:
        weights = loader.load_state_dict_from_file(path)
    except (SafetensorError, UnpicklingError, OSError, EOFError, RuntimeError) as error:
        raise JobError(f"{path} is cut short or holds no weights at all ({error}); download it again") from None
    try:
        found = loader.load_from_state_dict(weights)
    except UnsupportedModelError:
        raise JobError(f"the weights in {path} are of no architecture that is known for enlarging pictures") from None
    except (AssertionError, RuntimeError, ValueError, LookupError, TypeError) as error:  # as architectures complain
        raise JobError(f"the weights in {path} are of sizes that do not belong together ({error})") from None
    return _upscaler(found, path)


def _upscaler(found: ModelDescriptor, path: Path) -> ImageModelDescriptor:
    if not isinstance(found, ImageModelDescriptor) or found.purpose != "SR":
        raise JobError(
            f"the network in {path} ({found.architecture.name}) {PURPOSES[found.purpose]}; it is no upscaler"
        )
    if (found.input_channels, found.output_channels) not in ((3, 3), (1, 1)):
        raise JobError(
            f"the network in {path} takes {found.input_channels} channels and gives {found.output_channels}; only "
            "colour and grey can be used"
        )
    return found
