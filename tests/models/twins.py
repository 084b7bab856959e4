"""Models that share all files but the transformer's, as FLUX.1 [schnell] and [dev] do; tiny."""

import shutil
from pathlib import Path

from hotfolder.models.placement import Placement
from tests.service import tiny

CPU = Placement(device="cpu", precision="fp32", text_precision="fp32")
SCHNELL, DEV, THIRD = "flux1-schnell", "flux1-dev", "flux1-schnell-miniature"
SHARED = ("text_encoder", "text_encoder_2", "vae")
TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors"


def put(folder: Path) -> Path:
    """Fill a folder with two models as a workspace holds them, each with copies of its own, and a `third`."""
    for number, place in enumerate((f"checkpoints/{SCHNELL}", f"checkpoints/{DEV}", "third")):
        shutil.copytree(tiny.weights(), folder / place)
        change_weights(folder / place / TRANSFORMER, number)
    return folder


def change_weights(path: Path, number: int) -> None:
    """Add a number to the last weight of a file: other weights, of the same size."""
    content = bytearray(path.read_bytes())
    content[-2] = (content[-2] + number) % 256
    path.write_bytes(content)
