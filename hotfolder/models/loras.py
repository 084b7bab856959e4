"""LoRA files: where they lie, and which models they were made for. Reads headers only, and imports no torch.

**Source**: safetensors' format (8 bytes little-endian: the length of a JSON header with names, shapes, metadata). The
hints at a LoRA's base model are how kohya-ss/sd-scripts, InvokeAI (Apache-2.0) and diffusers (Apache-2.0) name layers;
no code was taken.
"""

import functools
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hotfolder import miniatures
from hotfolder.errors import NotYet, RejectedInput
from hotfolder.models import complete, entries
from hotfolder.models.entries import ModelEntry
from hotfolder.registry import did_you_mean
from hotfolder.spec import LoraUse

MAX_HEADER_BYTES = 100_000_000
"""safetensors' own limit."""

OTHER_FORMATS = (".ckpt", ".pt", ".pth", ".bin")
FAMILIES = {"flux1": "FLUX.1"}
"""Model family -> how LoRAs for it are called here."""


@dataclass(frozen=True)
class Lora:
    """A LoRA that a job uses: its file, and how strongly it acts."""

    name: str
    weight: float
    path: Path

    @property
    def hash(self) -> str:
        """The first ten hex digits of the SHA-256 of the file."""
        status = self.path.stat()
        return _hash(self.path, status.st_size, status.st_mtime_ns)


def chosen(uses: Sequence[LoraUse], models: Path, entry: ModelEntry) -> tuple[Lora, ...]:
    """Return the LoRAs that act in a job, each file once: the weights of one that is named several times add up.

    Raises:
        NotYet, RejectedInput: as `locate`.
    """
    found: dict[Path, Lora] = {}
    for lora in (locate(use, models, entry) for use in uses):
        if first := found.get(lora.path):
            lora = replace(first, weight=round(first.weight + lora.weight, 6))
        found[lora.path] = lora
    return tuple(found.values())


def locate(use: LoraUse, models: Path, entry: ModelEntry) -> Lora:
    """Return the LoRA that a job names, for a model: models/loras/NAME.safetensors, also in folders there, else a
    shipped or a known one.

    Raises:
        NotYet: it is not on this machine.
        RejectedInput: it is no LoRA, or one for other models.
    """
    path = _find(use.name, models, entry)
    made_for, own = base_model(path), FAMILIES.get(entry.family)
    if made_for not in (own, None):
        raise RejectedInput(f"the LoRA `{use.name}` is for {made_for} and does not fit {entry.name} ({own})")
    return Lora(use.name, use.weight, path)


def _find(name: str, models: Path, entry: ModelEntry) -> Path:
    plain = name.replace("\\", "/").removeprefix(f"{models.as_posix()}/loras/").removeprefix("models/loras/")
    plain = plain.removesuffix(".safetensors")
    wanted = plain.casefold()
    shipped = _named(miniatures.LORAS, (".safetensors",)) if entry.is_miniature else {}
    files = shipped | _named(models / "loras", (".safetensors",))
    if path := files.get(wanted):
        return path
    known = {other.name: other for other in entries.entries().values() if other.lora_for}
    if lora := known.get(name):
        folder = entries.weights_folder(lora, models)
        return next(path for pattern in (lora.files[0], "*.safetensors") for path in sorted(folder.glob(pattern)))
    if path := _named(models / "loras", OTHER_FORMATS).get(wanted):
        raise RejectedInput(
            f"the LoRA {path.name} is in a format that can run programs when it is opened; "
            "hotfolder takes LoRAs as .safetensors only"
        )
    hint = did_you_mean(wanted, [*files, *known])
    raise NotYet(f"waits for the LoRA `{plain}`: put it into models/loras/ as {plain}.safetensors{hint}")


def _named(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Return the files below a folder by their stem and by their path there without the suffix, in lower case."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*"), reverse=True):  # of equal stems the first one counts
        if path.suffix.lower() in suffixes and path.is_file():
            for name in (path.stem, path.relative_to(folder).with_suffix("").as_posix()):
                found[name.casefold()] = path
    return found


