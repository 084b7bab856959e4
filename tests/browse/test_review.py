"""Deeds of the review: what each writes, what it says, and that it writes nothing else."""

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hotfolder import images
from hotfolder import workspace as places
from hotfolder.catalog import pictures
from hotfolder.metadata import write
from hotfolder.metadata.read import read
from hotfolder.settings import Settings
from hotfolder.yamlfile import parse
from tests.browse.reviewing import Page
from tests.metadata import made

DAY = "generate/2026-11-20"


@pytest.fixture
def page(workplace: Any) -> Iterator[Page]:
    """A page of a workspace with a generated picture, `drawn1`, and what lies beside it."""
    places.init(workplace.root)
    drawn = workplace.outbox / DAY / "drawn.png"
    facts = replace(made.FACTS, image_id="drawn1")
    write.save(made.picture(), drawn, "png", 90, facts)
    workplace.add_image("drawn1", f"outbox/{DAY}/drawn.png", pixel_sha256=pixels(drawn))
    for ending in (".job.yaml", ".txt", ".json", ".xmp", ".mask.png", ".overlay.png", ".png.xmp"):
        drawn.with_name(f"drawn{ending}").write_text(f"of drawn{ending}")
    one = Page(workplace.root)
    yield one
    one.close()


def pixels(path: Path) -> str:
    return images.pixel_sha256(images.open_picture(path, 1 << 24).image)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def rows(root: Path) -> list[str]:
    with sqlite3.connect(f"{(root / 'catalog.db').as_uri()}?mode=ro", uri=True) as connection:
        return list(connection.iterdump())


def test_the_page_of_a_picture_says_what_was_done_before_the_catalog_knows(workplace: Any, page: Page) -> None:
    drawn = workplace.outbox / DAY / "drawn.png"
    drawn.with_name("drawn.png.xmp").unlink()
    workplace.connection.execute("update images set signature = ?", [pictures.signature_at(drawn)])
    workplace.connection.commit()
    page.post("rate", id="drawn1", rating=4)
    page.post("keep", id="drawn1")
    shown = workplace.get("/-/hotfolder/picture/drawn1").text
    assert 'data-rating="4" data-review="keep"' in shown
    assert f"outbox/{DAY}/keep/drawn.png" in shown
    page.post("undo", id="drawn1")
    page.post("rate", id="drawn1", rating=0)
    assert 'data-rating="" data-review=""' in workplace.get("/-/hotfolder/picture/drawn1").text


def test_stars_go_into_the_picture_and_nowhere_else(workplace: Any, page: Page) -> None:
    drawn = workplace.outbox / DAY / "drawn.png"
    drawn.with_name("drawn.png.xmp").unlink()
    before, catalog = pixels(drawn), rows(workplace.root)
    answer = page.post("rate", id="drawn1", rating=4)
    assert answer.json() == {"says": "drawn.png has 4 stars.", "rating": 4}
    found = read(drawn)
    assert (found.rating, found.image_id, found.job and found.job["seed"]) == (4, "drawn1", 42)
    assert pixels(drawn) == before
    assert page.post("rate", id="drawn1", rating=1).json()["says"] == "drawn.png has 1 star."
    assert page.post("rate", id="drawn1", rating=0).json()["says"] == "drawn.png has no stars."
    assert read(drawn).rating == 0
    assert rows(workplace.root) == catalog, "the service writes the catalog, not a page"
    assert not list(workplace.outbox.rglob("*.part"))


@pytest.mark.parametrize("rating", ["6", "-1", "4.5", "", "five", "٣", "1e0"])
def test_a_rating_that_is_none_is_refused(workplace: Any, page: Page, rating: str) -> None:
    before = (workplace.outbox / DAY / "drawn.png").read_bytes()
    assert page.post("rate", id="drawn1", rating=rating).status_code in (409, 413)
    assert (workplace.outbox / DAY / "drawn.png").read_bytes() == before


def test_a_picture_that_is_none_is_a_sentence(workplace: Any, page: Page) -> None:
    (workplace.outbox / "liar.png").write_bytes(b"<html>")
    workplace.add_image("liar", "outbox/liar.png")
    answer = page.post("rate", id="liar", rating=3)
    assert answer.status_code == 409 and answer.text.startswith("liar.png ")
    assert answer.headers["content-type"].startswith("text/plain")


def test_kept_rejected_and_put_back_with_all_that_lies_beside_it(workplace: Any, page: Page) -> None:
    day = workplace.outbox / DAY
    group = {name for name in names(day) if name.startswith("drawn")}
    others = names(day) - group
    assert len(group) == 8
    for deed, folder, review in (
        ("keep", day / "keep", "keep"),
        ("reject", day / "reject", "reject"),  # the sibling, though the catalog still says that it lies in the day
        ("keep", day / "keep", "keep"),
        ("undo", day, None),
        ("reject", day / "reject", "reject"),
    ):
        answer = page.post(deed, id="drawn1")
        assert answer.json()["review"] == review, answer.text
        assert names(folder) - others == group
        assert sum(len(list(workplace.outbox.rglob(name))) for name in group) == len(group)
    again = page.post("reject", id="drawn1").json()
    assert again == {"says": "drawn.png lies in reject/ already.", "review": "reject"}
    assert page.post("undo", id="drawn1").json()["says"] == "drawn.png is out of reject/ again."
    assert page.post("undo", id="drawn1").json()["says"] == "drawn.png lies neither in keep/ nor in reject/."


