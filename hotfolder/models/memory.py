"""What is done when a device's memory runs out: step by step what frees more and costs more time. Imports no torch."""

import gc
import sys
from collections.abc import Collection, Iterator

from hotfolder.errors import OutOfMemory
from hotfolder.models.placement import Placement

FREED = "other models made room"


def rungs(placement: Placement, parts: Collection[str]) -> Iterator[tuple[str, Placement]]:
    """Yield the ladder from a placement down: a name for the record, "" for the placement as it is, and what it
    becomes. Only a card's memory is another than the processor's, so nothing can leave elsewhere; and only a pipeline,
    which has a VAE among its parts, can be put otherwise than whole."""
    yield "", placement
    yield FREED, placement
    if "vae" not in parts:
        return
    if not placement.tile_vae:
        placement = placement.model_copy(update={"tile_vae": True})
        yield "VAE in tiles", placement
    if placement.device != "cuda":
        return
    if placement.offload == "none" and not placement.encoders_leave:
        placement = placement.model_copy(update={"encoders_leave": True})
        yield "text encoders away while sampling", placement
    if placement.offload == "none":
        placement = placement.model_copy(update={"offload": "model"})
        yield "model offload", placement
    if placement.offload != "sequential":
        yield "sequential offload", placement.model_copy(update={"offload": "sequential"})


def ran_out(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out: ours, Python's, or torch's (on Apple's a RuntimeError)."""
    if isinstance(error, (MemoryError, OutOfMemory)) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


def take_peak_mb() -> float | None:
    """Return the most of a card's memory that was in use since the last call, in 10**6 bytes; None without a card."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    peak = torch.cuda.max_memory_allocated() / 1e6
    torch.cuda.reset_peak_memory_stats()
    return float(peak)


def tidy() -> None:
    """Give back to the device what nobody uses any more."""
    gc.collect()
    if torch := sys.modules.get("torch"):  # where it was never imported, it holds nothing
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()
