"""What a family says of itself: the parts that its models are made of. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hotfolder.models.entries import ModelEntry
from hotfolder.models.placement import Placement, Precision


@dataclass(frozen=True)
class PartClass:
    """What one part of a family is an object of.

    `library` and `name` name the class, as `model_index.json` does. `has_weights` is False for tokenizers and noise
    schedulers. `is_text`: it is the large text encoder, whose precision a placement names apart. `nf4`: its linear
    layers may be quantised. `at_root`: it lies in the model's folder itself, not in a folder of the part's name.
    """

    library: str
    name: str
    has_weights: bool = True
    is_text: bool = False
    nf4: bool = False
    at_root: bool = False

    def precision(self, placement: Placement) -> Precision:
        """Return the precision that a placement asks of this part; what is not quantised beside NF4 is in bf16."""
        wanted = placement.text_precision if self.is_text else placement.precision
        return "bf16" if wanted == "nf4" and not self.nf4 else wanted


class Family(Protocol):
    """A model of one family, ready to work. The pool loads, shares and moves its parts."""

    PARTS: ClassVar[Mapping[str, PartClass]]

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None: ...
