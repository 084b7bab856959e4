"""A kind of one's own is a file of ten lines, in a folder that HOTFOLDER_CAPABILITIES names."""

from pathlib import Path

from PIL import Image

from tests.service.living import Living, living, picture

FILE = """\
from collections.abc import Iterator
from PIL import ImageOps
from hotfolder.capabilities.base import Capability, Context, Result

class Invert(Capability):
    kind, uses, needs = "invert", frozenset({"image"}), frozenset({"image"})
    source_type = "algorithmicallyEnhanced"

    def run(self, context: Context) -> Iterator[Result]:
        yield Result(ImageOps.invert(context.image), context.planned[0])
"""


def test_ten_lines_in_a_folder_are_a_kind_of_job(tmp_path: Path) -> None:
    assert len(FILE.splitlines()) == 10
    own = tmp_path / "own"
    own.mkdir()
    for place in living(tmp_path / "w"):
        place.drop("mine/photo.png.yaml", "kind: invert\ntags: [odd]\n")
        place.drop("mine/photo.png", picture(8, 8, (200, 80, 40)))
        assert "unknown kind `invert`" in place.once().stdout
        assert "unknown kind" in _mended(place).read_text()
        (own / "invert.py").write_text(FILE)
        assert place.once(HOTFOLDER_CAPABILITIES=str(own)).returncode == 0
        (row,) = place.images("photo")
        assert (row["kind"], row["parent_path"]) == ("invert", "done/mine/photo.png")
        with Image.open(place.workspace.absolute(row["path"])) as made:
            assert made.getpixel((0, 0)) == (55, 175, 215)


def _mended(place: Living) -> Path:
    """Move what failed back into the inbox; returns the reason."""
    reason = place.filed("photo.png.error.txt", "failed")
    for name in ("photo.png.yaml", "photo.png"):
        reason.with_name(name).rename(place.workspace.inbox / "mine" / name)
    return reason
