"""`verify` finds every disagreement that is planted, `rebuild` mends what can be mended from the files."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hotfolder import rebuild, verify
from hotfolder import workspace as places
from hotfolder.workspace import Workspace
from tests.service.living import Living, picture


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which things were done: two pictures of one job file, one of a tree, one failed, one waiting."""
    one = Living(tmp_path_factory.mktemp("used") / "w")
    one.drop("upscale/pair.png.yaml", "factor: 2\ntags: [a, b]\n---\nfactor: 3\nformat: jpeg\n")
    one.drop("upscale/pair.png", picture())
    one.drop("upscale/tree/deep.png", picture(30))
    one.drop("upscale/bad.png", b"no picture")
    one.drop("generate/waits.yaml", "seed: 1\n")
    assert one.once().returncode == 1
    return one.root


@pytest.fixture
def workspace(used: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(used, tmp_path / "w")
    return places.open_workspace(tmp_path / "w")


def made(workspace: Workspace, name: str) -> Path:
    return next(workspace.outbox.rglob(name))


def rows(workspace: Workspace, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(workspace.catalog)
    try:
        with connection:
            return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_what_hotfolder_left_agrees(workspace: Workspace) -> None:
    assert verify.verify(workspace) == []


def remove_output(workspace: Workspace) -> str:
    made(workspace, "deep.png").unlink()
    return "deep.png is in the catalog but not there"


def change_pixels(workspace: Workspace) -> str:
    path = made(workspace, "deep.png")
    with Image.open(path) as image:
        image.load()
    image.putpixel((0, 0), (1, 2, 3))
    image.save(path)
    return "deep.png differs from what was recorded"


def cut_short(workspace: Workspace) -> str:
    path = made(workspace, "deep.png")
    path.write_bytes(path.read_bytes()[:-200])
    return "deep.png differs from what was recorded"


def let_a_link_lead_nowhere(workspace: Workspace) -> str:
    path = made(workspace, "deep.png")
    path.unlink()
    path.symlink_to("away.png")
    return "deep.png cannot be read"


def forget_all_of_a_picture(workspace: Workspace) -> str:
    rows(workspace, "delete from outputs where path like '%deep%'")
    rows(workspace, "delete from images where path like '%deep.png'")
    return "deep.png lies in outbox and is not in the catalog"


def forget_an_image(workspace: Workspace) -> str:
    rows(workspace, "delete from images where path like '%deep.png'")
    return "deep.png has no row in images"


def lose_an_input(workspace: Workspace) -> str:
    (workspace.done / "upscale" / "tree" / "deep.png").unlink()
    return "upscale/tree/deep.png of drop"


def change_an_input(workspace: Workspace) -> str:
    (workspace.done / "upscale" / "tree" / "deep.png").write_bytes(picture(31))
    return "is not the file that was taken in"


def leave_work(workspace: Workspace) -> str:
    (workspace.work / "0123").mkdir()
    return ".hotfolder/work/0123 is left over"


def hang_a_job(workspace: Workspace) -> str:
    rows(workspace, "update jobs set state='running' where name='deep'")
    return "is still running, though nothing runs"


def unpublish(workspace: Workspace) -> str:
    rows(workspace, "update outputs set published=0 where path like '%deep.png'")
    return "belongs to a finished job but is not published"


def break_a_reference(workspace: Workspace) -> str:
    rows(workspace, "update images set job_id=999 where path like '%deep.png'")
    return "rows that point to nothing"


PLANTED = [
    remove_output, change_pixels, cut_short, let_a_link_lead_nowhere, forget_all_of_a_picture, forget_an_image,
    lose_an_input, change_an_input, leave_work, hang_a_job, unpublish, break_a_reference,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_disagreement_is_found_and_nothing_else(
    workspace: Workspace, plant: Callable[[Workspace], str]
) -> None:
    expected = plant(workspace)
    found = verify.verify(workspace)
    assert len(found) == 1 and expected in found[0], found


def test_a_picture_that_another_tool_only_described_anew_is_the_same(workspace: Workspace) -> None:
    path = made(workspace, "deep.png")
    with Image.open(path) as image:
        image.load()
    text = PngInfo()
    text.add_text("Comment", "five stars")
    image.save(path, pnginfo=text)
    assert verify.verify(workspace) == []


def test_what_is_its_users_own_is_no_disagreement(workspace: Workspace) -> None:
    """Pictures of their own, copies of ours, status pages, and what lies beside a picture."""
    (workspace.outbox / "upscale" / "own.png").write_bytes(picture())
    (workspace.outbox / "broken.png").write_bytes(b"nothing")
    (workspace.outbox / "STATUS.html").write_text("all is well")
    shutil.copy(made(workspace, "deep.png"), workspace.outbox / "copy.png")
    made(workspace, "deep.job.yaml").unlink()
    text = next(workspace.outbox.rglob("pair_01.job.yaml"))
    text.rename(workspace.outbox / "moved.job.yaml")
    next(workspace.outbox.rglob("pair_02.job.yaml")).write_text("note: mine now\n")
    assert verify.verify(workspace) == []


def test_a_failed_file_that_was_taken_back_is_not_lost(workspace: Workspace) -> None:
    failed = workspace.failed / "upscale" / "bad.png"
    failed.rename(workspace.inbox / "upscale" / "bad.png")
    assert verify.verify(workspace) == []
    (workspace.inbox / "upscale" / "bad.png").unlink()
    assert "upscale/bad.png" in verify.verify(workspace)[0]


COLUMNS = "path, id, sha256, pixel_sha256, width, height, format, kind, prompt, tags, seed, model, profile, parent_path"


def test_rebuild_gives_the_same_rows_and_agrees_with_the_files(workspace: Workspace) -> None:
    before = rows(workspace, f"select {COLUMNS} from images order by path")
    drops = rows(workspace, "select files, state from drops where state!='waiting'")
    assert rebuild.rebuild(workspace) == (3, 4)
    assert rows(workspace, f"select {COLUMNS} from images order by path") == before
    assert len(drops) == 3
    assert verify.verify(workspace) == []
    failed = rows(workspace, "select error from jobs where state='failed'")
    assert len(failed) == 1 and "is not a picture" in str(failed[0][0])
    old = workspace.catalog.with_name("catalog.db.old")
    assert sqlite3.connect(old).execute("select count(*) from images").fetchone() == (3,)


def test_rebuild_passes_over_copies_and_strangers(workspace: Workspace) -> None:
    keep = workspace.outbox / "keep"
    keep.mkdir()
    shutil.copy(made(workspace, "deep.png"), keep)
    (workspace.outbox / "foreign.png").write_bytes(picture())
    (workspace.outbox / "broken.png").write_bytes(b"nothing")
    assert rebuild.rebuild(workspace) == (3, 4)
    assert rows(workspace, "select path from images where path like '%/keep/%'") == []
    assert verify.verify(workspace) == []


def test_rebuild_passes_over_what_cannot_be_read_and_minds_no_long_name(workspace: Workspace) -> None:
    (workspace.done / "upscale" / "away.png").symlink_to("nowhere.png")
    (workspace.outbox / "away.png").symlink_to("nowhere.png")
    deep = made(workspace, "deep.png")
    deep.rename(deep.with_name(f"{'x' * 251}.png"))
    info = PngInfo()
    record = {"image_id": "far", "kind": "generate", "job": {"image": "x/" * 9999, "image_sha256": "0" * 64}}
    info.add_text("hotfolder", json.dumps(record))
    Image.new("RGB", (4, 4)).save(workspace.outbox / "far.png", pnginfo=info)
    assert rebuild.rebuild(workspace) == (4, 4)
    assert verify.verify(workspace) == []


def test_rebuild_keeps_what_only_the_log_of_the_old_catalog_holds(workspace: Workspace) -> None:
    """As after a kill: the last commits are in catalog.db-wal."""
    writer = sqlite3.connect(workspace.catalog, isolation_level=None)
    writer.execute("pragma wal_autocheckpoint=0")
    writer.execute("insert into models(name) values('last')")
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{workspace.catalog}{suffix}", f"{workspace.catalog}.copy{suffix}")
    writer.close()
    for suffix in ("", "-wal"):
        shutil.move(f"{workspace.catalog}.copy{suffix}", f"{workspace.catalog}{suffix}")
    rebuild.rebuild(workspace)
    old = sqlite3.connect(workspace.catalog.with_name("catalog.db.old"))
    assert old.execute("select name from models where name = 'last'").fetchall()


@pytest.mark.parametrize("damage", ["deleted", "overwritten"])
def test_a_lost_catalog_loses_no_job(tmp_path: Path, damage: str) -> None:
    """Lost while jobs were queued, running and waiting: all of them are done, none of them twice."""
    one = Living(tmp_path / "w")
    try:
        one.start()
        one.drop("upscale/early.png", picture())
        one.job("early", "done")
        one.freeze()
        one.drop("upscale/running.png", picture(25))
        one.job("running", "running")
        one.drop("upscale/queued.png", picture(26))
        one.job("queued", "queued")
        one.drop("generate/waiting.yaml", "seed: 1\n")
        one.job("waiting", "waiting")
        worker = one.worker()
        one.end(9)
        assert worker
    finally:
        if one.process:
            one.process.kill()
    for path in one.root.glob("catalog.db*"):
        if damage == "deleted":
            path.unlink()
        else:
            path.write_bytes(b"\xff" * 5000)
    assert rebuild.rebuild(one.workspace) == (2, 2)
    assert one.once().returncode == 0
    pictures = sorted(path.name for path in one.workspace.outbox.rglob("*.png"))
    assert pictures == ["early.png", "first1.png", "queued.png", "running.png"]
    assert one.job("waiting", "waiting")
    assert verify.verify(one.workspace) == []
