"""What the graphics card does while a job runs, and what energy that takes: asked of NVIDIA's driver each second.

The driver is asked on a thread of its own, since one that hangs must not hang the service; the rows are written by the
service. Never imports torch. AMD's and Apple's drivers are not asked: there nothing is measured.

Each second is kept for a week, then a minute has one row, for good. Where the card never rests, the week takes 120 MB
in the catalog, and a year of minutes 90 MB.
"""

import json
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hotfolder.catalog.store import Catalog, utc_now

EACH_S = 1.0
KEEP_S = 10.0
"""While jobs run, how often samples are written."""
THIN_S = 86_400.0
FINE = timedelta(days=7)
"""How long each second is kept."""
SHOWN = 60
"""Samples that are told as what happens now."""
ANSWER_S = 1.0
"""How long the end of a job waits for its last sample."""
GIVE_UP_S = 10.0
"""A driver that has not answered for this long is not asked again: it hangs. The first answer can take some seconds."""
LATE_S = 2.0
"""A job whose first sample came later than this has no energy: what it took before that is not known."""
MAX_UNKEPT = 3_600
FIGURES = ("utilisation_percent", "memory_used_mb", "memory_total_mb", "temperature_c", "power_w")

THIN = f"""
insert or replace into gpu_samples(id, at, device, job_id, span_s, loaded, {", ".join(FIGURES)})
select max(id), substr(at, 1, 16) || ':00.000Z', device, job_id, 60, loaded,
  {", ".join(f"round(avg({name}), 1)" for name in FIGURES)}
from gpu_samples where span_s=1 and at < ? group by substr(at, 1, 16), device
"""  # the columns that are no mean are those of the row with max(id): sqlite.org/lang_select.html, "bare columns"
PUT = f"""
insert into gpu_samples(job_id, loaded, at, device, {", ".join(FIGURES)})
values((select id from jobs where id=:job_id), :loaded, :at, :device, {", ".join(f":{name}" for name in FIGURES)})
"""
FORGET = "delete from gpu_samples where span_s=1 and at < ?"


@dataclass(frozen=True)
class Sample:
    """The card at one moment. `at` is UTC as the catalog writes it, MB are 10**6 bytes; None for what it does not tell.
    `loaded` are the models in memory."""

    at: str
    device: str
    job_id: int
    utilisation_percent: float | None
    memory_used_mb: float | None
    memory_total_mb: float | None
    temperature_c: float | None
    power_w: float | None
    loaded: tuple[str, ...]


class _NothingToMeasure(Exception):
    """Why the card cannot be measured, as a sentence."""


def nvml() -> Any:
    """Return NVIDIA's library, as Python has it. Finding the driver is its own business."""
    import pynvml

    return pynvml


class _Card:
    """The card that the worker uses: the first that CUDA_VISIBLE_DEVICES names, by its number or by the beginning of
    its UUID; without that variable the first of all. The driver's numbers count by place on the PCI bus, and so do the
    worker's (`workerprocess`)."""

    def __init__(self, library: Any, visible: str | None) -> None:
        self._library = library
        try:
            library.nvmlInit()
            self._handle = self._find("0" if visible is None else visible.partition(",")[0].strip())
            self.name = str(library.nvmlDeviceGetName(self._handle))
        except library.NVMLError_LibraryNotFound:
            raise _NothingToMeasure("no NVIDIA card here: nothing to measure") from None
        except library.NVMLError as error:
            raise _NothingToMeasure(f"the NVIDIA driver cannot be asked ({error}): nothing to measure") from None

    def _find(self, wanted: str) -> Any:
        count = self._library.nvmlDeviceGetCount()
        if not count:
            raise _NothingToMeasure("no NVIDIA card here: nothing to measure")
        for number in range(count):
            handle = self._library.nvmlDeviceGetHandleByIndex(number)
            if wanted and (wanted == str(number) or self._library.nvmlDeviceGetUUID(handle).startswith(wanted)):
                return handle
        said = f"names {wanted}, which the NVIDIA driver does not know" if wanted else "hides every card"
        raise _NothingToMeasure(f"CUDA_VISIBLE_DEVICES {said}: nothing to measure")

    def read(self) -> tuple[dict[str, float | None], int | None]:
        """Return the figures of this moment, and the energy in mJ that the card has taken since its driver was loaded.

        Raises:
            _NothingToMeasure: it tells nothing at all.
        """
        refused = ""

        def ask(function: str, *values: Any) -> Any:
            nonlocal refused
            try:
                return getattr(self._library, function)(self._handle, *values)
            except self._library.NVMLError as error:
                refused = str(error)
                return None

        memory, rates = ask("nvmlDeviceGetMemoryInfo"), ask("nvmlDeviceGetUtilizationRates")
        temperature = ask("nvmlDeviceGetTemperature", self._library.NVML_TEMPERATURE_GPU)
        power_mw, energy_mj = ask("nvmlDeviceGetPowerUsage"), ask("nvmlDeviceGetTotalEnergyConsumption")
        figures: dict[str, float | None] = {
            "utilisation_percent": None if rates is None else rates.gpu,
            "memory_used_mb": None if memory is None else round(memory.used / 10**6),
            "memory_total_mb": None if memory is None else round(memory.total / 10**6),
            "temperature_c": temperature,
            "power_w": None if power_mw is None else round(power_mw / 1000, 1),
        }
        if all(figure is None for figure in (*figures.values(), energy_mj)):
            raise _NothingToMeasure(f"the NVIDIA driver tells nothing of the card ({refused}): nothing to measure")
        return figures, energy_mj