def test_deeds_work_before_the_catalog_knows_of_the_last(workplace: Any, page: Page) -> None:
    page.post("keep", id="drawn1")
    Image.new("RGB", (8, 8)).save(workplace.outbox / DAY / "drawn.png")
    facts = replace(made.FACTS, image_id="other1")
    write.save(made.picture("L").convert("RGB"), workplace.outbox / DAY / "drawn.png", "png", 90, facts)
    assert page.post("rate", id="drawn1", rating=5).json()["rating"] == 5
    kept = workplace.outbox / DAY / "keep" / "drawn.png"
    assert read(kept).rating == 5 and read(workplace.outbox / DAY / "drawn.png").rating is None, "not the new one"
    (workplace.outbox / DAY / "drawn.png").unlink()
    for what in ("file", "thumb"):
        assert workplace.get(f"/-/hotfolder/{what}/drawn1").status_code == 200, "the page still shows it"


def test_deeds_at_the_same_time_come_one_after_the_other(workplace: Any, page: Page) -> None:
    (workplace.outbox / DAY / "drawn.png.xmp").unlink()
    deeds = [("keep", {}), ("rate", {"rating": 2}), ("reject", {}), ("rate", {"rating": 5}), ("undo", {})] * 4
    with ThreadPoolExecutor(len(deeds)) as pool:
        answers = list(pool.map(lambda deed: page.post(deed[0], id="drawn1", **deed[1]), deeds))
    assert {answer.status_code for answer in answers} == {200}
    (left,) = workplace.outbox.rglob("drawn.png")
    assert read(left).rating in (2, 5)
    assert not list(workplace.outbox.rglob("drawn-2*"))


def test_nothing_is_overwritten_and_what_belongs_together_stays_so(workplace: Any, page: Page) -> None:
    keep = workplace.outbox / DAY / "keep"
    keep.mkdir()
    (keep / "drawn.txt").write_text("somebody's own")
    answer = page.post("keep", id="drawn1")
    assert answer.json()["says"] == "drawn-2.png lies in keep/ now."
    assert (keep / "drawn.txt").read_text() == "somebody's own"
    assert (keep / "drawn-2.txt").read_text() == "of drawn.txt"
    assert (keep / "drawn-2.png.xmp").read_text() == "of drawn.png.xmp"
    assert page.post("rate", id="drawn1", rating=2).json()["says"] == "drawn-2.png has 2 stars."
    assert page.post("undo", id="drawn1").json()["review"] is None
    assert (workplace.outbox / DAY / "drawn-2.job.yaml").read_text() == "of drawn.job.yaml"


def test_a_folder_of_ones_own_within_keep_counts_as_kept(workplace: Any, page: Page) -> None:
    best = workplace.outbox / DAY / "Keep" / "best"
    best.mkdir(parents=True)
    (workplace.outbox / DAY / "drawn.png").rename(best / "drawn.png")
    workplace.connection.execute(f"update images set path = 'outbox/{DAY}/Keep/best/drawn.png' where id = 'drawn1'")
    workplace.connection.commit()
    assert page.post("keep", id="drawn1").json()["says"] == "drawn.png lies in keep/ already."
    assert (best / "drawn.png").is_file()
    assert page.post("reject", id="drawn1").json()["review"] == "reject"
    assert (workplace.outbox / DAY / "reject" / "drawn.png").is_file()


def test_folders_above_outbox_mean_nothing_and_links_to_it_are_followed(workplace: Any, tmp_path: Path) -> None:
    real = tmp_path / "keep" / "pictures"
    real.mkdir(parents=True)
    write.save(made.picture(), real / "far.png", "png", 90, replace(made.FACTS, image_id="far1"))
    (tmp_path / "linked").symlink_to(real)
    workplace.add_image("far1", "outbox/far.png")
    page = Page(workplace.root, Settings(outbox=str(tmp_path / "linked")))
    places.init(workplace.root)
    assert page.post("keep", id="far1").json()["review"] == "keep"
    assert (real / "keep" / "far.png").is_file()
    assert page.post("again", id="far1").status_code == 200
    assert "image: outbox/keep/far.png" in (workplace.root / "inbox" / "rerun" / "far-again.yaml").read_text()
    assert page.post("undo", id="far1").json()["review"] is None
    assert (real / "far.png").is_file()
    page.close()


def test_the_longest_name_that_a_disk_takes_is_kept_and_rated(workplace: Any, page: Page) -> None:
    drawn = workplace.outbox / DAY / "drawn.png"
    long = drawn.rename(drawn.with_name(f"{'x' * 251}.png"))
    workplace.connection.execute("update images set path = ? where id = 'drawn1'", [f"outbox/{DAY}/{long.name}"])
    workplace.connection.commit()
    for deed in ("rate", "keep", "undo"):
        assert page.post(deed, id="drawn1", rating=5).status_code == 200
    assert read(long).rating == 5


