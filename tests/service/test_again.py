"""Trying again does what is left to do, once; a finished job's file makes that very picture in any folder."""

import hashlib

from tests.service.living import Living, hotfolder, picture

TWO = "kind: upscale\nimage: done/upscale/photo.png\nfactor: 2\n---\nkind: upscale\nimage: nowhere.png\nfactor: 2\n"


def test_what_a_cancelled_file_had_done_is_not_done_again(place: Living) -> None:
    place.drop("upscale/photo.png", picture())
    assert place.once().returncode == 0
    place.drop("upscale/two.yaml", TWO)
    place.once()
    missing = place.job("two_02", "waiting")["id"]
    assert hotfolder(place.root, "cancel", str(missing)).returncode == 0
    place.once()
    assert hotfolder(place.root, "retry", str(missing)).returncode == 0
    place.drop("upscale/nowhere.png", picture())
    assert place.once().returncode == 0
    assert len(place.images("two_01")) == 1
    assert not list((place.root / "failed").rglob("two*"))


def test_an_old_try_cannot_be_retried(place: Living) -> None:
    bad = place.drop("upscale/photo.png.yaml", "factr: 2\n")
    place.drop("upscale/photo.png", picture())
    place.once()
    old = place.job("photo", "failed")["id"]
    failed = place.root / "failed" / "upscale"
    (failed / "photo.png.yaml").write_text("factor: 2\n")
    for name in ("photo.png.yaml", "photo.png"):
        (failed / name).rename(bad.with_name(name))
    assert place.once().returncode == 0
    again = hotfolder(place.root, "retry", str(old))
    assert again.returncode == 2 and "tried again or taken away" in again.stderr
    assert not list(failed.iterdir()), "the old reason is gone with what it was about"
    assert "Failed" not in hotfolder(place.root, "status").stdout


def test_a_finished_jobs_file_makes_the_same_picture_under_any_preset(place: Living) -> None:
    place.drop("upscale/photo.png", picture())
    assert place.once().returncode == 0
    (first,) = (place.root / "outbox").rglob("photo.png")
    job = first.with_name("photo.job.yaml").read_text()
    web = place.root / "inbox" / "web"
    web.mkdir()
    (web / "folder.yaml").write_text("kind: upscale\nfactor: 3\nformat: webp\n")
    place.drop("web/photo.job.yaml", job)
    assert place.once().returncode == 0
    (again,) = (place.root / "outbox" / "web").rglob("photo.png")
    digests = {row["pixel_sha256"] for row in place.rows("select pixel_sha256 from images")}
    assert len(digests) == 1 and again != first
    assert hashlib.sha256(first.read_bytes()).digest() != hashlib.sha256(again.read_bytes()).digest(), "its own id"
