"""What is measured. Each function returns rows of figures: the least of several runs for seconds, exact counters."""

import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

from hotfolder import planner
from hotfolder import workspace as places
from hotfolder.catalog.store import Catalog
from hotfolder.intake.taking import Taking
from hotfolder.planner import Candidate
from tests.prove.report import Row
from tests.prove.scenes import end, watching
from tests.prove.trial import ROOT, Trial, wait_until

REPEATS = 5
FLOOD = 5000
JOBS = 40


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A place for a workspace that goes away again."""
    with tempfile.TemporaryDirectory(prefix="hotfolder-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name) / "w"


def _seconds(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the least duration of a call: what else the machine does only ever adds."""
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return min(took)


def starting() -> list[Row]:
    """How long a command and the service take to start, and whether they load torch."""
    with scratch() as folder:
        trial = Trial(folder, 1)
        trial.drop(1, ["plain"])
        trial.finish()
        command = [sys.executable, "-m", "hotfolder", "--workspace", str(folder), "status"]
        bare = _seconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
        status = _seconds(lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT))
        now, took = folder / ".hotfolder" / "now.json", []
        for _ in range(REPEATS):
            now.unlink(missing_ok=True)
            began = time.perf_counter()
            process = trial.start(once=False)
            wait_until(now.exists, "the service did not start")
            took.append(time.perf_counter() - began)
            end(trial, process)
        loads = "import hotfolder.cli, hotfolder.running, hotfolder.status, sys; print('torch' in sys.modules)"
        shown = subprocess.run([sys.executable, "-c", loads], check=True, capture_output=True, cwd=ROOT)
    return [
        Row("start", "Python alone, s", round(bare, 2)),
        Row("start", "`hotfolder status`, s", round(status, 2), "< 0.5"),
        Row("start", "`hotfolder run` until it watches, s", round(min(took), 2), "< 0.5"),
        Row("start", "of these import torch", int(b"True" in shown.stdout), 0),
    ]


def taking_in() -> list[Row]:
    """How many files a second are taken in, every flush on."""
    with scratch() as folder:
        workspace = places.init(folder)
        file = BytesIO()
        Image.new("RGB", (32, 32), "teal").save(file, "PNG")
        for number in range(FLOOD):
            (workspace.inbox / "upscale" / f"p{number:05}.png").write_bytes(file.getvalue() + b"%d" % number)
        catalog = Catalog(workspace.catalog)
        taking = Taking(workspace, catalog, random.Random(1))
        now = time.monotonic()
        look_s = _seconds(lambda: taking.look(now), 1)
        taking.look(now + 10)
        began, taken = time.perf_counter(), 0
        while taking.settled:
            taken += len(taking.take_some())
        took = time.perf_counter() - began
        catalog.close()
    assert taken == FLOOD
    return [
        Row("a flood", f"taken in per second, of {FLOOD:,} files", round(FLOOD / took), ">= 500"),
        Row("a flood", "one look at all of them, s", round(look_s, 2)),
    ]


def one_job() -> list[Row]:
    """What a job costs besides its own work, and how soon a dropped file starts when the worker is there."""
    settle_s = 0.2
    with scratch() as folder:
        trial = Trial(folder, 1, settings=f"settle_s: {settle_s}")
        process = watching(trial)
        try:
            trial.drop(1, ["plain"])
            wait_until(lambda: _done(trial) == 1, "the first job was not done")
            delays = [_delay(trial, number) - settle_s for number in range(2, 2 + 3 * REPEATS)]
            before = _done(trial)
            (trial.workspace.inbox / "PAUSE").touch()
            wait_until(lambda: "paused;" in (folder / ".hotfolder" / "now.json").read_text(), "it did not pause")
            trial.drop(JOBS, ["plain"])
            wait_until(lambda: len(trial.rows("select 1 from jobs where state='queued'")) == JOBS, "not taken in")
            began = time.perf_counter()
            (trial.workspace.inbox / "PAUSE").unlink()
            wait_until(lambda: _done(trial) == before + JOBS, "the jobs were not done")
            took = time.perf_counter() - began
            end(trial, process)
        finally:
            process.kill()
    return [
        Row("one job", "from drop to start beyond settle_s, resident worker, ms", round(min(delays) * 1000), "<= 50"),
        Row("one job", "the same, median", round(statistics.median(delays) * 1000)),
        Row("one job", f"whole way of a 16 x 12 upscale, of {JOBS} in a row, ms", round(took / JOBS * 1000)),
    ]


