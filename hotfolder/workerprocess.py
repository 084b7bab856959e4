"""The service's end of the pipe to its worker."""

from collections.abc import Callable

from hotfolder.childprocess import ChildProcess
from hotfolder.workspace import Workspace

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
CARDS = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
"""Cards have the numbers that the driver and nvidia-smi give them: the card that is measured is the one that works."""


class WorkerProcess(ChildProcess):
    """One worker, which never uses the network."""

    def __init__(self, workspace: Workspace, ring: Callable[[], None]) -> None:
        log = workspace.private / "logs" / "worker.log"
        super().__init__("hotfolder.worker", [str(workspace.models)], log, ring, **OFFLINE, **CARDS)