def test_what_is_another_pictures_stays(workplace: Any, page: Page) -> None:
    Image.new("RGB", (8, 8)).save(workplace.outbox / DAY / "drawn.jpg")
    page.post("keep", id="drawn1")
    assert names(workplace.outbox / DAY / "keep") == {"drawn.png", "drawn.png.xmp"}


@pytest.mark.parametrize("image_id", ["", "none", "../knight1", "knight1'--", "x" * 200, "knight1.png", "%2e%2e"])
@pytest.mark.parametrize("deed", ["rate", "keep", "again"])
def test_an_id_that_names_no_picture_is_not_found(workplace: Any, page: Page, image_id: str, deed: str) -> None:
    before = sorted(workplace.root.rglob("*.*"))
    assert page.post(deed, id=image_id, rating=3).status_code == 404
    assert sorted(workplace.root.rglob("*.*")) == before


@pytest.mark.parametrize("path", ["outbox/../secret.png", "outbox/link.png", "outbox/folder.png", "done/a.png"])
def test_a_row_that_leads_elsewhere_is_not_found(workplace: Any, page: Page, path: str) -> None:
    secret = workplace.root / "secret.png"
    Image.new("RGB", (4, 4)).save(secret)
    before = secret.read_bytes()
    (workplace.outbox / "link.png").symlink_to(secret)
    (workplace.outbox / "folder.png").mkdir()
    shutil.copy(secret, workplace.root / "done" / "a.png")
    workplace.add_image("trick", path)
    for deed in ("rate", "keep", "undo", "upscale"):
        assert page.post(deed, id="trick", rating=3).status_code == 404
    assert secret.read_bytes() == before and secret.is_file()


@pytest.mark.parametrize("button", ["again", "vary", "upscale"])
def test_a_button_drops_one_job_that_names_the_picture(workplace: Any, page: Page, button: str) -> None:
    kind = {"again": "rerun"}.get(button, button)
    inbox = workplace.root / "inbox" / kind
    for name in (f"drawn-{button}.yaml", f"drawn-{button}-2.yaml"):
        answer = page.post(button, id="drawn1").json()
        assert answer["says"].startswith(f"inbox/{kind}/{name} asks for it; it starts with `hotfolder run`")
        (job,) = parse((inbox / name).read_bytes(), name)
        assert job.values == {"kind": kind, "image": f"outbox/{DAY}/drawn.png"}
    assert len(list((workplace.root / "inbox").rglob("*.*"))) == 2, "no part of a file is left"


def test_what_cannot_be_made_again_says_so_and_nothing_is_written(workplace: Any, page: Page) -> None:
    for image_id, kind, uses in (("cut1", "cutout", {}), ("cap1", "caption", {"mode": "fast"})):
        path = workplace.outbox / f"{image_id}.png"
        write.save(made.picture(), path, "png", 90, replace(made.UPSCALED, image_id=image_id, kind=kind,
                   job={"kind": kind, "image": "photo.png", **uses}))  # fmt: skip
        workplace.add_image(image_id, f"outbox/{image_id}.png", kind=kind)
        again, vary = (page.post(button, id=image_id) for button in ("again", "vary"))
        assert again.status_code == vary.status_code == 409
        assert again.text.startswith(f"{image_id}.png was made by `{kind}`, which uses no seed")
        assert f"`{kind}`, and only what `generate` made can be varied" in vary.text
    assert "does not say how it was made" in page.post("again", id="knight1").text
    Image.new("L", (9000, 9000)).save(workplace.outbox / "vast.png")
    workplace.add_image("vast1", "outbox/vast.png")
    assert "megapixels" in page.post("upscale", id="vast1").text
    assert not list((workplace.root / "inbox").rglob("*.yaml"))


def test_a_preset_that_is_broken_is_said(workplace: Any, page: Page) -> None:
    (workplace.root / "inbox" / "upscale" / "folder.yaml").write_text("factr: 2\n")
    assert page.post("upscale", id="drawn1").status_code == 409
    (workplace.root / "inbox" / "upscale" / "folder.yaml").write_text("factor: 3\n")
    assert page.post("upscale", id="drawn1").status_code == 200


def test_an_inbox_elsewhere_and_an_outbox_elsewhere(workplace: Any, tmp_path: Path) -> None:
    settings = Settings(inbox=str(tmp_path / "in"), outbox=str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    write.save(made.picture(), tmp_path / "out" / "far.png", "png", 90, replace(made.FACTS, image_id="far1"))
    workplace.add_image("far1", "outbox/far.png")
    page = Page(workplace.root, settings)
    missing = page.post("again", id="far1")
    assert missing.status_code == 409 and "is not there; mount or create it" in missing.text
    (tmp_path / "in").mkdir()
    assert page.post("again", id="far1").status_code == 200
    (job,) = (tmp_path / "in").rglob("*.yaml")
    workspace = places.Workspace(workplace.root, settings)
    (document,) = parse(job.read_bytes(), "x")
    assert workspace.locate(document.values["image"], job.parent) == tmp_path / "out" / "far.png"
    page.close()
