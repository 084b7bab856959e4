"""LoRAs in a diffusers pipeline: loaded once, kept, and switched by weight from job to job."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from hotfolder.errors import RejectedInput
from hotfolder.models.loras import Lora

_NUMBERS = itertools.count()
"""Adapters are called by numbers of their own: pipelines share text encoders, and names may not have dots."""


class Adapters:
    """The LoRAs of one pipeline. Between jobs none acts: parts are shared with other pipelines."""

    def __init__(self, pipeline: Any, model: str) -> None:
        self._pipeline = pipeline
        self._model = model
        self._loaded: dict[tuple[str, str], str] = {}
        if pipeline.get_list_adapters():  # of an earlier pipeline over the same parts
            pipeline.unload_lora_weights()

    @contextlib.contextmanager
    def active(self, wanted: Sequence[Lora]) -> Iterator[None]:
        """Let the wanted LoRAs act, several at once, each by its weight.

        Those that are loaded and not wanted are unloaded where another has to be loaded in their stead; a job without
        LoRAs unloads none.

        Raises:
            RejectedInput: a file cannot be loaded, or not all of it fits the model.
        """
        if not wanted:
            yield
            return
        weights = {(str(lora.path), lora.hash): lora.weight for lora in wanted}
        if weights.keys() - self._loaded.keys():
            self._unload(self._loaded.keys() - weights.keys())
        for lora in wanted:
            if (key := (str(lora.path), lora.hash)) not in self._loaded:
                self._loaded[key] = self._load(lora)
        self._pipeline.enable_lora()
        self._pipeline.set_adapters([self._loaded[key] for key in weights], list(weights.values()))
        try:
            yield
        finally:
            self._pipeline.disable_lora()

    def _load(self, lora: Lora) -> str:
        """Load one file; returns its adapter's name. A file of which nothing, or not all, found its layer is refused:
        diffusers would go on without."""
        adapter = f"lora{next(_NUMBERS)}"
        refusal = f"the LoRA `{lora.name}` does not fit {self._model}"
        try:
            expected = _layers(self._pipeline.lora_state_dict(str(lora.path), local_files_only=True))
            self._pipeline.load_lora_weights(str(lora.path), adapter_name=adapter, local_files_only=True)
        except Exception as error:  # every format complains in its own way
            self._forget(adapter)
            if type(error).__name__ in ("OutOfMemoryError", "MemoryError"):
                raise
            raise RejectedInput(f"{refusal}: {str(error).strip().splitlines()[0][:300]}") from error
        fitting = sum(adapter in getattr(module, "lora_A", ()) for module in self._pipeline.transformer.modules())
        if not fitting or fitting < expected:
            self._forget(adapter)
            raise RejectedInput(f"{refusal}: {fitting} of its {expected} layers are in that model")
        return adapter

    def _forget(self, adapter: str) -> None:
        present = {name for names in self._pipeline.get_list_adapters().values() for name in names}
        if adapter in present:
            self._pipeline.delete_adapters(adapter)

    def _unload(self, keys: set[tuple[str, str]]) -> None:
        """Take LoRAs out; when the last one goes the model is bit by bit what it was."""
        if keys == self._loaded.keys():
            self._pipeline.unload_lora_weights()
            self._loaded.clear()
        for key in keys & self._loaded.keys():
            self._pipeline.delete_adapters(self._loaded.pop(key))


def _layers(state: dict[str, Any]) -> int:
    """Return how many layers of the denoiser a LoRA's tensors, named as diffusers names them, are for."""
    return len({name.partition(".lora_")[0] for name in state if ".lora_" in name and "text_encoder" not in name})
