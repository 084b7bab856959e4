"""One part of a model from its files into memory, without the network."""

import importlib
import logging
import pickle
from pathlib import Path
from typing import Any

from hotfolder.models import quantized
from hotfolder.models.checkpoints import PREFIX
from hotfolder.models.families.base import PartClass
from hotfolder.models.placement import Device, Precision
from hotfolder.models.sources import Source

log = logging.getLogger("hotfolder")


def load(kind: PartClass, source: Source, precision: Precision, device: Device, models: Path) -> Any:
    """Return a part in main memory; where its files hold the precision wanted, its weights are still theirs, mapped.

    Args:
        precision: for `nf4` the weights are quantised on `device`, and kept in the folder `models` for the next time.

    Raises:
        OSError, ValueError, LookupError, TypeError, AttributeError: as diffusers and transformers complain.
    """
    import torch

    made = getattr(importlib.import_module(kind.library), kind.name)
    if not kind.has_weights:
        return made.from_pretrained(source.folder, local_files_only=True)
    if precision == "nf4":
        return _load_nf4(kind, source, device, models)
    dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    if source.is_original:
        return _load_original(made, source, dtypes[precision])
    try:
        return made.from_pretrained(source.folder, local_files_only=True, dtype=dtypes[precision]).eval()
    except pickle.UnpicklingError as error:  # torch's reader, which knows tensors alone
        raise ValueError(f"{source.files[0].path.name} holds more than weights; nothing of it was run") from error


def _load_original(made: Any, source: Source, dtype: Any) -> Any:
    """Return a part made of one file in its makers' layout. The configuration is given: diffusers would guess it, and
    ask the hub for it.

    Its file is opened here, since diffusers tells what it is by its name, and the hub's cache names it by its hash.
    """
    from safetensors import SafetensorError, safe_open

    from hotfolder.models import memory

    (file,) = source.files
    try:
        with safe_open(file.path, framework="pt") as opened:
            names = opened.keys()
            own = [name for name in names if name.startswith(PREFIX)] or names  # others hold encoders and VAE too
            tensors = {name.removeprefix(PREFIX): opened.get_tensor(name).to(dtype) for name in own}
        module = made.from_single_file(tensors, config=str(source.folder), dtype=dtype, local_files_only=True)
    except (RuntimeError, SafetensorError) as error:
        if memory.ran_out(error):
            raise
        raise ValueError(f"{file.path.name} does not fit {source.folder.name}: {error}") from error
    return module.eval()


def _load_nf4(kind: PartClass, source: Source, device: Device, models: Path) -> Any:
    from hotfolder.models import nf4

    path = quantized.file_of(kind, source, models)
    if path.is_file():
        return nf4.load(kind, source.folder, path)
    module = load(kind, source, "bf16", device, models)
    nf4.quantise(module, device)
    try:
        nf4.save(module, path)
    except OSError as error:
        log.warning("%s cannot be kept (%s); it is quantised anew at the next start", path, error)
    return module


def own(module: Any) -> None:
    """Give weights memory of their own. In the mapped file they are not aligned to what a processor reads at once: sums
    are then made in another order, and a picture differs from that of the same weights elsewhere in memory. Nor may a
    file that is replaced change a model in use.
    """
    import torch

    with torch.no_grad():
        for tensor in _tensors(module):
            tensor.data = tensor.data.clone()


def bytes_of(module: Any) -> int:
    """Return what a module's weights take in memory; weights that it uses twice count once."""
    of_torch = sum({tensor.data_ptr(): tensor.nbytes for tensor in _tensors(module)}.values())
    return of_torch or getattr(module, "nbytes", 0)  # what another library runs says it itself


def _tensors(module: Any) -> list[Any]:
    """Return all of a module's tensors; the scales of NF4 are no parameters, they hang on them."""
    found = [*module.parameters(), *module.buffers()]
    states = [tensor.quant_state for tensor in found if getattr(tensor, "quant_state", None) is not None]
    return [*found, *(tensor for state in states for tensor in (state.absmax, state.code))]
