"""Twelve ways in which programs write files, against a living service: what is processed is what was meant."""

import mmap
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.intake.bench import Bench, digest, picture

SETTLE_S = 0.8
SHORT_S = 0.03  # between two touches of a file that is closed meanwhile, in a folder with a longer quiet period
LONG_S = 1.1  # longer than the quiet period, while the file is held open

Writer = Callable[[Path, bytes], None]


def pause(seconds: float) -> None:
    time.sleep(seconds)  # what a slow program does between two writes


def plain(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def slow(path: Path, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        for start in range(0, len(data), len(data) // 2):
            file.write(data[start : start + len(data) // 2])
            pause(LONG_S)


def append(path: Path, data: bytes) -> None:
    for start in range(0, len(data), 20_000):
        with open(path, "ab") as file:
            file.write(data[start : start + 20_000])
        pause(SHORT_S)


def mapped(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, len(data))
    view = mmap.mmap(fd, len(data))
    os.close(fd)
    view[:1000] = data[:1000]
    pause(LONG_S)
    view[:] = data
    view.close()


def rename(path: Path, data: bytes) -> None:
    elsewhere = path.parents[3] / f"{path.name}.new"
    elsewhere.write_bytes(data)
    elsewhere.rename(path)


def part(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_bytes(data[:5000])
    pause(LONG_S)
    unfinished.write_bytes(data)
    unfinished.rename(path)


def old_time(path: Path, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data[:5000])
        os.utime(path, (0, 0))
        pause(LONG_S)
        file.write(data[5000:])
        os.utime(file.fileno(), (915_148_800, 915_148_800))


def future_time(path: Path, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data)
        os.utime(file.fileno(), (4_000_000_000, 4_000_000_000))


def preallocate(path: Path, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, len(data))
        pause(LONG_S)
        file.write(data)


def rewrite(path: Path, data: bytes) -> None:
    path.write_bytes(picture() + b"the first version")
    pause(SHORT_S)
    path.write_bytes(data)


def same_size_and_time(path: Path, data: bytes) -> None:
    path.write_bytes(bytes(len(data)))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    pause(SHORT_S)
    path.write_bytes(data)
    os.utime(path, (1_000_000_000, 1_000_000_000))


def hard_link(path: Path, data: bytes) -> None:
    elsewhere = path.parents[3] / f"{path.name}.original"
    elsewhere.write_bytes(data)
    os.link(elsewhere, path)


def folder_moved_in(path: Path, data: bytes) -> None:
    elsewhere = path.parents[3] / "moved in"
    elsewhere.mkdir()
    (elsewhere / path.name).write_bytes(data)
    elsewhere.rename(path.parent / "moved in")


WRITERS: list[Writer] = [
    plain, slow, append, mapped, rename, part, old_time, future_time, preallocate, rewrite, same_size_and_time,
    hard_link, folder_moved_in,
]  # fmt: skip

CLOSERS = [append, rewrite, same_size_and_time]
"""Who closes the file before it is whole: that it is not, only the quiet period says."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, dict[str, bytes]]:
    """All writers at the same time, each with its own picture, larger than one write."""
    bench = Bench(tmp_path_factory.mktemp("writers") / "w", f"settle_s: {SETTLE_S}\nrescan_s: 0.2\n")
    noise = random.Random(3)
    data = {writer.__name__: picture() + noise.randbytes(200_000) for writer in WRITERS}
    preset = bench.inbox / "upscale" / "closers" / "folder.yaml"
    bench.put("upscale/closers/folder.yaml", "settle_s: 3600\n")
    with bench.living():
        threads = [
            threading.Thread(
                target=writer,
                args=(
                    (preset.parent if writer in CLOSERS else bench.inbox / "upscale") / f"{writer.__name__}.png",
                    data[writer.__name__],
                ),
            )
            for writer in WRITERS
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        preset.unlink()
        bench.until(lambda: len([job for job in bench.jobs() if job["state"] in ("done", "failed")]) >= len(WRITERS))
    return bench, data


@pytest.mark.parametrize("name", [writer.__name__ for writer in WRITERS])
def test_the_file_is_processed_once_and_whole(name: str, written: tuple[Bench, dict[str, bytes]]) -> None:
    bench, data = written
    jobs = [job for job in bench.jobs() if job["name"] == name]
    assert [job["state"] for job in jobs] == ["done"], jobs
    assert bench.input_hashes().count(digest(data[name])) == 1
    (kept,) = bench.workspace.done.rglob(f"{name}.png")
    assert kept.read_bytes() == data[name]


def test_nothing_else_became_a_job(written: tuple[Bench, dict[str, bytes]]) -> None:
    bench, data = written
    assert len(bench.jobs()) == len(data)
    assert bench.tree("inbox") == set()
    assert bench.tree("failed") == set()
