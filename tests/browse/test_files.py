"""Pictures come by id, from outbox, as what they are; every trick with a path is "not found"."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hotfolder.browse import sites
from hotfolder.browse.files import inside
from hotfolder.images.thumbs import thumbnail
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace

KNIGHT = "outbox/generate/2026-11-20/knight.png"


def test_picture_is_served_as_it_lies(workplace: Any) -> None:
    answer = workplace.get("/-/hotfolder/file/knight1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == (workplace.root / KNIGHT).read_bytes()


def test_pictures_come_from_a_configured_outbox(workplace: Any, tmp_path: Path) -> None:
    elsewhere = tmp_path / "nas"
    elsewhere.mkdir()
    Image.new("RGB", (10, 10)).save(elsewhere / "far.png")
    workplace.add_image("far1", "outbox/far.png")
    assert workplace.get("/-/hotfolder/file/far1").status_code == 404
    workspace = Workspace(workplace.root, Settings(outbox=str(elsewhere)))
    sites.attach(workplace.datasette, sites.Site(workspace, "catalog"))
    assert workplace.get("/-/hotfolder/file/far1").status_code == 200
    assert workplace.get("/-/hotfolder/file/knight1").status_code == 404


@pytest.mark.parametrize(
    ("image_id", "size", "mode"), [("knight1", (512, 341), "RGB"), ("cutout1", (341, 512), "RGBA")]
)
def test_thumbnails_are_small_webp_and_kept(workplace: Any, image_id: str, size: tuple[int, int], mode: str) -> None:
    answer = workplace.get(f"/-/hotfolder/thumb/{image_id}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as thumb:
        assert (thumb.format, thumb.size, thumb.mode) == ("WEBP", size, mode)
    kept = workplace.root / ".hotfolder" / "thumbs" / f"{image_id}.webp"
    assert kept.read_bytes() == answer.content
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_thumbnail_that_is_there_is_used(workplace: Any) -> None:
    thumbs = workplace.root / ".hotfolder" / "thumbs"
    thumbs.mkdir()
    Image.new("RGB", (3, 2)).save(thumbs / "knight1.webp")
    assert workplace.get("/-/hotfolder/thumb/knight1").content == (thumbs / "knight1.webp").read_bytes()


@pytest.mark.parametrize("left", [b"", b"RIFF", b"half"])
def test_a_thumbnail_of_which_a_power_cut_left_half_is_made_again(workplace: Any, left: bytes) -> None:
    kept = workplace.root / ".hotfolder" / "thumbs" / "knight1.webp"
    whole = workplace.get("/-/hotfolder/thumb/knight1").content
    kept.write_bytes(whole[: len(whole) // 2] if left == b"half" else left)
    assert workplace.get("/-/hotfolder/thumb/knight1").content == whole == kept.read_bytes()


def test_a_thumbnail_that_no_disk_takes_leaves_nothing_and_is_shown(workplace: Any) -> None:
    taken = workplace.root / ".hotfolder" / "thumbs" / "knight1.webp"
    taken.mkdir(parents=True)
    assert workplace.get("/-/hotfolder/thumb/knight1").content.startswith(b"RIFF")
    assert list(taken.parent.iterdir()) == [taken]


def test_a_thumbnail_older_than_its_picture_is_made_again(workplace: Any) -> None:
    thumbs = workplace.root / ".hotfolder" / "thumbs"
    thumbs.mkdir()
    (thumbs / "knight1.webp").write_bytes(b"old")
    os.utime(thumbs / "knight1.webp", (1, 1))
    assert workplace.get("/-/hotfolder/thumb/knight1").content.startswith(b"RIFF")


def test_a_thumbnail_can_be_shown_where_none_can_be_kept(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert thumbnail(tmp_path / "a.png", tmp_path / "absent" / "thumbs" / "a.webp").startswith(b"RIFF")


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    Image.new("I;16", (600, 600), 0x4000).save(tmp_path / "depth.png")
    with Image.open(io.BytesIO(thumbnail(tmp_path / "depth.png", tmp_path / "t" / "x.webp"))) as thumb:
        assert thumb.size == (512, 512)
        assert abs(thumb.convert("L").getpixel((5, 5)) - 0x40) <= 2


def test_a_file_that_is_no_picture_has_no_thumbnail(workplace: Any) -> None:
    (workplace.outbox / "liar.png").write_bytes(b"<html><script>alert(1)</script>")
    workplace.add_image("liar", "outbox/liar.png")
    assert workplace.get("/-/hotfolder/thumb/liar").status_code == 404
    assert workplace.get("/-/hotfolder/file/liar").headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "outbox/../../etc/passwd",
        "outbox/../secret.png",
        "outbox//etc/passwd",
        "/etc/passwd",
        "/etc/hosts.png",
        "outbox//SECRET",
        "outbox/link.png",
        "outbox/linked/secret.png",
        "outbox/loop.png",
        "outbox",
        "outbox/",
        "outbox/generate",
        "outbox/nul\0.png",
        "outbox/page.html",
        "outbox/drawing.svg",
        "outbox/missing.png",
        "outbox/" + "x" * 5000 + ".png",
        "inbox/a.png",
        "OUTBOX/generate/2026-11-20/knight.png",
        "file:///etc/passwd",
        "",
    ],
)
@pytest.mark.parametrize("what", ["image", "thumb"])
def test_path_tricks_are_not_found(workplace: Any, path: str, what: str) -> None:
    secret = workplace.root / "secret.png"
    Image.new("RGB", (4, 4)).save(secret)
    path = path.replace("/SECRET", str(secret))
    for name in ("page.html", "drawing.svg"):
        (workplace.outbox / name).write_text("<script>alert(1)</script>")
    if sys.platform != "win32":
        (workplace.outbox / "link.png").symlink_to(secret)
        (workplace.outbox / "linked").symlink_to(workplace.root)
        (workplace.outbox / "loop.png").symlink_to("loop.png")
    assert inside(workplace.outbox, path) is None
    workplace.add_image("trick", path)
    answer = workplace.get(f"/-/hotfolder/{what}/trick")
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "image_id",
    ["..%2f..%2fcatalog.db", "%2e%2e", "../../catalog.db", "a%00b", "x'%20or%201=1--", "knight1.webp", ".hidden", ""],
)
def test_an_id_is_never_a_path(workplace: Any, image_id: str) -> None:
    for what in ("file", "thumb"):
        assert workplace.get(f"/-/hotfolder/{what}/{image_id}").status_code == 404


def test_pictures_cannot_be_posted(workplace: Any) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert workplace.get("/-/hotfolder/file/knight1", method=method).status_code == 405
    assert (workplace.root / KNIGHT).is_file()
