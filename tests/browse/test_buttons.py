"""What the buttons ask for really happens: a service runs, and each press makes what its label says."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotfolder import images
from hotfolder.metadata.read import read
from tests.browse.reviewing import Page
from tests.service.living import Living, living, poll

OUTBOX = "outbox: ../results\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    root = tmp_path_factory.mktemp("buttons")
    (root / "results").mkdir()
    for one in living(root / "w", f"profile: miniature\n{OUTBOX}"):
        yield one.start()
        assert one.end() == 0
        assert "Traceback" not in one.told()


@pytest.fixture(scope="module")
def page(place: Living) -> Iterator[Page]:
    one = Page(place.root, place.workspace.settings)
    yield one
    one.close()


@pytest.fixture(scope="module")
def drawn(place: Living) -> dict[str, Any]:
    place.drop("generate/star.yaml", "prompt: a red star\nseed: 7\nsteps: 2\nsize: 64x64\n")
    place.job("star", "done")
    (row,) = place.images("star")
    return row


def made(place: Living, source: dict[str, Any], name: str) -> list[dict[str, Any]]:
    place.job(name, "done")
    return place.images(name)


def test_again_makes_another_picture_from_another_seed(place: Living, page: Page, drawn: dict[str, Any]) -> None:
    says = page.post("again", id=drawn["id"]).json()["says"]
    assert says == "inbox/rerun/star-again.yaml asks for it."
    (again,) = made(place, drawn, "star-again")
    assert again["prompt"] == "a red star" and again["seed"] != drawn["seed"]
    assert again["pixel_sha256"] != drawn["pixel_sha256"]
    assert f"rerun of {Path(drawn['path']).name}, seed 7" in str((read(file(place, again)).job or {})["note"])


def test_vary_makes_four_near_it(place: Living, page: Page, drawn: dict[str, Any]) -> None:
    page.post("vary", id=drawn["id"])
    rows = made(place, drawn, "star-vary")
    assert len(rows) == 4 and {row["seed"] for row in rows} == {"7"}
    assert len({row["pixel_sha256"] for row in [*rows, drawn]}) == 5


def test_upscale_makes_it_larger(place: Living, page: Page, drawn: dict[str, Any]) -> None:
    page.post("upscale", id=drawn["id"])
    (larger,) = made(place, drawn, "star-upscale")
    assert (larger["width"], larger["height"]) == (256, 256)
    assert larger["parent_path"] == drawn["path"]


def test_stars_and_shelves_reach_the_catalog(place: Living, page: Page, drawn: dict[str, Any]) -> None:
    before = hashlib.sha256(file(place, drawn).read_bytes()).hexdigest()
    page.post("rate", id=drawn["id"], rating=4)
    page.post("keep", id=drawn["id"])
    sql = "select * from images where id=? and rating=4 and review='keep'"
    row = poll(lambda: next(iter(place.rows(sql, drawn["id"])), None), "rating and review in the catalog")
    assert row["path"] == f"{Path(drawn['path']).parent.as_posix()}/keep/star.png"
    assert row["sha256"] != before and row["pixel_sha256"] == drawn["pixel_sha256"]
    assert page.post("undo", id=drawn["id"]).json()["review"] is None
    poll(lambda: place.rows("select 1 from images where path=?", drawn["path"]), "old place in the catalog")


def file(place: Living, row: dict[str, Any]) -> Path:
    path = place.workspace.absolute(row["path"])
    assert images.sniff(path, 1 << 24).format == "PNG"
    return path
