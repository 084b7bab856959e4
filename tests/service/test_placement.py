"""The order that a worker gets says how its model is put on this machine; nobody else decides that."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotfolder import orders, working
from hotfolder.models.placement import Machine
from hotfolder.service import Service
from tests.intake.bench import Bench
from tests.models import lorafiles
from tests.service import tiny

CARD = Machine(
    device="cuda", name="a card", device_bytes=24 * 2**30, free_bytes=24 * 2**30, ram_bytes=2**36, capability=(8, 9)
)
PROCESSOR = Machine(device="cpu", name="the processor", device_bytes=2**35, free_bytes=2**35, ram_bytes=2**35)


class Refuser:
    """Stands for a worker: keeps the orders it gets, and fails each job."""

    orders: list[dict[str, Any]] = []

    def __init__(self, *given: object) -> None:
        self._said: list[dict[str, Any]] = []

    def send(self, order: dict[str, Any]) -> None:
        self.orders.append(order)
        self._said.append({"event": "failed", "waits": False, "retryable": False, "error": "enough"})

    def hear(self) -> Iterator[dict[str, Any]]:
        while self._said:
            yield self._said.pop()

    def end(self, grace_s: float) -> None:
        """Nothing runs."""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path / "w")
    tiny.put_weights(bench.workspace.models)
    monkeypatch.setattr(working, "WorkerProcess", Refuser)
    monkeypatch.setattr(Refuser, "orders", [])
    return bench


@pytest.mark.parametrize(("machine", "device", "precision"), [(CARD, "cuda", "bf16"), (PROCESSOR, "cpu", "fp32")])
def test_the_order_says_how_the_model_is_put_on_the_machine(
    bench: Bench, machine: Machine, device: str, precision: str
) -> None:
    bench.put("generate/a.yaml", "prompt: a fox\n")
    Service(bench.workspace, machine=lambda: machine).run(once=True)
    (order,) = Refuser.orders
    assert (order["model"], order["placement"]["device"], order["placement"]["precision"]) == (
        tiny.MODEL,
        device,
        precision,
    )
    assert 0 < order["placement"]["budget_bytes"] < machine.device_bytes


def test_the_profile_hyper_gives_a_job_its_lora_steps_and_guidance(bench: Bench) -> None:
    bench.put("generate/a.yaml", "prompt: a fox\nprofile: hyper\n")
    waiting = Service(bench.workspace, machine=lambda: CARD)
    waiting.run(once=True)
    (job,) = bench.rows("select * from jobs")
    assert "flux1-dev" in job["wait_reason"] and Refuser.orders == []
    models = bench.workspace.models
    shutil.copytree(models / "checkpoints" / tiny.MODEL, models / "checkpoints" / "flux1-dev")
    (models / "loras").mkdir(exist_ok=True)
    lorafiles.write(
        models / "loras" / "hyper-flux1-dev-8steps.safetensors", lorafiles.as_diffusers(*lorafiles.matrices())
    )
    Service(bench.workspace, machine=lambda: CARD).run(once=True)
    (order,) = Refuser.orders
    spec = order["spec"]
    assert (order["model"], spec["steps"], spec["guidance"]) == ("flux1-dev", 8, 3.5)
    assert spec["loras"] == [{"name": "hyper-flux1-dev-8steps", "weight": 0.125}]


def test_a_job_without_a_model_has_no_placement(bench: Bench) -> None:
    bench.put("upscale/a.png")
    Service(bench.workspace, machine=lambda: PROCESSOR).run(once=True)
    (order,) = Refuser.orders
    assert (order["model"], order["placement"]) == ("", None)


def test_with_a_card_a_picture_waits_for_the_network_that_enlarges_it(bench: Bench) -> None:
    bench.put("upscale/a.png")
    Service(bench.workspace, machine=lambda: CARD).run(once=True)
    (job,) = bench.rows("select * from jobs")
    assert job["state"] == "waiting"
    assert "realesrgan-x4plus" in job["wait_reason"]


def test_a_job_whose_profile_has_gone_when_its_turn_comes_is_told_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = bench.workspace.profiles / "mine.yaml"
    own.write_text("generate: flux1-schnell\n")
    bench.put("generate/a.yaml", "prompt: a fox\nprofile: mine\n")

    pick = orders.pick

    def forgetful(*words: Any) -> Any:
        own.unlink(missing_ok=True)
        return pick(*words)

    monkeypatch.setattr(orders, "pick", forgetful)
    Service(bench.workspace, machine=lambda: PROCESSOR).run(once=True)
    (job,) = bench.rows("select * from jobs")
    assert (job["state"], Refuser.orders) == ("failed", [])
    assert "no profile `mine`" in job["error"]


def test_a_disk_that_is_full_when_an_order_is_made_holds_up_nothing_for_good(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> dict[str, Any]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    bench.put("generate/a.yaml", "prompt: a fox\n")
    with monkeypatch.context() as patched:
        patched.setattr(orders, "order", full)
        stopped = Service(bench.workspace, machine=lambda: CARD)
        stopped.run(once=True)
    assert stopped.paused and Refuser.orders == []
    Service(bench.workspace, machine=lambda: CARD).run(once=True)
    assert len(Refuser.orders) == 1, "it was taken up again"
