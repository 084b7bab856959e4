"""The service's end of the pipe to its worker."""

from collections.abc import Callable
from pathlib import Path

from hotfolder.childprocess import ChildProcess

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class WorkerProcess(ChildProcess):
    """One worker, which never uses the network."""

    def __init__(self, models: Path, log: Path, ring: Callable[[], None]) -> None:
        super().__init__("hotfolder.worker", [str(models)], log, ring, **OFFLINE)
