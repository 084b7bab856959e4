"""A stand-in for NVIDIA's library where there is no card: the functions of pynvml that are used, and no others.

Its errors are pynvml's own. `test_gpu` holds it against the installed pynvml.
"""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pynvml

CARDS = {"GPU-aaaa-1": "Stand-in A", "GPU-bbbb-2": "Stand-in B"}
TOTAL_BYTES = 24_000_000_000


class StandIn:
    """Two cards. `lacks` are functions that they do not support; `power_w` grows by `grows_w` each second, and the
    counter with it. `hang` makes every question wait until it is set."""

    NVMLError = pynvml.NVMLError
    NVMLError_LibraryNotFound = pynvml.NVMLError_LibraryNotFound
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU

    def __init__(self, *lacks: str, power_w: float = 100.0, grows_w: float = 0.0, cards: int = 2) -> None:
        self.lacks, self.power_w, self.grows_w, self.cards = set(lacks), power_w, grows_w, cards
        self.began_s = time.monotonic()
        self.lost = self.hangs = False
        self.let_go = threading.Event()
        self.asked: list[tuple[float, str]] = []

    def asked_at(self, function: str) -> list[float]:
        """Return when it was asked that, monotonic seconds."""
        return [at for at, asked in list(self.asked) if asked == function]

    def monotonic(self) -> float:
        """Return when it answered last, for who takes it for a clock."""
        return self.asked[-1][0] if self.asked else self.began_s

    def drawn_j(self, at_s: float) -> float:
        """Return the energy from the beginning until then."""
        return self.power_w * (at_s - self.began_s) + self.grows_w * (at_s - self.began_s) ** 2 / 2

    def nvmlInit(self) -> None:
        self._answer("nvmlInit")

    def nvmlDeviceGetCount(self) -> int:
        return self.cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        return list(CARDS)[index]

    def nvmlDeviceGetUUID(self, handle: Any) -> str:
        return str(handle)

    def nvmlDeviceGetName(self, handle: Any) -> str:
        return CARDS[handle]

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any:
        self._answer("nvmlDeviceGetMemoryInfo")
        return SimpleNamespace(used=5_000_400_000, total=TOTAL_BYTES, free=TOTAL_BYTES - 5_000_400_000)

    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any:
        self._answer("nvmlDeviceGetUtilizationRates")
        return SimpleNamespace(gpu=37, memory=12)

    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int) -> int:
        assert sensor == pynvml.NVML_TEMPERATURE_GPU
        self._answer("nvmlDeviceGetTemperature")
        return 61

    def nvmlDeviceGetPowerUsage(self, handle: Any) -> int:
        now_s = self._answer("nvmlDeviceGetPowerUsage")
        return round(1000 * (self.power_w + self.grows_w * (now_s - self.began_s)))

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:
        return round(1000 * self.drawn_j(self._answer("nvmlDeviceGetTotalEnergyConsumption")))

    def _answer(self, function: str) -> float:
        """Return the time of the answer, or raise what the driver would."""
        if self.hangs:
            self.let_go.wait()
        if self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        if function in self.lacks:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        self.asked.append((time.monotonic(), function))
        return self.asked[-1][0]
