"""The worker's own part, in this process: pictures are encoded while the next is made, and errors are judged."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from hotfolder import staging, worker
from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import NotYet, OutOfMemory, RejectedInput, Unsupported
from hotfolder.images import thumbs
from hotfolder.metadata import read
from hotfolder.models.placement import Placement
from hotfolder.models.pool import ModelPool
from hotfolder.order import Order
from hotfolder.spec import JobSpec, Planned
from hotfolder.worker import MAX_UNSAVED

KIND = "stub"
PICTURES = 8


@pytest.fixture
def stub() -> Iterator[type[Capability]]:
    """A kind of job for these tests alone; `making` is called with the number of each picture before it is yielded."""

    class Stub(Capability):
        kind = KIND
        uses = frozenset({"prompt"})
        source_type = "algorithmicallyEnhanced"
        making: Callable[[int], None] = staticmethod(lambda number: None)

        def run(self, context: Context) -> Iterator[Result]:
            for number, planned in enumerate(context.planned):
                context.progress(1, 1)
                type(self).making(number)
                yield Result(Image.new("RGB", (8, 8), (number, 0, 0)), planned)

    yield Stub
    del CAPABILITIES._items[KIND]


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def run(tmp_path: Path, told: io.StringIO) -> Iterator[Callable[[], dict[str, Any]]]:
    out = tmp_path / "drop" / "1" / "stage"
    out.mkdir(parents=True)
    planned = tuple(Planned(seed=number, seed_locked=False) for number in range(PICTURES))
    order = Order(1, JobSpec(kind=KIND), planned, "", None, out, 10**6)
    with ThreadPoolExecutor(2) as savers:
        yield lambda: worker.run(order, ModelPool(tmp_path), tmp_path, savers, told)


def test_every_picture_is_staged_whole_in_order_and_with_its_job(stub: Any, run: Any, tmp_path: Path) -> None:
    outcome = run()
    pictures = [one for one in outcome["staged"] if one["role"] == "picture"]
    assert [one["stem_index"] for one in pictures] == list(range(PICTURES))
    assert [one["role"] for one in outcome["staged"]] == ["picture", "job"] * PICTURES + ["sheet"]
    for number, one in enumerate(pictures):
        path = tmp_path / "drop" / "1" / one["file"]
        assert path.stat().st_size == one["bytes"]
        with Image.open(path) as image:
            assert image.getpixel((0, 0)) == (number, 0, 0)
        assert read.read(path).image_id == one["facts"]["id"]


def test_each_picture_has_its_thumbnail_before_it_is_published(stub: Any, tmp_path: Path, told: io.StringIO) -> None:
    out, kept = tmp_path / "drop" / "1" / "stage", tmp_path / "thumbs"
    out.mkdir(parents=True)
    order = Order(1, JobSpec(kind=KIND), (Planned(seed=1, seed_locked=False),), "", None, out, 10**6, thumbs=kept)
    with ThreadPoolExecutor(2) as savers:
        (staged, _) = worker.run(order, ModelPool(tmp_path), tmp_path, savers, told)["staged"]
    thumb = thumbs.place(kept, staged["facts"]["id"])
    assert [thumb] == list(kept.iterdir())
    assert thumb.stat().st_mtime >= (out.parent / staged["file"]).stat().st_mtime, "or it would be made again"


def test_saving_goes_on_while_the_next_picture_is_made(stub: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second picture is made only after the first began to be saved, and that ends only after: both at once."""
    saving, made = threading.Event(), threading.Event()
    whole = worker.stage

    def stage(*words: Any) -> Any:
        saving.set()
        assert made.wait(100), "saving waited for nothing"
        return whole(*words)

    def making(number: int) -> None:
        if number == 1:
            assert saving.wait(100), "the first picture was not being saved while the second was made"
            made.set()

    monkeypatch.setattr(worker, "stage", stage)
    stub.making = staticmethod(making)
    assert len(run()["staged"]) == 2 * PICTURES + 1, "each with its job, and their sheet"


