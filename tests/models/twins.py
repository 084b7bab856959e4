"""Models that share all files but the transformer's, as FLUX.1 [schnell] and [dev] do; tiny."""

import hashlib
import os
import shutil
from pathlib import Path

from hotfolder.models.entries import entries
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


def put_in_cache(cache: Path, name: str, number: int) -> Path:
    """Put one of them into a cache of the hub: bytes under the name of their hash, and links; returns the snapshot."""
    repo = entries()[name].repo
    assert repo
    plain = cache.parent / f"plain-{name}"
    shutil.copytree(tiny.weights(), plain)
    change_weights(plain / TRANSFORMER, number)
    storage = cache / f"models--{repo.replace('/', '--')}"
    snapshot = storage / "snapshots" / ("0" * 40)
    (storage / "blobs").mkdir(parents=True)
    for path in [path for path in plain.rglob("*") if path.is_file()]:
        blob = storage / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copy(path, blob)
        link = snapshot / path.relative_to(plain)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


def change_weights(path: Path, number: int) -> None:
    """Add a number to the last weight of a file: other weights, of the same size."""
    content = bytearray(path.read_bytes())
    content[-2] = (content[-2] + number) % 256
    path.write_bytes(content)