def base_model(path: Path) -> str | None:
    """Return what a LoRA was made for, None where neither its metadata nor its layers tell.

    Raises:
        RejectedInput: it is no LoRA, or not whole.
    """
    status = path.stat()
    return _base_model(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(256)
def _base_model(path: Path, size: int, mtime_ns: int) -> str | None:
    metadata, shapes = _header(path, size)
    if not any(_IS_LORA.search(key) for key in shapes):
        kind = "a LyCORIS file, which FLUX pipelines cannot read" if any(map(_IS_LYCORIS.search, shapes)) else "no LoRA"
        raise RejectedInput(f"{path.name} is {kind}: none of its {len(shapes)} tensors is one of a LoRA")
    told = metadata.get("ss_base_model_version", "")  # modelspec.architecture is sometimes wrong where both are there
    told = told or metadata.get("modelspec.architecture", "")
    return _by_metadata(told.lower()) or _by_layers(shapes)


def _header(path: Path, size: int) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Return a safetensors file's metadata, and the shapes of its tensors by name."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        start = file.read(min(length, size, MAX_HEADER_BYTES))
    try:
        header: dict[str, Any] = json.loads(start)
        metadata = header.pop("__metadata__", {})
        shapes = {name: list(tensor["shape"]) for name, tensor in header.items()}
        end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except (ValueError, AttributeError, TypeError, LookupError):
        raise RejectedInput(f"{path.name} {complete.fault(path)}") from None
    if size != 8 + length + end:
        raise RejectedInput(f"{path.name} is cut short: {size:,} of {8 + length + end:,} bytes; copy it again")
    return metadata, shapes


_IS_LORA = re.compile(r"lora_(A|B|down|up)\b|lora[12]\.(down|up)\.weight|lora\.(down|up)\.weight|lora_linear_layer")
_IS_LYCORIS = re.compile(r"lokr_|hada_|\.oft_|\.dora_scale")

_TOLD = {
    r"flux\W*2|flux2|klein": "FLUX.2",
    r"chroma": "Chroma",
    r"flux": "FLUX.1",
    r"qwen": "Qwen-Image",
    r"z-?image": "Z-Image",
    r"sdxl|stable-diffusion-xl": "Stable Diffusion XL",
    r"sd_?3|stable-diffusion-3": "Stable Diffusion 3",
    r"sd_v2|stable-diffusion-v2": "Stable Diffusion 2",
    r"sd_v1|stable-diffusion-v1": "Stable Diffusion 1.5",
}
"""What the metadata says -> the base model; the first that matches."""

_LAYERS = {
    r"distilled_guidance_layer": "Chroma",
    r"to_qkv_mlp_proj|ff\.linear_in|double_stream_modulation": "FLUX.2",
    r"transformer_blocks[._]\d+[._](img_mlp|img_mod|txt_mlp|txt_mod)": "Qwen-Image",
    r"noise_refiner|diffusion_model\.layers\.": "Z-Image",
    r"double_stream_blocks": "HiDream",
    r"txtfusion": "Krea 2",
    r"joint_blocks": "Stable Diffusion 3",
    r"lora_te2_|add_embedding": "Stable Diffusion XL",
    r"(double_blocks|single_blocks)[._]\d+|single_transformer_blocks[._]\d+": "FLUX.1",
}
"""Layers that only one architecture has -> the base model; the first that matches."""

_INPUTS = {
    r"(add_k_proj|add_q_proj|add_v_proj)\W": {3072: "FLUX.1", 1536: "Stable Diffusion 3", 2432: "Stable Diffusion 3"},
    r"(context_embedder|txt_in)\W": {
        4096: "FLUX.1", 7680: "FLUX.2", 12288: "FLUX.2", 15360: "FLUX.2", 3584: "Qwen-Image"
    },
    r"attn2[._]to_[kv]\W": {2048: "Stable Diffusion XL", 1024: "Stable Diffusion 2", 768: "Stable Diffusion 1.5"},
}  # fmt: skip
"""Layers whose inputs tell by how wide they are."""


def _by_metadata(told: str) -> str | None:
    return next((base for words, base in _TOLD.items() if re.search(words, told)), None)


def _by_layers(shapes: dict[str, list[int]]) -> str | None:
    for words, base_by_width in _INPUTS.items():
        for key, shape in shapes.items():
            if re.search(words, key) and re.search(r"lora_A|lora_down|lora\.down|lora[12]\.down", key):
                if base := base_by_width.get(shape[-1]):
                    return base
    keys = "\n".join(shapes)
    found = next((base for words, base in _LAYERS.items() if re.search(words, keys)), None)
    if found is None and re.search(r"lora_unet_(input|down|middle|mid|up|output)_blocks|^unet\.", keys, re.MULTILINE):
        return "Stable Diffusion"
    return found


@functools.lru_cache(256)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:10]
