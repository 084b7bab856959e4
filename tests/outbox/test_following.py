"""What becomes of a picture's row when people do something to its file; each with a service that really runs."""

import json
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hotfolder import verify
from hotfolder.catalog import pictures
from hotfolder.metadata import rating
from tests.outbox.operations import SIDECAR
from tests.service.living import Living, at_once, hotfolder, living, picture, poll

KEPT = "upscale/folder.yaml", "model: lanczos\nfactor: 2\non_keep: {kind: cutout, note: kept}\n"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A service that runs through all tests of the module; each makes pictures of its own."""
    for place in living(tmp_path_factory.mktemp("followed") / "w", "fetch_limit_gb: 0\n"):
        place.drop(*KEPT)
        yield place.start()
        assert place.end() == 0
        assert "Traceback" not in place.told()


def made(one: Living, name: str, **more: Any) -> tuple[str, Path]:
    """Make a picture; returns its id and where it lies."""
    one.drop(
        f"upscale/{name}.png", picture(20 + len(name), colour=(zlib.crc32(name.encode()) % 256, 3, len(name)), **more)
    )
    one.job(name, "done")
    (row,) = one.images(name)
    return row["id"], one.workspace.absolute(row["path"])


def row(one: Living, number: str) -> dict[str, Any]:
    """Return the row of a picture; empty where there is none."""
    return next(iter(one.rows("select * from images where id=?", number)), {})


def becomes(one: Living, number: str, **values: object) -> None:
    def look() -> bool:
        now = row(one, number)
        return bool(now) and all(now[key] == value for key, value in values.items())

    try:
        poll(look, f"{values}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {row(one, number)}") from None


def test_a_kept_picture_is_kept_and_its_job_runs_once(one: Living) -> None:
    number, path = made(one, "kept")
    keep = path.parent / "Keep"
    keep.mkdir()
    path.rename(keep / path.name)
    becomes(one, number, review="keep", path=one.workspace.relative(keep / path.name))
    job = one.workspace.inbox / "cutout" / f"keep-{number}.yaml"
    poll(job.is_file, "job for what is kept")
    assert yaml.safe_load(job.read_text()) == {
        "kind": "cutout", "image": one.workspace.relative(keep / path.name), "name": "kept", "note": "kept",
    }  # fmt: skip
    poll(lambda: one.rows("select 1 from drops where name=?", job.name), "row of that job")
    job.unlink()
    (keep / path.name).rename(path)
    becomes(one, number, review=None)
    path.rename(keep / path.name)
    becomes(one, number, review="keep")
    assert not job.exists()


def test_a_job_that_waits_for_more_names_its_kept_picture_where_it_is_now(one: Living) -> None:
    number, path = made(one, "regretted")
    keep = path.parent / "keep"
    keep.mkdir(exist_ok=True)
    path.rename(keep / path.name)
    becomes(one, number, review="keep")
    job = one.workspace.inbox / "cutout" / f"keep-{number}.yaml"  # it waits for its model
    (keep / path.name).rename(path)
    becomes(one, number, review=None)
    assert yaml.safe_load(job.read_text()) == {
        "kind": "cutout", "note": "kept", "image": one.workspace.relative(path), "name": "regretted",
    }  # fmt: skip


def test_of_two_swapped_names_each_picture_keeps_its_row(one: Living) -> None:
    (first, a), (second, b) = made(one, "swap1"), made(one, "swap22")
    aside = a.with_name(".aside")
    a.rename(aside)
    b.rename(a)
    aside.rename(b)
    becomes(one, first, path=one.workspace.relative(b))
    becomes(one, second, path=one.workspace.relative(a))
    assert verify.verify(one.workspace, settled=False) == []


def test_a_picture_that_another_replaces_is_gone_and_that_one_has_its_name(one: Living) -> None:
    (first, a), (second, b) = made(one, "under1"), made(one, "over22")
    b.replace(a)
    becomes(one, second, path=one.workspace.relative(a))
    poll(lambda: not row(one, first), "end of the row")
    assert verify.verify(one.workspace, settled=False) == []


def test_a_picture_that_comes_back_has_its_row_and_its_job_again(one: Living, tmp_path: Path) -> None:
    number, path = made(one, "lazarus")
    before = row(one, number)
    shutil.move(path, tmp_path / "bin.png")
    poll(lambda: not row(one, number), "end of the row")
    assert one.rows("select 1 from jobs where name='lazarus' and state='done'")
    back = path.with_name("again.png")
    shutil.copyfile(tmp_path / "bin.png", back)
    becomes(one, number, path=one.workspace.relative(back))
    after = row(one, number)
    assert before and after
    differ = {key for key in before if before[key] != after[key]}
    assert differ <= {"path", "signature"}, (before, after)
    assert verify.verify(one.workspace, settled=False) == []


def test_a_copy_takes_over_when_the_first_is_deleted(one: Living) -> None:
    number, path = made(one, "double")
    copy = path.with_name("copy of it.png")
    shutil.copyfile(path, copy)
    poll(lambda: pictures.signature_at(copy), "copy")
    becomes(one, number, path=one.workspace.relative(path))
    path.unlink()
    becomes(one, number, path=one.workspace.relative(copy))


def test_what_lies_beside_a_file_that_takes_over_unread_is_read_then(one: Living) -> None:
    """The same file under a second name is known by its number alone; so is one that a look saw at both places."""
    (number, path), (other, sign) = made(one, "linked"), made(one, "sign")
    second = path.with_name("second-name.png")
    os.link(path, second)
    Path(f"{second}.xmp").write_text(SIDECAR.format(stars=3, tag="second"))
    Path(f"{sign}.xmp").write_text(SIDECAR.format(stars=2, tag="looked at"))
    becomes(one, other, rating=2)  # by then the second name has been looked at too, and is a copy
    assert row(one, number)["rating"] is None
    path.unlink()
    becomes(one, number, path=one.workspace.relative(second), rating=3, tags="second")


def test_of_a_changed_picture_and_its_copy_the_one_with_its_name_is_it(one: Living) -> None:
    number, path = made(one, "twin")
    aside, shown = path.parent / ".aside", path.parent / "a place"
    aside.mkdir()
    with at_once(one):
        path.rename(aside / path.name)
        rating.rate(aside / path.name, 3)
        shutil.copyfile(aside / path.name, aside / "a copy.png")
        aside.rename(shown)
    becomes(one, number, path=one.workspace.relative(shown / path.name), rating=3)


def test_a_picture_that_is_dragged_and_then_moved_is_put_back_once(one: Living) -> None:
    number, path = made(one, "restless")
    waits = one.workspace.inbox / "edit" / "restless.png"
    path.rename(waits)
    poll(path.is_file, "picture put back")
    assert waits.is_file(), "it waits for its words"
    path.rename(path.with_name("moved on.png"))
    becomes(one, number, path=one.workspace.relative(path.with_name("moved on.png")))
    assert not path.exists()


def test_a_picture_without_metadata_is_known_by_its_pixels(one: Living) -> None:
    number, path = made(one, "naked")
    with Image.open(path) as image:
        image.load()
    bare = path.with_name("exported.png")
    with at_once(one):
        path.unlink()
        image.save(bare, pnginfo=PngInfo())
    becomes(one, number, path=one.workspace.relative(bare))
    assert verify.verify(one.workspace, settled=False) == []


def test_half_of_a_picture_changes_nothing_until_it_is_whole(one: Living) -> None:
    number, path = made(one, "slow")
    whole, before = path.read_bytes(), row(one, number)
    path.write_bytes(whole[:-300])
    other, place = made(one, "meanwhile")
    place.rename(place.with_name("moved on.png"))
    becomes(one, other, path=one.workspace.relative(place.with_name("moved on.png")))
    now = row(one, number)
    assert before and now and now["sha256"] == before["sha256"]
    path.write_bytes(whole)
    poll(lambda: row(one, number)["signature"] == pictures.signature_at(path), "reading")
    assert row(one, number)["sha256"] == before["sha256"]


def test_a_broken_xmp_beside_a_picture_is_passed_over(one: Living) -> None:
    number, path = made(one, "broken")
    beside = Path(f"{path}.xmp")
    beside.write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF")
    poll(lambda: row(one, number)["signature"] == pictures.signature_at(path), "end of patience")
    assert row(one, number)["rating"] is None


def test_a_dragged_picture_is_a_job_and_stays_where_it_was(one: Living) -> None:
    number, path = made(one, "dragged")
    path.rename(one.workspace.inbox / "upscale" / "second.png")
    assert one.job("second")["state"] == "done"
    poll(path.is_file, "picture put back")
    becomes(one, number, path=one.workspace.relative(path))
    assert one.filed("second.png", "done").read_bytes() == path.read_bytes()
    assert not path.samefile(one.filed("second.png", "done"))


def test_children_and_waiting_jobs_know_a_moved_picture(one: Living) -> None:
    number, path = made(one, "parent")
    one.drop("upscale/child.yaml", f"image: {one.workspace.relative(path)}\n")
    one.job("child", "done")
    path.rename(path.with_name("elsewhere.png"))
    becomes(one, number, path=one.workspace.relative(path.with_name("elsewhere.png")))
    (child,) = one.images("child")
    assert child["parent_path"] == one.workspace.relative(path.with_name("elsewhere.png"))


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed (libimage-exiftool-perl)")
@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_stars_in_exif_alone_are_read(one: Living, form: str) -> None:
    one.drop(f"upscale/exif-{form}.yaml", f"image: done/upscale/for-{form}.png\nformat: {form}\n")
    one.drop(f"upscale/for-{form}.png", picture(33))
    one.job(f"exif-{form}", "done")
    (image,) = one.images(f"exif-{form}")
    path = one.workspace.absolute(image["path"])
    words = ["-overwrite_original", "-q", "-IFD0:RatingPercent=75", "-IFD0:XPKeywords=sea;night"]
    subprocess.run(["exiftool", *words, str(path)], check=True)
    becomes(one, image["id"], rating=4, tags="sea, night")


HOSTILE: dict[str, dict[str, Any]] = {
    "kind": {"kind": {"a": 1}},
    "prompt": {"prompt": "a\ud800b"},
    "steps": {"steps": 2**70},
    "words": {"loras": ["abc"]},
    "mapping": {"loras": {"name": "x"}},
    "created": {"created_at": [1]},
    "energy": {"energy_wh": "much", "peak_vram_mb": float("nan"), "prompt_tokens": {}},
    "seed": {"seed": "\ud800"},
    "image": {"job": {"image": {"x": 1}, "image_sha256": ["\ud800"]}},
    "list": {"job": {"on_keep": [1]}},
    "kept": {"job": {"on_keep": {"kind": {"a": 1}}}},
    "note": {"job": {"on_keep": {"kind": "upscale", "note": "\ud800"}}},
    "deep": {"job": {"on_keep": {"kind": "upscale", "on_keep": json.loads('{"a":' * 300 + "1" + "}" * 300)}}},
}


def test_a_strangers_picture_may_say_anything_of_itself(one: Living) -> None:
    keep = one.workspace.outbox / "from elsewhere" / "keep"
    keep.mkdir(parents=True)
    for place, (name, record) in enumerate(HOSTILE.items()):
        info = PngInfo()
        info.add_text("hotfolder", json.dumps({"image_id": f"evil-{name}", "kind": "generate", **record}))
        Image.new("RGB", (8, 8), (place, 0, 0)).save(keep / f"{name}.png", pnginfo=info)
    known = HOSTILE.keys() - {"kind"}
    poll(lambda: len(one.rows("select 1 from images where id like 'evil-%'")) == len(known), "their rows")
    assert not list(one.workspace.inbox.rglob("keep-evil*"))
    made(one, "after the strangers")
    assert verify.verify(one.workspace, settled=False) == []
    assert hotfolder(one.root, "rebuild").returncode == 3, "the service lives"


def test_what_is_finished_waits_for_an_outbox_that_is_away(tmp_path: Path) -> None:
    for place in living(tmp_path / "w"):
        place.drop("upscale/folder.yaml", "model: lanczos\n")
        place.drop("upscale/first.png", picture())
        place.once()
        place.drop("upscale/later.png", picture(30))
        (token := tmp_path / "die").touch()
        assert place.once(HOTFOLDER_CRASH_AT=f"intended:1:{token}").returncode != 0
        shutil.move(place.workspace.outbox, tmp_path / "unmounted")
        place.workspace.outbox.mkdir()
        place.start()
        poll(lambda place=place: place.status().paused, "pause")
        assert not list(place.workspace.outbox.rglob("*")), "nothing is put into the folder below the mount point"
        assert place.end() == 0
        place.workspace.outbox.rmdir()
        shutil.move(tmp_path / "unmounted", place.workspace.outbox)
        assert place.once().returncode == 0
        assert sorted(path.name for path in place.workspace.outbox.rglob("*.png")) == ["first.png", "later.png"]
        assert verify.verify(place.workspace) == []


def test_an_outbox_that_is_away_forgets_nothing(tmp_path: Path) -> None:
    for place in living(tmp_path / "w"):
        place.drop("upscale/folder.yaml", "model: lanczos\n")
        place.drop("upscale/stays.png", picture())
        place.once()
        shutil.move(place.workspace.outbox, tmp_path / "unmounted")
        place.workspace.outbox.mkdir()
        place.drop("upscale/later.png", picture(30))
        assert "is not the folder that it was" in place.once().stdout.replace("\n", " ")
        assert len(place.rows("select 1 from images")) == 1
        assert not list(place.workspace.outbox.rglob("*.png"))
        shutil.rmtree(place.workspace.outbox)
        shutil.move(tmp_path / "unmounted", place.workspace.outbox)
        assert place.once().returncode == 0
        assert len(place.rows("select 1 from images")) == 2
        assert verify.verify(place.workspace) == []
