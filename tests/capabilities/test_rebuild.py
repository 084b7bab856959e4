"""A catalog made anew knows of generated pictures what the old one knew: all of it is in the files."""

import shutil
from pathlib import Path

from hotfolder import rebuild, verify
from hotfolder import workspace as places
from hotfolder.catalog import store
from tests.service.living import Living, at_once, picture, poll

SAME = (
    "path id sha256 pixel_sha256 width height format kind prompt negative_prompt caption tags seed seed_locked model "
    "profile loras steps guidance sampler rating parent_path created_at"
).split()


def test_the_rows_of_every_picture_come_back(painter: Living, tmp_path: Path) -> None:
    text = f"prompt: 'äußerst {{a|b}}'\nseed: {2**64 - 1}\nvariants: 2\ntags: [x, y z]\n"
    painter.drop("generate/kept.yaml", text)
    painter.job("kept", "done")
    for number in (1, 2):
        painter.drop("upscale/same-name.png", picture(20 + number))
        poll(lambda number=number: len(painter.images("same-name")) == number, "picture")
        painter.job("same-name", "done")
    poll(lambda: not list(painter.workspace.work.iterdir()), "end of all work")
    with at_once(painter):
        shutil.copytree(painter.root, tmp_path / "w", ignore=shutil.ignore_patterns("models", "lock", "pid", "*.part"))
    copy = places.open_workspace(tmp_path / "w")
    places.make_private(copy)
    columns = ", ".join(SAME)
    with store.reading(copy.catalog) as catalog:
        before = catalog.rows(f"select {columns} from images order by path")
    assert {row["kind"] for row in before} >= {"generate", "upscale"} and len(before) >= 4
    assert "done/upscale/same-name-2.png" in {row["parent_path"] for row in before}
    pictures, _ = rebuild.rebuild(copy)
    assert pictures == len(before)
    with store.reading(copy.catalog) as catalog:
        after = catalog.rows(f"select {columns} from images order by path")
    assert after == before
    assert verify.verify(copy) == []
