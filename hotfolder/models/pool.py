"""Which models are in memory. One at a time: a new one takes the place of the old."""

import functools
import gc
import hashlib
import time
from pathlib import Path
from typing import Any

from hotfolder.errors import JobError, OutOfMemory
from hotfolder.models import entries
from hotfolder.models.families import FAMILIES, discover


class ModelPool:
    """Loads models for the worker. `load_s` sums the seconds spent loading since it was last read."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._family: Any = None
        self.resident = ""
        self.load_s = 0.0

    def use(self, name: str) -> Any:
        """Return the loaded model of a registry entry, loading it in place of another when needed.

        Raises:
            NotYet: its weights are not here.
            OutOfMemory: it does not fit.
        """
        if name != self.resident:
            entry = entries.entries()[name]
            folder = entries.weights_folder(entry, self._models)
            self.release()
            discover()
            began = time.monotonic()
            try:
                self._family = FAMILIES[entry.family](entry, folder)
            except MemoryError as error:
                raise OutOfMemory(f"{name} does not fit into memory") from error
            except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:  # as diffusers complains
                raise JobError(
                    f"the weights of {name} in {folder} cannot be loaded ({error}); download them again"
                ) from error
            self.load_s += time.monotonic() - began
            self.resident = name
        return self._family

    def release(self) -> None:
        """Free what is loaded."""
        self._family, self.resident = None, ""
        gc.collect()


@functools.cache
def model_hash(folder: Path) -> str:
    """Return ten hex digits that name a model's weights: of the SHA-256 over the hashes of its .safetensors files.

    A1111 writes the first ten digits of the single checkpoint's hash; a diffusers folder has several files.
    """
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:10]
