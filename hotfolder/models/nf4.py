"""NF4: four bits a weight, by bitsandbytes. Weights are quantised once and kept; the next start reads the small file.

diffusers and transformers quantise while they load, and refuse to without a GPU. This works on what is loaded, so that
the same code runs on a processor, where it is tested.

**Source**: bitsandbytes 0.50 (MIT), `Linear4bit` and `Params4bit.from_prequantized`. A block of 64 weights has one
float32 scale. transformers leaves T5's `wo` as it is; its outputs are large.
"""

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from bitsandbytes.nn import Linear4bit, Params4bit
from safetensors.torch import load_file, save_file

from hotfolder import atomic
from hotfolder.models.families.base import PartClass

KEPT = ("wo",)
"""Layers that stay in 16 bits."""
BLOCK = 64


def quantise(module: Any, device: str) -> None:
    """Swap the linear layers of a module in bfloat16 for NF4 ones, one at a time; the arithmetic is done on `device`,
    the result is in main memory."""
    for parent, name, layer in _linear_layers(module):
        made = _empty_like(layer)
        weight = Params4bit(
            layer.weight.data, blocksize=BLOCK, compress_statistics=False, quant_type="nf4", module=made
        )
        made.weight = weight.to(device).to("cpu")
        made.bias = layer.bias
        setattr(parent, name, made)
    module.is_loaded_in_4bit = True  # peft looks for it


def save(module: Any, path: Path) -> None:
    """Write a quantised module, whole or not at all.

    Raises:
        OSError: the disk refused it.
    """
    tensors, seen = {}, set()
    for name, tensor in module.state_dict().items():
        if tensor.data_ptr() not in seen:  # T5 uses its embedding under two names
            seen.add(tensor.data_ptr())
            tensors[name] = tensor.contiguous()
    atomic.make_folders(path.parent)
    part = path.with_name(f"{path.name}.part")
    try:
        save_file(tensors, part, metadata={"format": "pt"})
        atomic.fsync_file(part)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def load(kind: PartClass, folder: Path, path: Path) -> Any:
    """Return a module of the configuration in `folder` with the quantised weights of a file, in main memory.

    Raises:
        ValueError: the file does not fit the configuration.
    """
    made = getattr(importlib.import_module(kind.library), kind.name)
    with init_empty_weights(include_buffers=False):
        if kind.library == "diffusers":
            module = made.from_config(made.load_config(folder, local_files_only=True))
        else:
            module = made(made.config_class.from_pretrained(folder, local_files_only=True))
        for parent, name, layer in _linear_layers(module):
            setattr(parent, name, _empty_like(layer))
    tensors = load_file(path)
    scales: dict[str, dict[str, torch.Tensor]] = {}
    for key in [key for key in tensors if ".weight." in key]:
        scales.setdefault(key.partition(".weight.")[0], {})[key] = tensors.pop(key)
    for prefix, state in scales.items():
        layer = module.get_submodule(prefix)
        weight = tensors.pop(f"{prefix}.weight")
        layer.weight = Params4bit.from_prequantized(weight, state, device="cpu", module=layer)
    module.load_state_dict(tensors, strict=False, assign=True)
    if kind.library == "transformers":
        module.tie_weights()
    lacks = [name for name, tensor in module.named_parameters() if tensor.is_meta]
    if lacks:
        raise ValueError(f"{lacks[0]} is missing in {path.name}")
    module.is_loaded_in_4bit = True
    return module.eval().requires_grad_(False)


def _linear_layers(module: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield what is to be quantised: the module that holds it, its name there, and the layer."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is torch.nn.Linear and name not in KEPT:
                yield parent, name, layer


def _empty_like(layer: Any) -> Any:
    return Linear4bit(
        layer.in_features, layer.out_features, layer.bias is not None, compute_dtype=torch.bfloat16,
        compress_statistics=False, quant_type="nf4", device=torch.device("meta"),
    )  # fmt: skip
