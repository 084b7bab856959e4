"""What becomes of a job, and of the queue, when its worker dies, hangs, raises or runs out of memory."""

import os
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotfolder.catalog import queue
from tests.service.living import Living, hotfolder, living, picture, poll

SABOTAGE = """
import os, signal, sys
import PIL.Image
whole = PIL.Image.Image.resize
def resize(self, *words, **more):
    print("a library says something on standard output")
    os.write(1, b"and so does its C code\\n")
    match self.width:
        case 11: raise ZeroDivisionError("the library's own trouble")
        case 12: os.kill(os.getpid(), signal.SIGSEGV)
        case 13: os._exit(7)
        case 14: sys.exit("a library leaves")
    return whole(self, *words, **more)
PIL.Image.Image.resize = resize
print("something is said before anything starts")
"""
"""A Python start-up file: the picture library then breaks in the worker, by the width of the picture."""


@pytest.fixture(scope="module")
def sabotaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    folder = tmp_path_factory.mktemp("sabotage")
    (folder / "sitecustomize.py").write_text(SABOTAGE)
    for one in living(folder / "w"):
        one.start(PYTHONPATH=str(folder))
        yield one


@pytest.mark.parametrize(
    ("width", "says"),
    [
        (11, "ZeroDivisionError: the library's own trouble"),
        (12, "ended by signal 11"),
        (13, "exit code 7"),
        (14, "a library leaves"),
    ],
)
def test_a_job_that_breaks_its_worker_fails_at_the_second_time_and_the_queue_goes_on(
    sabotaged: Living, width: int, says: str
) -> None:
    sabotaged.drop(f"upscale/bad{width}.png", picture(width))
    sabotaged.drop(f"upscale/good{width}.png", picture(40))
    bad = sabotaged.job(f"bad{width}", "failed")
    assert says in bad["error"]
    assert "It was tried 2 times" in bad["error"]
    assert (bad["attempts"], bad["strikes"]) == (2, queue.MAX_STRIKES)
    assert sabotaged.job(f"good{width}", "done")
    reason = sabotaged.filed(f"bad{width}.png.error.txt", "failed").read_text()
    assert says in reason and "inbox/upscale" in reason
    assert not sabotaged.images(f"bad{width}")


def test_what_libraries_print_breaks_nothing_and_lands_in_the_log(sabotaged: Living) -> None:
    sabotaged.drop("upscale/loud.png", picture(40))
    assert len(sabotaged.job("loud", "done") and sabotaged.images("loud")) == 1
    log = (sabotaged.workspace.private / "logs" / "worker.log").read_text()
    assert "a library says something on standard output" in log
    assert "and so does its C code" in log


def test_an_unforeseen_error_leaves_its_traceback_in_the_log(sabotaged: Living) -> None:
    sabotaged.drop("upscale/traced.png", picture(11))
    sabotaged.job("traced", "failed")
    log = (sabotaged.workspace.private / "logs" / "worker.log").read_text()
    assert "in resize" in log and "ZeroDivisionError" in log
    assert "worker.log" in sabotaged.filed("traced.png.error.txt", "failed").read_text()
    assert "Traceback" not in sabotaged.told()


def test_one_death_is_forgiven(running: Living) -> None:
    pid = running.freeze()
    running.drop("upscale/victim.png", picture(30))
    running.job("victim", "running")
    os.kill(pid, signal.SIGKILL)
    row = running.job("victim", "done")
    assert (row["attempts"], row["strikes"], row["error"]) == (2, 1, None)
    assert len(running.images("victim")) == 1
    assert running.worker() != pid


def test_a_worker_that_says_nothing_for_too_long_is_replaced(tmp_path: Path) -> None:
    for place in living(tmp_path / "w", "job_timeout_s: 15\n"):  # a worker also has to start within that
        place.start()
        pid = place.freeze()
        place.drop("upscale/stuck.png", picture(30))
        row = place.job("stuck", "done")
        assert row["strikes"] == 1
        assert place.worker() != pid
        assert "no sign of life for 15 s" in place.told()


def test_running_out_of_memory_is_tried_anew_in_a_fresh_worker_and_then_said(place: Living) -> None:
    """Real: an upscale to 396 megapixels, 1.6 GB in memory, in a process that may have 1 GB."""
    place.start(MALLOC_ARENA_MAX="1")
    assert place.process
    # the service's limit is what its worker inherits, which it starts with the first job
    _, most = resource.prlimit(place.process.pid, resource.RLIMIT_AS)
    resource.prlimit(place.process.pid, resource.RLIMIT_AS, (1_000_000_000, most))
    place.drop("upscale/huge.png.yaml", "factor: 19.9\n")
    place.drop("upscale/huge.png", picture(1000, 1000))
    huge = place.job("huge", "failed")
    assert "not enough memory" in huge["error"] and "factor" in huge["error"]
    assert huge["attempts"] == 2
    place.drop("upscale/small.png", picture())
    assert place.job("small", "done")
    assert place.end() == 0


def test_a_running_jobs_work_folder_can_be_deleted(running: Living) -> None:
    pid = running.freeze()
    running.drop("upscale/gone.png", picture(30))
    running.drop("upscale/next.png", picture(31))
    job = running.job("gone", "running")
    folder = running.workspace.work / job["drop_id"]
    poll(lambda: list(folder.glob(f"{job['id']}/*")), "folder to stage its results in")
    shutil.rmtree(folder)
    os.kill(pid, signal.SIGCONT)
    row = running.job("gone", "failed")
    assert ".hotfolder/work" in row["error"] and "drop it again" in row["error"]
    assert running.job("next", "done")
    assert "drop it again" in running.filed("gone.png.error.txt", "failed").read_text()
    assert not running.images("gone")


def test_the_service_never_loads_what_the_worker_needs(running: Living) -> None:
    running.drop("upscale/p.png", picture())
    running.job("p", "done")
    assert running.process
    maps = Path(f"/proc/{running.process.pid}/maps").read_text()
    assert "sqlite" in maps  # the check can see libraries
    assert not [name for name in ("torch", "numpy", "transformers", "heif") if f"/{name}" in maps]


def test_a_worker_dies_with_its_service(place: Living) -> None:
    place.start()
    place.drop("upscale/p.png", picture())
    place.job("p", "done")
    pid = place.worker()
    place.end(signal.SIGKILL)

    def is_gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    poll(is_gone, "end of the worker")
    place.drop("upscale/after.png", picture())
    assert hotfolder(place.root, "run", "--once").returncode == 0
    assert place.job("after", "done")
