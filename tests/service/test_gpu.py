"""The card while jobs run: what is written of it, what each picture took, and what is said where it cannot be asked.

There is no card here: `nvml.StandIn` stands for the driver's library. Service, worker, catalog and files are real.
"""

import inspect
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pynvml
import pytest

from hotfolder import doctor, gpu, publish, recovery, verify
from hotfolder.atomic import sha256_of
from hotfolder.catalog import queue
from hotfolder.catalog.queue import NewJob
from hotfolder.catalog.store import Catalog
from hotfolder.service import Service
from hotfolder.settings import Settings
from tests.service.living import Living, living, picture, poll
from tests.service.nvml import StandIn

COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
LANCZOS = "model: lanczos\nfactor: 2\n"
TWO = "prompt: a red circle\nvariants: 2\nsize: 32\nsteps: 1\npriority: 1\n"  # it goes first


@pytest.fixture(autouse=True)
def _card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the stand-in's card: on a machine that has one, the worker finds none of that name."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaaa")
    _let_it_be_slow(monkeypatch)


def _let_it_be_slow(patch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with something else makes no sample late or lost."""
    patch.setattr(gpu, "ANSWER_S", 60.0)
    patch.setattr(gpu, "LATE_S", 60.0)


def monitor_of(library: Any) -> gpu.Monitor:
    monitor = gpu.Monitor(lambda: None, lambda: ["flux"], lambda: library)
    monitor.start()
    assert monitor.known.wait(60)
    return monitor


def known(service: Service) -> None:
    """Wait until a service knows whether there is a card."""
    assert service._monitor.known.wait(60)


def sampled(monitor: gpu.Monitor, number: int) -> list[dict[str, Any]]:
    """Return what is told as soon as that many samples are."""
    poll(lambda: len(monitor.told()["samples"]) >= number, f"{number} samples")
    told: list[dict[str, Any]] = monitor.told()["samples"]
    return told


# -- a service on a card --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Living, StandIn, list[dict[str, Any]]]]:
    """A service that made two pictures and an upscale, and what it told each time something went on."""
    library, told = StandIn(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaaa")
        _let_it_be_slow(patch)
        for one in living(tmp_path_factory.mktemp("night") / "w", "profile: miniature\n"):
            one.drop("generate/two.yaml", TWO)
            one.drop("upscale/big.png", picture())
            one.drop("upscale/big.png.yaml", LANCZOS)

            services: list[Service] = []

            def tell(job: dict[str, Any], event: str, place: Living = one, services: list[Service] = services) -> None:
                told.append(json.loads(place.workspace.now.read_text())["gpu"])
                if event == "started":  # the service waits here, so that even a quick job is measured
                    known(services[0])
                    wanted = len(library.asked_at(COUNTER)) + (5 if job["name"] == "two" else 1)
                    poll(lambda: len(library.asked_at(COUNTER)) >= wanted, "samples of a job")

            services.append(Service(one.workspace, tell, nvml=lambda: library))
            services[0].run(once=True)
            yield one, library, told


Night = tuple[Living, StandIn, list[dict[str, Any]]]


def test_each_picture_has_its_share_of_what_the_card_took_for_its_job(night: Night) -> None:
    place, library, _ = night
    job = place.job("two", "done")
    rows = place.rows("select * from gpu_samples where job_id=? order by id", job["id"])
    before = place.rows("select count(*) n from gpu_samples where id<?", rows[0]["id"])[0]["n"]
    asked = library.asked_at(COUNTER)[1 + before :][: len(rows)]
    shares = [row["energy_wh"] for row in place.images("two")]
    assert len(shares) == 2 and shares[0] == shares[1]
    took_s = sum(shares) * 3600 / 100
    assert took_s == pytest.approx(asked[-1] - asked[0], abs=1e-3), "100 W from its first sample to its last"
    late_s = (datetime.fromisoformat(rows[0]["at"]) - datetime.fromisoformat(job["started_at"])).total_seconds()
    assert job["run_s"] + job["load_s"] <= took_s + late_s + 0.5, "all the time the worker had it"
    assert [row["energy_wh"] for row in place.sheets("two")] == [None]
    assert place.images("big")[0]["energy_wh"] > 0
    assert verify.verify(place.workspace) == []


def test_samples_say_what_ran_and_what_was_loaded(night: Night) -> None:
    place, _, _ = night
    rows = place.rows("select * from gpu_samples order by id")
    job = place.job("two", "done")["id"]
    assert {row["job_id"] for row in rows} == {job, place.job("big")["id"]}
    figures = {(row["device"], *(row[name] for name in gpu.FIGURES)) for row in rows}
    assert figures == {("Stand-in A", 37, 5000, 24_000, 61, 100.0)}
    of_job = [row for row in rows if row["job_id"] == job]
    assert "flux1-schnell-miniature" in json.loads(of_job[-1]["loaded"])
    times = [datetime.fromisoformat(row["at"]) for row in of_job]
    gaps_s = [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:], strict=False)]
    assert len(gaps_s) >= 4, "and one more when the job had ended"
    assert min(gaps_s[:-1]) >= 0.9 and sorted(gaps_s[:-1])[1] < 2.5, f"each second, one may be late: {gaps_s}"


def test_the_last_minute_of_the_card_is_told_while_jobs_run(night: Night) -> None:
    place, _, told = night
    last = json.loads(place.workspace.now.read_text())["gpu"]
    assert (last["device"], last["why_not"]) == ("Stand-in A", None)
    assert set(last["samples"][-1]) == {"at", *gpu.FIGURES, "loaded"}
    assert last["samples"][-1]["loaded"] == ["flux1-schnell-miniature"]
    assert max(len(one["samples"]) for one in told) >= 2, "before the job had ended"
    assert len(last["samples"]) <= 60


def test_without_a_card_pictures_have_no_energy_and_the_reason_is_told(place: Living) -> None:
    class Absent(StandIn):
        def nvmlInit(self) -> None:
            raise pynvml.NVMLError_LibraryNotFound()

    place.drop("upscale/big.png", picture())
    place.drop("upscale/big.png.yaml", LANCZOS)
    service = Service(place.workspace, lambda job, event: known(service), nvml=Absent)
    service.run(once=True)
    assert [row["energy_wh"] for row in place.images("big")] == [None]
    assert place.rows("select * from gpu_samples") == []
    gpu_now = json.loads(place.workspace.now.read_text())["gpu"]
    assert gpu_now == {"device": None, "why_not": "no NVIDIA card here: nothing to measure", "samples": []}


def test_a_driver_that_hangs_hangs_nothing_else(place: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "ANSWER_S", 1.0)
    library = StandIn()

    def tell(job: dict[str, Any], event: str) -> None:
        if event == "started":
            poll(lambda: len(library.asked_at(COUNTER)) >= 2, "first sample of the job")
            monkeypatch.setattr(gpu, "GIVE_UP_S", 0.2)
            library.hangs = True

    place.drop("upscale/big.png", picture())
    place.drop("upscale/big.png.yaml", LANCZOS)
    Service(place.workspace, tell, nvml=lambda: library).run(once=True)
    library.let_go.set()
    assert place.job("big", "done") and [row["energy_wh"] for row in place.images("big")] == [None]
    assert "did not answer for 0.2 s" in json.loads(place.workspace.now.read_text())["gpu"]["why_not"]


# -- the monitor ----------------------------------------------------------------------------------------------------


def test_the_stand_in_has_what_the_installed_library_has() -> None:
    functions = [name for name in vars(StandIn) if name.startswith("nvml")]
    assert len(functions) == 10
    for name in functions:
        own = list(inspect.signature(getattr(StandIn, name)).parameters)[1:]
        real = inspect.signature(getattr(pynvml, name))
        assert real.bind(*own), name
        assert own == list(real.parameters)[: len(own)], name
    for name in ("NVMLError", "NVMLError_LibraryNotFound"):
        assert issubclass(getattr(pynvml, name), Exception)
    assert pynvml.c_nvmlUtilization_t.gpu and pynvml.c_nvmlMemory_t.used and pynvml.c_nvmlMemory_t.total


def test_this_machine_is_asked_through_the_installed_library() -> None:
    monitor = gpu.look()
    assert (monitor.device is None) is (monitor.why_not is not None)
    finding = doctor.judge_measuring(monitor)
    assert finding.ok is (None if monitor.why_not else True) and finding.says.endswith(".")


@pytest.mark.parametrize(
    ("visible", "device"),
    [(None, "Stand-in A"), ("0", "Stand-in A"), ("1", "Stand-in B"), ("1,0", "Stand-in B"),
     ("GPU-bbbb-2", "Stand-in B"), ("GPU-b", "Stand-in B"), (" GPU-aaaa , 1", "Stand-in A")],
)  # fmt: skip
def test_the_card_is_the_one_the_worker_uses(visible: str | None, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert monitor_of(StandIn()).device == device


@pytest.mark.parametrize(
    ("visible", "cards", "says"),
    [("", 2, "CUDA_VISIBLE_DEVICES hides every card"), ("7", 2, "CUDA_VISIBLE_DEVICES names 7, which"),
     ("0", 0, "no NVIDIA card here")],
)  # fmt: skip
def test_a_card_that_is_not_there_is_said(visible: str, cards: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monitor = monitor_of(StandIn(cards=cards))
    assert monitor.why_not and monitor.why_not.startswith(says) and monitor.why_not.endswith(": nothing to measure")
    monitor.begin(1)
    assert monitor.end() is None


@pytest.mark.parametrize(("lacks", "function"), [((), COUNTER), ((COUNTER,), "nvmlDeviceGetPowerUsage")])
def test_energy_is_that_of_the_counter_and_without_one_that_of_the_power(
    lacks: tuple[str, ...], function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = StandIn(*lacks, grows_w=40)
    monkeypatch.setattr(gpu, "time", library)  # its clock stands still from the last answer to when that is noted
    monitor = monitor_of(library)
    monitor.begin(1)
    sampled(monitor, 3)
    energy_wh = monitor.end()
    _, first, *_, last = library.asked_at(function)
    assert energy_wh == pytest.approx((library.drawn_j(last) - library.drawn_j(first)) / 3600, rel=1e-3)


def test_each_figure_may_be_missing_alone() -> None:
    missing = {
        "nvmlDeviceGetUtilizationRates": {"utilisation_percent"},
        "nvmlDeviceGetMemoryInfo": {"memory_used_mb", "memory_total_mb"},
        "nvmlDeviceGetTemperature": {"temperature_c"},
        "nvmlDeviceGetPowerUsage": {"power_w"},
    }
    for function, figures in missing.items():
        monitor = monitor_of(StandIn(function))
        monitor.begin(1)
        sample = sampled(monitor, 1)[-1]
        assert monitor.end() is not None, "the counter is there"
        assert {name for name in gpu.FIGURES if sample[name] is None} == figures == set(monitor.lacks)
        assert doctor.judge_measuring(monitor).says.endswith(f", all but {', '.join(monitor.lacks)}.")
    neither = monitor_of(StandIn("nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption"))
    neither.begin(1)
    sampled(neither, 1)
    assert neither.end() is None


def test_a_card_that_is_lost_is_not_asked_again() -> None:
    library = StandIn()
    monitor = monitor_of(library)
    monitor.begin(1)
    sampled(monitor, 1)
    library.lost = True
    assert monitor.end() is None, "half of the energy is none"
    assert monitor.why_not == "the NVIDIA driver tells nothing of the card (GPU is lost): nothing to measure"


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetName", "nvmlDeviceGetPowerUsage"])
def test_a_library_that_is_broken_is_said_and_delays_no_job(function: str) -> None:
    def broken(*values: object) -> Any:
        raise OSError("undefined symbol")

    library = StandIn()
    setattr(library, function, broken)
    monitor = monitor_of(library)
    assert monitor.why_not == "the NVIDIA driver cannot be asked (OSError: undefined symbol): nothing to measure"
    began_s = time.monotonic()
    monitor.begin(1)
    assert monitor.end() is None and time.monotonic() - began_s < gpu.ANSWER_S / 2


def test_money_is_known_where_price_and_energy_are() -> None:
    assert Settings(electricity_price=0.32).money(1500) == pytest.approx(0.48)
    assert Settings(electricity_price=0.32).money(None) is None
    assert Settings().money(1500) is None


# -- the catalog ----------------------------------------------------------------------------------------------------


@pytest.fixture
def catalog(place: Living) -> Iterator[Catalog]:
    one = Catalog(place.workspace.catalog)
    with one.transaction():
        job = NewJob("a", "upscale", 0, '{"kind":"upscale"}', "[]", "", None, "queued")
        queue.put_drop(one, "d1", "upscale", "a.png", "claimed", [], [job])
    yield one
    one.close()


def sample(at: datetime, **figures: Any) -> gpu.Sample:
    told: dict[str, Any] = dict.fromkeys(gpu.FIGURES, 10.0)
    when = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return gpu.Sample(when, "A", 1, **told | figures, loaded=("flux",))


def test_what_a_disk_refuses_is_written_the_next_time(catalog: Catalog) -> None:
    monitor = monitor_of(StandIn())
    monitor.begin(1)
    sampled(monitor, 1)
    monitor.end()
    catalog.connection.execute("pragma query_only=on")
    with pytest.raises(sqlite3.OperationalError):
        monitor.keep(catalog)
    catalog.connection.execute("pragma query_only=off")
    monitor.keep(catalog)
    monitor.keep(catalog)
    rows = catalog.rows("select job_id, at from gpu_samples order by id")
    assert rows == [{"job_id": 1, "at": one["at"]} for one in monitor.told()["samples"]]
    assert len(rows) >= 2, "as it began, and as it ended"


def test_after_a_week_a_minute_has_one_row(catalog: Catalog) -> None:
    now = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
    old, young = now - timedelta(days=9), now - timedelta(days=6)
    powers = [100.0 + second for second in range(150)]
    with catalog.transaction():
        seconds = enumerate(powers)
        gpu.put_samples(catalog, [sample(old + timedelta(seconds=n), power_w=power) for n, power in seconds])
        gpu.put_samples(catalog, [sample(old + timedelta(days=1, seconds=n), power_w=None) for n in range(3)])
        gpu.put_samples(catalog, [sample(young + timedelta(seconds=n)) for n in range(5)])
    gpu.thin(catalog, now)
    rows = catalog.rows("select at, span_s, power_w, temperature_c, job_id, loaded from gpu_samples order by at")
    means = [sum(part) / len(part) for part in (powers[:30], powers[30:90], powers[90:])]
    assert [(row["at"][11:], row["span_s"], row["power_w"]) for row in rows[:4]] == [
        ("12:00:00.000Z", 60, means[0]), ("12:01:00.000Z", 60, means[1]), ("12:02:00.000Z", 60, means[2]),
        ("12:00:00.000Z", 60, None),
    ]  # fmt: skip
    assert {(row["temperature_c"], row["job_id"], row["loaded"]) for row in rows} == {(10.0, 1, '["flux"]')}
    assert [row["span_s"] for row in rows[4:]] == [1] * 5, "the last week stays as it is"
    gpu.thin(catalog, now)
    again = catalog.rows("select at, span_s, power_w, temperature_c, job_id, loaded from gpu_samples order by at")
    assert again == rows


def test_no_question_about_samples_reads_all_of_them(catalog: Catalog) -> None:
    questions = [
        (gpu.THIN, ("2026",)), (gpu.FORGET, ("2026",)), ("delete from jobs where id=?", (1,)),
        ("select * from gpu_samples where job_id=? order by at", (1,)),
        ("select * from gpu_samples where at>=? order by at", ("2026",)),
    ]  # fmt: skip
    for sql, values in questions:
        plan = [row["detail"] for row in catalog.rows(f"explain query plan {sql}", *values)]
        assert plan and not [line for line in plan if line.startswith("SCAN gpu_samples")], (sql, plan)


def test_the_energy_survives_a_kill_after_the_commit_point(place: Living, catalog: Catalog) -> None:
    job = queue.claim_job(catalog, 1)
    assert job
    stage = publish.fresh_stage(place.workspace, job)
    staged = []
    for number in range(3):
        path = stage / f"{16 * number}.png"
        path.write_bytes(picture(20 + number))
        facts = {"id": f"id{number}", "pixel_sha256": "x", "width": 20 + number, "height": 16, "format": "png"}
        name = f"{stage.name}/{path.name}"
        one = publish.Staged(name, number, "picture", ".png", sha256_of(path), 1, facts | {"kind": "upscale"})
        staged.append(replace(one, role="sheet", suffix="_sheet.png") if number == 2 else one)
    publish.intend(place.workspace, catalog, job, staged, {"run_s": 1.0, "load_s": 0.0, "energy_wh": 5.0})
    catalog.close()  # what a kill leaves: the rows of the intent, and the staged files
    later = Catalog(place.workspace.catalog)
    place.workspace.outbox_mark.touch()
    recovery.recover(place.workspace, later)
    rows = later.rows("select path, energy_wh from images order by path")
    later.close()
    assert [(Path(row["path"]).name, row["energy_wh"]) for row in rows] == [
        ("a_01.png", 2.5), ("a_02.png", 2.5), ("a_sheet.png", None),
    ]  # fmt: skip
