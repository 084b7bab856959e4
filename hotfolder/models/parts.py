"""The components of models at full size: their shipped configuration, and the memory they take. Imports no torch.

**Source:** bitsandbytes' NF4: half a byte a weight, and a float32 for each block of 64 weights.
"""

import functools
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hotfolder import yamlfile
from hotfolder.models.placement import Precision
from hotfolder.spec import Strict

CONFIGS = Path(__file__).parent / "configs"
BYTES_EACH = {"bf16": 2.0, "fp16": 2.0, "fp32": 4.0, "nf4": 0.5 + 4 / 64}


class Part(Strict):
    """One component. `params` counts its parameters; `kept` those that NF4 leaves in 16 bits, None: it leaves all."""

    name: str
    params: Annotated[int, Field(gt=0)]
    kept: Annotated[int, Field(ge=0)] | None = None

    @property
    def folder(self) -> Path:
        """Where its published configuration lies: `config.json`, as `from_pretrained` and `from_single_file` read it.

        Tokenizers are not among them: they come with the weights.
        """
        return CONFIGS / self.name

    def bytes(self, precision: Precision) -> int:
        """Return what its weights take in memory."""
        if precision != "nf4":
            return round(self.params * BYTES_EACH[precision])
        kept = self.params if self.kept is None else self.kept
        return round((self.params - kept) * BYTES_EACH["nf4"] + kept * BYTES_EACH["bf16"])


@functools.cache
def parts() -> dict[str, Part]:
    """Return every component by name."""
    (document,) = yamlfile.parse((CONFIGS / "parts.yaml").read_bytes(), "parts.yaml")
    return {name: Part(name=name, **values) for name, values in document.values.items()}