@dataclass
class _Work:
    """One job while the worker has it, and the energy the card takes meanwhile. Times are monotonic seconds.

    `over` is set when the worker has ended it, `measured` once its last sample is there.
    """

    job: int
    began_s: float = field(default_factory=time.monotonic)
    over: threading.Event = field(default_factory=threading.Event)
    measured: threading.Event = field(default_factory=threading.Event)
    times_s: list[float] = field(default_factory=list)
    counters_mj: list[int | None] = field(default_factory=list)
    drawn_ws: float = 0.0
    drew: tuple[float, float] | None = None
    """When the power was last known, and what it was."""

    def add(self, now_s: float, power_w: float | None, counter_mj: int | None) -> None:
        """Take note of one sample; the first and the last are what is kept."""
        self.times_s[1:], self.counters_mj[1:] = [now_s], [counter_mj]
        if power_w is None:
            return
        if self.drew:
            then_s, then_w = self.drew
            self.drawn_ws += (now_s - then_s) * (power_w + then_w) / 2
        self.drew = now_s, power_w

    def energy_wh(self) -> float | None:
        """Return what the whole card took from the first sample to the last: by its own counter, else by the power at
        each sample; None where neither is known."""
        if len(self.times_s) < 2 or self.times_s[0] - self.began_s > LATE_S:
            return None
        before, after = self.counters_mj
        if before is not None and after is not None and after >= before:  # less: the driver was loaded anew
            return (after - before) / 3_600_000
        return self.drawn_ws / 3600 if self.drawn_ws else None


