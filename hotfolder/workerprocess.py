"""The service's end of the pipe to its worker."""

from collections.abc import Callable

from hotfolder.childprocess import ChildProcess
from hotfolder.workspace import Workspace

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class WorkerProcess(ChildProcess):
    """One worker, which never uses the network."""

    def __init__(self, workspace: Workspace, ring: Callable[[], None]) -> None:
        log = workspace.private / "logs" / "worker.log"
        super().__init__("hotfolder.worker", [str(workspace.models)], log, ring, **OFFLINE)