def test_pictures_do_not_heap_up_when_saving_is_slower_than_making(
    stub: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsaved, most = set(), []
    whole = worker.stage

    def stage(*words: Any) -> Any:
        time.sleep(0.01)  # the slow disk itself
        done = whole(*words)
        unsaved.discard(words[3])
        return done

    def making(number: int) -> None:
        unsaved.add(number)
        most.append(len(unsaved))

    monkeypatch.setattr(worker, "stage", stage)
    stub.making = staticmethod(making)
    run()
    assert max(most) <= MAX_UNSAVED + 2


def test_progress_counts_the_pictures(stub: Any, run: Any, told: io.StringIO) -> None:
    run()
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    assert [(line["event"], line["picture"], line["pictures"]) for line in lines] == [
        ("progress", number, PICTURES) for number in range(1, PICTURES + 1)
    ]


def test_when_a_picture_fails_nothing_is_being_written_any_more(
    stub: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = threading.Semaphore(0)
    busy = set()
    whole = worker.stage

    def stage(*words: Any) -> Any:
        busy.add(words[3])
        writing.release()
        time.sleep(0.05)
        done = whole(*words)
        busy.discard(words[3])
        return done

    def making(number: int) -> None:
        if number == 2:
            assert writing.acquire(timeout=100)
            raise RejectedInput("enough")

    monkeypatch.setattr(worker, "stage", stage)
    stub.making = staticmethod(making)
    with pytest.raises(RejectedInput, match="enough"):
        run()
    assert not busy


def test_a_staging_folder_that_vanished_is_said(stub: Any, run: Any, tmp_path: Path) -> None:
    def making(number: int) -> None:
        if number == 1:
            (tmp_path / "drop").rename(tmp_path / "away")

    stub.making = staticmethod(making)
    with pytest.raises(RejectedInput, match=r"\.hotfolder/work was removed"):
        run()


def test_a_disk_that_gives_back_other_pixels_is_noticed(stub: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = staging.write.save

    def save(image: Image.Image, *words: Any) -> None:
        whole(image.point(lambda value: value ^ 1), *words)

    monkeypatch.setattr(staging.write, "save", save)
    with pytest.raises(RejectedInput, match="the disk may be failing"):
        run()


def test_what_was_left_out_of_an_input_is_told(tmp_path: Path, told: io.StringIO) -> None:
    out = tmp_path / "drop" / "1" / "stage"
    out.mkdir(parents=True)
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.webp", save_all=True, append_images=frames[1:])
    planned = (Planned(seed=1, seed_locked=False),)
    spec = JobSpec(kind="upscale", model="lanczos", options={"factor": 2})
    order = Order(1, spec, planned, "", None, out, 10**6, tmp_path / "two.webp", "done/two.webp", "0" * 64)
    with ThreadPoolExecutor(2) as savers:
        outcome = worker.run(order, ModelPool(tmp_path), tmp_path, savers, told)
    assert outcome["notes"] == ["two.webp holds 2 pictures; the first is used"]
    (text,) = [one.read_text() for one in out.glob("*.job.yaml")]
    assert text.startswith("# two.webp holds 2 pictures; the first is used\n")


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@pytest.mark.parametrize(
    ("error", "says", "retryable"),
    [
        (Unsupported("not this way"), "not this way", False),
        (OutOfMemory("too large"), "too large", True),
        (MemoryError(), "there was not enough memory for this job; try a smaller `size` or `factor`.", True),
        (OutOfMemoryError("CUDA, 5 GB"), "not enough memory for this job (CUDA, 5 GB)", True),
        (NotYet("later"), "later", False),
        (KeyError("x"), "an error it did not foresee: KeyError: 'x'; .hotfolder/logs/worker.log has more.", True),
    ],
)
def test_verdicts(error: Exception, says: str, retryable: bool) -> None:
    verdict = worker.verdict(error)
    assert says in verdict["error"]
    assert verdict["retryable"] is retryable


def test_weights_that_cannot_be_loaded_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hotfolder.models import entries, pool

    class Broken:
        PARTS: ClassVar[dict[str, Any]] = {}

        def __init__(self, entry: Any, parts: Any) -> None:
            raise ValueError("expected 7 parts, found 6")

    monkeypatch.setattr(entries, "weights_folder", lambda entry, models: tmp_path)
    monkeypatch.setattr(pool, "discover", lambda: None)
    monkeypatch.setattr(pool, "FAMILIES", {"flux1": Broken})
    with pytest.raises(Exception, match=r"weights of flux1-schnell in .* cannot be loaded .*expected 7 parts") as error:
        ModelPool(tmp_path).use("flux1-schnell", Placement(device="cpu", precision="fp32", text_precision="fp32"))
    assert worker.verdict(error.value)["retryable"] is False