class Monitor:
    """Measures the card while a job runs. All methods are the service's; the driver is asked on a thread of its own.

    `device` is the card's name, None while it is not known. `why_not` says why nothing is measured, None while it is.
    `lacks` are figures that the card does not tell.
    """

    def __init__(
        self, ring: Callable[[], None], loaded: Callable[[], list[str]], library: Callable[[], Any] = nvml
    ) -> None:
        """`ring` is called from the thread after each sample, `loaded` for the models in memory; `library` returns
        pynvml, or what stands for it."""
        self.device: str | None = None
        self.why_not: str | None = None
        self.lacks: tuple[str, ...] = ()
        self.known = threading.Event()
        """Set once `device` or `why_not` is."""
        self._ring, self._loaded, self._library = ring, loaded, library
        self._works: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[Sample] = queue.SimpleQueue()
        self._work: _Work | None = None
        self._asked_at: float | None = None
        self._shown: deque[Sample] = deque(maxlen=SHOWN)
        self._unkept: deque[Sample] = deque(maxlen=MAX_UNKEPT)
        self._keep_at = self._thin_at = 0.0

    def start(self) -> None:
        """Find the card, without waiting for it."""
        threading.Thread(target=self._watch, daemon=True, name="gpu").start()

    def begin(self, job: int) -> None:
        """Measure from now on, for a job that the worker is given."""
        if self.why_not is None:
            self._work = _Work(job)
            self._works.put(self._work)

    def end(self) -> float | None:
        """Measure no more; returns the watt-hours the card took for the job, None where that is not known."""
        work, self._work = self._work, None
        if work is None:
            return None
        work.over.set()
        is_whole = work.measured.wait(ANSWER_S) and self.why_not is None
        return work.energy_wh() if is_whole else None

    def told(self) -> dict[str, Any]:
        """Return what is known now, for `.hotfolder/now.json`: the last 60 samples, oldest first."""
        self._hear()
        names = ("at", *FIGURES, "loaded")
        samples = [{name: getattr(one, name) for name in names} for one in self._shown]
        return {"device": self.device, "why_not": self.why_not, "samples": samples}

    def keep(self, catalog: Catalog) -> None:
        """Write what was measured, each 10 s and when nothing runs; once a day, and at first, thin what is older than a
        week. What a disk refuses is written the next time."""
        self._hear()
        now = time.monotonic()
        if self._unkept and (now >= self._keep_at or self._work is None):
            self._keep_at = now + KEEP_S
            with catalog.transaction():
                put_samples(catalog, list(self._unkept))
            self._unkept.clear()
        if now >= self._thin_at:
            self._thin_at = now + THIN_S
            thin(catalog, datetime.now(UTC))

    def _hear(self) -> None:
        """Take what the thread has measured; give the driver up when it hangs."""
        while not self._heard.empty():
            sample = self._heard.get()
            self._shown.append(sample)
            self._unkept.append(sample)
        asked_at = self._asked_at
        if asked_at is not None and time.monotonic() - asked_at > GIVE_UP_S and self.why_not is None:
            self.why_not = f"the NVIDIA driver did not answer for {GIVE_UP_S:g} s; it is asked again at the next start"
            self.known.set()

    # -- on the thread ------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        work: _Work | None = None
        try:
            self._asked_at = time.monotonic()
            card = _Card(self._library(), os.environ.get("CUDA_VISIBLE_DEVICES"))
            figures, _ = card.read()
            self._asked_at = None
            self.device, self.lacks = card.name, tuple(name for name in FIGURES if figures[name] is None)
            self.known.set()
            while self.why_not is None:
                work = self._works.get()
                if not work.over.is_set():
                    self._follow(card, work)
                work.measured.set()
        except _NothingToMeasure as reason:
            self.why_not = self.why_not or str(reason)
        except Exception as error:  # a library that is broken, or of another version: jobs run all the same
            said = f"{type(error).__name__}: {error}"
            self.why_not = self.why_not or f"the NVIDIA driver cannot be asked ({said}): nothing to measure"
        finally:
            self._asked_at = None
            self.known.set()
            if work:
                work.measured.set()
            while not self._works.empty():
                self._works.get().measured.set()

    def _follow(self, card: _Card, work: _Work) -> None:
        """Sample each second until a job is over, and once more then."""
        is_last = False
        while True:
            self._asked_at = time.monotonic()
            figures, counter_mj = card.read()
            now_s, self._asked_at = time.monotonic(), None
            if self.why_not:
                return
            work.add(now_s, figures["power_w"], counter_mj)
            self._heard.put(Sample(utc_now(), card.name, work.job, **figures, loaded=tuple(self._loaded())))
            self._ring()
            if is_last:
                return
            is_last = work.over.wait(EACH_S)


def put_samples(catalog: Catalog, samples: list[Sample]) -> None:
    """Write samples within the caller's transaction."""
    catalog.connection.executemany(PUT, [{**asdict(one), "loaded": json.dumps(one.loaded)} for one in samples])


def thin(catalog: Catalog, now: datetime) -> None:
    """Leave one row a minute of what was measured more than a week ago: the means, and what ran and was loaded last."""
    before = (now - FINE).strftime("%Y-%m-%dT%H:%M:00.000Z")
    with catalog.transaction():
        catalog.rows(THIN, before)
        catalog.rows(FORGET, before)


def look() -> Monitor:
    """Return a monitor that knows whether this machine's card can be measured."""
    monitor = Monitor(lambda: None, list)
    monitor.start()
    if not monitor.known.wait(GIVE_UP_S):
        monitor._hear()
    return monitor
