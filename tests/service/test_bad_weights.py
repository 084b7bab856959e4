"""Weights that cannot be used: the job waits or fails with a sentence that names the file, and the next one runs."""

import pickle
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from hotfolder.models.placement import Machine
from hotfolder.service import Service
from tests.intake.bench import Bench
from tests.models.singlefile import GUIDANCE, SHAPES, put_header
from tests.service import tiny
from tests.service.living import picture

PROCESSOR = Machine(device="cpu", name="the processor", device_bytes=2**36, free_bytes=2**36, ram_bytes=2**36)


def test_each_job_says_what_is_wrong_with_its_weights_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    bench = Bench(tmp_path / "w")
    place = bench.workspace.models / "checkpoints"
    (place / "page.safetensors").write_bytes(b"<!DOCTYPE html>")
    (place / "evil.ckpt").write_bytes(pickle.dumps(1))
    put_header(place / "xl.safetensors", {"conditioner.embedders.0.weight": [8]})
    put_header(place / "what.safetensors", {"something.weight": [8]})
    put_header(place / "narrow.safetensors", SHAPES | {"img_in.weight": [32, 64]})
    cut = put_header(place / "cut.safetensors", SHAPES)
    with open(cut, "r+b") as file:
        file.truncate(1000)
    put_header(place / "flux1-dev.safetensors", SHAPES | GUIDANCE)
    for name in ("page", "evil", "xl", "what", "narrow", "cut", "flux1-dev"):
        bench.put(f"generate/{name}.yaml", f"prompt: a fox\nmodel: {name}\n")
    bench.put("generate/schnell.yaml", "prompt: a fox\nmodel: flux1-schnell\n")
    bench.put("upscale/next.png", picture())
    Service(bench.workspace, machine=lambda: PROCESSOR).run(once=True)
    jobs = {row["name"]: row for row in bench.rows("select * from jobs")}
    for name, words in {
        "page": "models/checkpoints/page.safetensors is a web page",
        "evil": "models/checkpoints/evil.ckpt is a pickle",
        "xl": "models/checkpoints/xl.safetensors is a checkpoint of Stable Diffusion XL, which this version cannot run",
        "what": "models/checkpoints/what.safetensors is a checkpoint of a family that this version does not know",
        "narrow": "models/checkpoints/narrow.safetensors is no FLUX.1 of the known size",
        "cut": "models/checkpoints/cut.safetensors is cut short",
        "flux1-dev": "models/checkpoints/flux1-dev.safetensors holds the transformer alone and lacks text_encoder",
        "schnell": "the weights of flux1-schnell (33.7 GB) are not on this machine",
    }.items():
        assert jobs[name]["state"] == "waiting"
        assert words in jobs[name]["wait_reason"]
    assert jobs["next"]["state"] == "done"

    tiny.put_weights(bench.workspace.models)
    path = place / tiny.MODEL / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    wrong = {"context_embedder.weight": tensors["context_embedder.weight"][:, 1:].contiguous()}
    save_file(tensors | wrong, path, {"format": "pt"})
    bench.put("upscale/after.png", picture())
    Service(bench.workspace, machine=lambda: PROCESSOR).run(once=True)
    jobs = {row["name"]: row for row in bench.rows("select * from jobs")}
    assert (jobs["schnell"]["state"], jobs["after"]["state"]) == ("failed", "done")
    assert "the weights of flux1-schnell in" in jobs["schnell"]["error"]
    assert "context_embedder.weight" in jobs["schnell"]["error"]