def _done(trial: Trial) -> int:
    return len(trial.rows("select 1 from jobs where state='done'"))


def _delay(trial: Trial, number: int) -> float:
    """Drop a picture; return the seconds until the job has started, as the catalog has it."""
    trial.drop(1, ["plain"])
    dropped_at = time.time()
    wait_until(lambda: _done(trial) == number, "the job was not done")
    (row,) = trial.rows("select (julianday(started_at) - 2440587.5) * 86400.0 at from jobs order by id desc limit 1")
    return float(str(row["at"])) - dropped_at


def planning() -> list[Row]:
    """Loads of a mixed queue against first in, first out: 200 jobs over 4 models, no clock."""
    models = random.Random(1).choices(["a", "b", "c", "d"], k=200)
    queued = [Candidate(number, number, model) for number, model in enumerate(models)]
    fifo = sum(one != other for one, other in zip(["", *models], models, strict=False))
    rows = [Row("planner, 200 jobs over 4 models", "loads, first in first out", fifo)]
    for bound in (32, 0):
        loads, most = plan(list(queued), bound)
        goal = f"<= {fifo // 3}" if bound else fifo
        rows.append(Row("planner, 200 jobs over 4 models", f"loads, overtake_bound {bound}", loads, goal))
        rows.append(
            Row("planner, 200 jobs over 4 models", f"most jobs overtaking one, bound {bound}", most, f"<= {bound}")
        )
    return rows


def plan(waiting: list[Candidate], bound: int) -> tuple[int, int]:
    """Play a queue to its end; returns the loads and how often the most overtaken job was overtaken."""
    resident, loads, most = "", 0, 0
    overtaken = dict.fromkeys((job.id for job in waiting), 0)
    while waiting:
        head = waiting[0]
        job = planner.next_job(waiting, [resident], overtaken[head.id], bound)
        assert job
        waiting.remove(job)
        for other in waiting:
            if other.position < job.position:
                overtaken[other.id] += 1
                most = max(most, overtaken[other.id])
        loads += job.model != resident
        resident = job.model
    return loads, most


def saving() -> list[Row]:
    """Writing a picture as PNG against Pillow's default: CPU time and bytes, on a soft and on a noisy picture."""
    from hotfolder.metadata import png

    rows = []
    for name, image, goal in (("photo-like", _soft(1024), ">= 10"), ("noise", _noisy(1024), None)):
        ours, theirs = BytesIO(), BytesIO()
        ratio = _cpu(lambda image=image, file=theirs: image.save(_rewound(file), "PNG")) / _cpu(
            lambda image=image, file=ours: png.write(_rewound(file), image, {}, None)
        )
        size = len(ours.getvalue()) / len(theirs.getvalue())
        same = Image.open(BytesIO(ours.getvalue())).tobytes() == image.tobytes()
        rows += [
            Row(f"PNG, 1024 square, {name}", "times less CPU than Pillow's default", round(ratio, 1), goal),
            Row(f"PNG, 1024 square, {name}", "size against Pillow's", round(size, 2)),
            Row(f"PNG, 1024 square, {name}", "pixels differ", int(not same), 0),
        ]
    return rows


def _cpu(run: Callable[[], object]) -> float:
    took = []
    for _ in range(REPEATS):
        began = time.process_time()
        run()
        took.append(time.process_time() - began)
    return min(took)


def _rewound(file: BytesIO) -> BytesIO:
    file.seek(0)
    file.truncate()
    return file


def _soft(edge: int) -> Image.Image:
    """A picture with the smooth areas, edges and faint grain of a photograph."""
    coarse = Image.frombytes("RGB", (24, 24), random.Random(1).randbytes(24 * 24 * 3))
    grain = Image.frombytes("RGB", (edge, edge), random.Random(2).randbytes(edge * edge * 3))
    return Image.blend(coarse.resize((edge, edge), Image.Resampling.BICUBIC), grain, 0.02)


def _noisy(edge: int) -> Image.Image:
    return Image.frombytes("RGB", (edge, edge), random.Random(3).randbytes(edge * edge * 3))
