"""Pictures made again from what they say of themselves, by whatever tool."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hotfolder.metadata import read
from tests.metadata import others
from tests.models.lorafiles import as_diffusers, matrices, write
from tests.service.living import Living, at_once, picture

OTHERS = {
    "a1111": others.a1111,
    "comfyui": others.comfyui,
    "invokeai": others.invokeai,
    "swarmui": others.swarmui,
    "fooocus": others.fooocus,
}
OWN = (
    "prompt: 'a \\{red\\} fox'\nseed: 42\nsteps: 2\nsize: 48x32\nsampler: dpmpp_2m\n"
    "tags: [one]\nnote: for May\nname: May\n"
)


def drop_made(painter: Living, place: str, make: Callable[[Path], Path]) -> None:
    """Drop a picture that something else writes into a file."""
    aside = painter.root / "aside.png"
    make(aside)
    painter.drop(place, aside.read_bytes())


@pytest.fixture(scope="module")
def made(painter: Living) -> dict[str, dict[str, Any]]:
    """Drop a picture of every tool, and give the rows of what came of them."""
    write(painter.workspace.models / "loras" / "tarot.safetensors", as_diffusers(*matrices(3)))
    for name, make in OTHERS.items():
        drop_made(painter, f"rerun/{name}.png", make)
    found = {}
    for name in OTHERS:
        assert painter.job(name, deadline_s=120)["error"] is None
        (found[name],) = painter.images(name)
    return found


@pytest.mark.parametrize("name", list(OTHERS))
def test_another_tools_picture(painter: Living, made: dict[str, dict[str, Any]], name: str) -> None:
    row = made[name]
    expected = {"kind": "generate", "prompt": "a fox in the snow", "steps": 3, "width": 96, "height": 64,
                "model": "flux1-schnell", "seed_locked": 0}  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert row["seed"] != "42"
    spec = json.loads(painter.job(name)["spec"])
    assert spec["note"].startswith(f"rerun of {name}.png, seed 42; ")
    path = painter.workspace.absolute(row["path"])
    found = read.read(path)
    assert found.job and found.job["note"] == spec["note"]
    again = yaml.safe_load(path.with_suffix(".job.yaml").read_text())
    assert (again["note"], str(again["seed"])) == (spec["note"], row["seed"])
    assert (painter.root / "done/rerun" / f"{name}.png").is_file()


def test_what_other_tools_say_besides(painter: Living, made: dict[str, dict[str, Any]]) -> None:
    notes = {name: json.loads(painter.job(name)["spec"])["note"] for name in OTHERS}
    assert "the model `v1-5-pruned-emaonly.safetensors` is not here, flux1-schnell made this" in notes["comfyui"]
    assert "its negative prompt is left out: flux1-schnell knows none at its guidance" in notes["a1111"]
    assert "its negative prompt is left out: it did nothing at a CFG scale of 1" in notes["invokeai"]
    assert "its styles" in notes["fooocus"]
    assert "tarot" not in notes["swarmui"]
    assert [json.loads(made[name]["loras"] or "[]") for name in ("a1111", "swarmui")] == [
        [], [{"name": "tarot", "weight": 0.8, "hash": json.loads(made["swarmui"]["loras"])[0]["hash"]}],
    ]  # fmt: skip
    assert made["swarmui"]["sampler"] == "DPM++ 2M Karras"


@pytest.fixture(scope="module")
def own(painter: Living) -> Path:
    """Return the file of a picture that was generated here."""
    painter.drop("generate/own.yaml", OWN)
    painter.job("May", "done", deadline_s=120)
    return painter.workspace.absolute(painter.images("May")[0]["path"])


def test_our_own_picture(painter: Living, own: Path) -> None:
    for number in (1, 2):
        with at_once(painter):
            painter.drop(f"rerun/own{number}.job.yaml", own.with_suffix(".job.yaml").read_bytes())
            painter.drop(f"rerun/own{number}.txt", "a caption")
            painter.drop(f"rerun/own{number}.png", own.read_bytes())
    rows = []
    for number in (1, 2):
        assert painter.job(f"own{number}", deadline_s=120)["error"] is None
        rows += painter.images(f"own{number}")
    for number, row in enumerate(rows, start=1):
        expected = {
            "prompt": "a {red} fox",
            "steps": 2,
            "width": 48,
            "height": 32,
            "sampler": "DPM++ 2M",
            "tags": "one",
        }
        assert {key: row[key] for key in expected} == expected
        note = json.loads(painter.job(f"own{number}")["spec"])["note"]
        assert note == f"for May\nrerun of own{number}.png, seed 42"
    assert len({"42", *(row["seed"] for row in rows)}) == 3


def test_a_rerun_made_again_keeps_one_line_of_where_it_comes_from(painter: Living, own: Path) -> None:
    painter.drop("rerun/twice.png", own.read_bytes())
    painter.job("twice", "done", deadline_s=120)
    (row,) = painter.images("twice")
    painter.drop("rerun/thrice.png", painter.workspace.absolute(row["path"]).read_bytes())
    note = json.loads(painter.job("thrice", "done", deadline_s=120)["spec"])["note"]
    assert note == f"for May\nrerun of thrice.png, seed {row['seed']}"


def test_a_sidecar_says_what_is_to_be_different(painter: Living, own: Path) -> None:
    with at_once(painter):
        painter.drop("rerun/side.png.yaml", "steps: 1\nseed: 123\nprompt: a dog\nnote: tried\nvariants: 2\n")
        painter.drop("rerun/side.png", own.read_bytes())
    assert painter.job("side", deadline_s=120)["error"] is None
    rows = painter.images("side")
    assert [(row["steps"], row["seed"], row["seed_locked"], row["prompt"], row["width"]) for row in rows] == [
        (1, "123", 1, "a dog", 48), (1, "124", 1, "a dog", 48),
    ]  # fmt: skip
    assert json.loads(painter.job("side")["spec"])["note"] == "tried\nrerun of side.png, seed 42"


def test_a_job_file_alone_names_the_picture(painter: Living, own: Path) -> None:
    name = own.relative_to(painter.root).as_posix()
    painter.drop("rerun/named.yaml", f"image: {name}\nsteps: 1\n")
    assert painter.job("named", deadline_s=120)["error"] is None
    assert (painter.images("named")[0]["prompt"], painter.images("named")[0]["steps"]) == ("a {red} fox", 1)


def test_a_picture_of_another_kind_finds_its_own_input(painter: Living) -> None:
    with at_once(painter):
        painter.drop("upscale/small.png", picture(20, 10))
        painter.drop("upscale/small.png.yaml", "model: lanczos\nfactor: 3\n")
    painter.job("small", "done")
    (first,) = painter.images("small")
    painter.drop("rerun/large.png", painter.workspace.absolute(first["path"]).read_bytes())
    assert painter.job("large")["error"] is None
    (row,) = painter.images("large")
    assert (row["kind"], row["width"], row["pixel_sha256"]) == ("upscale", 60, first["pixel_sha256"])


def test_a_picture_that_says_nothing(painter: Living) -> None:
    painter.drop("rerun/plain.png", picture())
    assert str(painter.job("plain", "failed")["error"]).startswith(
        "plain.png does not say how it was made: hotfolder, "
    )
    said = painter.filed("plain.png.error.txt", "failed").read_text()
    assert "write its words into a .txt in inbox/generate/ for a new one" in said
