"""Small variations of one seed: nearly the same picture, each to be had again."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hotfolder.metadata import read
from hotfolder.models import variation
from tests.capabilities.test_rerun import drop_made
from tests.metadata import others
from tests.service.living import Living, at_once, picture

JOB = "prompt: a red circle\nseed: 5\nsize: 48x32\nsteps: 2\n"


@pytest.fixture(scope="module")
def make(painter: Living) -> Callable[[str, str], list[Path]]:
    """Generate by a job of that name; gives the files."""

    def make(name: str, keys: str) -> list[Path]:
        painter.drop(f"generate/{name}.yaml", keys)
        assert painter.job(name, deadline_s=120)["error"] is None
        return [painter.workspace.absolute(row["path"]) for row in painter.images(name)]

    return make


@pytest.fixture(scope="module")
def plain(make: Callable[[str, str], list[Path]]) -> Path:
    return make("plain5", JOB)[0]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), dtype=int)


def away(one: Path, other: Path) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())


def test_a_dropped_picture_becomes_four(painter: Living, plain: Path) -> None:
    painter.drop("vary/mine.png", plain.read_bytes())
    assert painter.job("mine", deadline_s=120)["error"] is None
    rows = painter.images("mine")
    assert [(row["seed"], row["seed_locked"], row["kind"]) for row in rows] == [("5", 1, "generate")] * 4
    assert len({row["pixel_sha256"] for row in rows}) == 4
    spec = json.loads(painter.job("mine")["spec"])
    assert (spec["note"], spec["options"]["variation"]) == ("variation of mine.png, seed 5", 0.2)
    path = painter.workspace.absolute(rows[1]["path"])
    found = read.read(path)
    assert found.job and found.parameters
    assert found.parameters["variation"] == 0.2
    assert found.parameters["variation_seed"] == found.job["variation_seed"]
    painter.drop("generate/again.job.yaml", path.with_suffix(".job.yaml").read_bytes())
    assert painter.job("again", deadline_s=120)["error"] is None
    assert painter.images("again")[0]["pixel_sha256"] == rows[1]["pixel_sha256"]


def test_how_far_it_goes(make: Callable[[str, str], list[Path]], plain: Path) -> None:
    distances = [0.0]
    for number, how_far in enumerate((0.05, 0.2, 0.5, 1)):
        (path,) = make(f"far{number}", f"{JOB}variation: {how_far}\nvariation_seed: 9\n")
        distances.append(away(path, plain))
    assert distances == sorted(distances) and 0 < distances[1] < distances[-1] / 4
    (other,) = make("other", JOB.replace("seed: 5", "seed: 9"))
    assert away(path, other) == 0, "all the way is the other seed's own picture"


def test_none_is_the_plain_picture(make: Callable[[str, str], list[Path]], plain: Path) -> None:
    assert away(make("none", f"{JOB}variation: 0\n")[0], plain) == 0


def test_a_picture_begun_from_another(painter: Living) -> None:
    for name, keys in (("begun", ""), ("moved", "variation: 0.1\nvariation_seed: 9\n")):
        with at_once(painter):
            painter.drop(f"generate/{name}.png.yaml", f"{JOB}strength: 0.8\n{keys}")
            painter.drop(f"generate/{name}.png", picture(48, 32))
    paths = []
    for name in ("begun", "moved"):
        assert painter.job(name, deadline_s=120)["error"] is None
        paths.append(painter.workspace.absolute(painter.images(name)[0]["path"]))
    assert 0 < away(*paths) < 30
    painter.drop("vary/both.png", paths[0].read_bytes())
    assert painter.job("both", deadline_s=120)["error"] is None
    assert len({row["pixel_sha256"] for row in painter.images("both")}) == 4


def test_another_tools_seed_is_kept_too(painter: Living) -> None:
    with at_once(painter):
        drop_made(painter, "vary/theirs.png", others.comfyui)
        painter.drop("vary/theirs.png.yaml", "variants: 2\nvariation: 0.5\n")
    assert painter.job("theirs", deadline_s=120)["error"] is None
    assert [(row["seed"], row["width"]) for row in painter.images("theirs")] == [("42", 96)] * 2
    note = json.loads(painter.job("theirs")["spec"])["note"]
    assert "a seed makes another picture here than in ComfyUI" in note


def test_what_was_not_generated_is_refused(painter: Living) -> None:
    with at_once(painter):
        painter.drop("upscale/up.png", picture(20, 10))
        painter.drop("upscale/up.png.yaml", "model: lanczos\nfactor: 3\n")
    painter.job("up", "done")
    painter.drop("vary/upped.png", painter.workspace.absolute(painter.images("up")[0]["path"]).read_bytes())
    error = str(painter.job("upped", "failed")["error"])
    assert error == "upped.png was made by `upscale`, and only what `generate` made can be varied"


def test_a_seed_towards_nothing_is_refused(painter: Living) -> None:
    painter.drop("generate/towards.yaml", f"{JOB}variation_seed: 9\n")
    assert "it acts by `variation`" in str(painter.job("towards", "failed")["error"])


@pytest.mark.parametrize("how_far", [0.05, 0.2, 0.5, 0.95])
def test_noise_keeps_its_strength(how_far: float) -> None:
    one, other = torch.randn(2, 1, 16, 64, 64, generator=torch.Generator().manual_seed(1)).unbind()
    between = variation.between(one, other, how_far)
    assert abs(between.std().item() - 1) < 0.02
    angle = torch.nn.functional.cosine_similarity(between.flatten(), one.flatten(), 0).arccos().item()
    assert abs(angle - how_far * np.pi / 2) < 0.02
    assert variation.between(one.bfloat16(), other.bfloat16(), how_far).dtype == torch.bfloat16
    assert torch.isfinite(variation.between(one, one, how_far)).all()
