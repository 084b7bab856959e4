"""The pages over rows that a real service wrote, and over what `hotfolder rebuild` makes of its files."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from hotfolder import workspace as places
from hotfolder.browse import serve
from tests.service.living import Living, hotfolder, living, picture

CHAIN = "pipeline:\n  - {kind: upscale, model: lanczos, factor: 2}\n  - {kind: upscale, model: lanczos, factor: 1.5}\n"


class Shown:
    """A workspace in a Datasette of its own."""

    def __init__(self, place: Living) -> None:
        self.place = place
        self.datasette = serve.make(places.open_workspace(place.root))

    def get(self, path: str) -> httpx.Response:
        answer: httpx.Response = asyncio.run(self.datasette.client.get(f"/-/hotfolder/{path}"))
        return answer

    def text(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())

    def image(self, name: str) -> dict[str, Any]:
        (row,) = self.place.rows("select * from images where path like ?", f"%/{name}")
        return row

    def close(self) -> None:
        for database in self.datasette.databases.values():
            database.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    for place in living(tmp_path_factory.mktemp("rows") / "w"):
        place.drop("upscale/stone.tif", picture(60, 40, form="TIFF"))
        place.drop("upscale/stone.tif.yaml", "model: lanczos\nfactor: 3\ntags: [stone]\nnote: a first try\n")
        place.drop("pipeline/chain.png", picture(30, 20))
        place.drop("pipeline/chain.png.yaml", CHAIN)
        place.drop("upscale/broken.yaml", "faktor: 2\n")
        place.once()
        shown = Shown(place)
        yield shown
        shown.close()


@pytest.fixture(scope="module")
def rebuilt(made: Shown) -> Iterator[Shown]:
    """The same files with a catalog made anew from them."""
    for place in living(made.place.root.with_name("rebuilt")):
        shutil.rmtree(place.root)
        shutil.copytree(made.place.root, place.root)
        for part in place.root.glob("catalog.db*"):
            part.unlink()
        assert hotfolder(place.root, "rebuild").returncode == 0
        shown = Shown(place)
        yield shown
        shown.close()


def test_a_dropped_tiff_is_the_picture_before(made: Shown) -> None:
    stone = made.image("stone.png")
    answer = made.get(f"picture/{stone['id']}")
    assert 'style="left:0%;top:0%;width:100%;height:100%"' in answer.text
    assert made.get(f"source/{stone['id']}").headers["content-type"] == "image/webp"
    shown = made.text(f"picture/{stone['id']}")
    for words in (
        "Factor 3",
        "Tags stone",
        "Note a first try",
        "done/upscale/stone.tif",
        "Size 180 × 120 pixels",
        "Work",
    ):
        assert words in shown, words


def test_the_job_to_copy_is_the_file_beside_the_picture(made: Shown) -> None:
    stone = made.image("stone.png")
    (recipe,) = re.findall(r'<pre id="recipe"[^>]*>(.*?)</pre>', made.get(f"picture/{stone['id']}").text, re.DOTALL)
    beside = (made.place.root / stone["path"]).with_suffix(".job.yaml")
    assert unescape(recipe) == beside.read_text()


def test_the_steps_of_a_real_chain_lead_to_one_another(made: Shown) -> None:
    first, last = made.image("chain.1-upscale.png"), made.image("chain.png")
    shown = made.get(f"picture/{last['id']}").text
    assert f"/-/hotfolder/picture/{first['id']}" in shown.partition("Made from")[2].partition("<h2>")[0]
    assert f"/-/hotfolder/picture/{last['id']}" in made.get(f"picture/{first['id']}").text.partition("Made from it")[2]
    assert "step 2 of 2, upscale : done (this one)" in made.text(f"picture/{last['id']}")
    assert "step 1 of 2, upscale : done, its picture" in made.text(f"job/{last['job_id']}")


def test_what_failed_says_the_same_as_its_error_text(made: Shown) -> None:
    (job,) = made.place.rows("select id, error from jobs where state = 'failed'")
    reason = Path(made.place.root / "failed/upscale/broken.yaml.error.txt").read_text()
    shown = made.text(f"job/{job['id']}")
    assert job["error"] in reason
    assert " ".join(job["error"].replace("`", " ").split()) in shown
    assert "failed/upscale/broken.yaml.error.txt" in shown
    assert f"hotfolder retry {job['id']}" in shown


def test_after_a_rebuild_only_what_is_known_is_shown(rebuilt: Shown) -> None:
    stone, chained = rebuilt.image("stone.png"), rebuilt.image("chain.png")
    assert stone["job_id"] is None
    shown = rebuilt.text(f"picture/{stone['id']}")
    for words in ("Factor 3", "Tags stone", "Note a first try", "To make it again", "done/upscale/stone.tif"):
        assert words in shown, words
    for words in ("What it cost", "Its job", "Its chain"):
        assert words not in shown, words
    first = rebuilt.image("chain.1-upscale.png")
    assert f"/-/hotfolder/picture/{first['id']}" in rebuilt.get(f"picture/{chained['id']}").text
    assert "Factor" in rebuilt.text(f"compare?id={stone['id']}&id={chained['id']}")


def test_without_its_file_beside_the_picture_tells_its_job_itself(rebuilt: Shown) -> None:
    stone = rebuilt.image("stone.png")
    (rebuilt.place.root / stone["path"]).with_suffix(".job.yaml").unlink()
    shown = rebuilt.get(f"picture/{stone['id']}").text
    assert "what is written in the picture" in shown
    assert "kind: upscale\nmodel: lanczos\n" in shown
    assert "factor: 3.0\n" in shown
