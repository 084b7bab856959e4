"""One part of a model from its files into memory, without the network."""

import importlib
from typing import Any

from hotfolder.models.families.base import PartClass
from hotfolder.models.placement import Device, Precision
from hotfolder.models.sources import Source


def load(kind: PartClass, source: Source, precision: Precision) -> Any:
    """Return a part in main memory; where its files hold the precision wanted, its weights are still theirs, mapped.

    Raises:
        OSError, ValueError, LookupError, TypeError, AttributeError: as diffusers and transformers complain.
    """
    import torch

    made = getattr(importlib.import_module(kind.library), kind.name)
    if not kind.has_weights:
        return made.from_pretrained(source.folder, local_files_only=True)
    dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    return made.from_pretrained(source.folder, local_files_only=True, dtype=dtypes[precision]).eval()


def put(module: Any, device: Device) -> None:
    """Bring a part's weights to where they are used.

    On a processor that is memory of their own. In the mapped file they are not aligned to what it reads at once: sums
    are then made in another order, and a picture differs from that of the same weights elsewhere in memory. Nor may a
    file that is replaced change a model in use.
    """
    import torch

    if device != "cpu":
        module.to(device)
        return
    with torch.no_grad():
        for tensor in _tensors(module):
            tensor.data = tensor.data.clone()


def bytes_of(module: Any) -> int:
    """Return what a module's weights take in memory; weights that it uses twice count once."""
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in _tensors(module)}.values())


def _tensors(module: Any) -> list[Any]:
    return [*module.parameters(), *module.buffers()]
