"""What is no whole picture is refused, quickly, in a sentence, and without the memory it claims to need."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hotfolder import images
from hotfolder.errors import RejectedInput
from tests.images import broken
from tests.images.broken import Broken

BROKEN = broken.every()
LIMIT = 250_000_000


@pytest.mark.parametrize("name", BROKEN)
def test_refused(tmp_path: Path, name: str) -> None:
    case: Broken = BROKEN[name]
    path = tmp_path / f"holiday{case.suffix}"
    path.write_bytes(case.data)

    began = time.process_time()
    with pytest.raises(RejectedInput) as refusal:
        (images.sniff if case.is_header else images.open_picture)(path, LIMIT)
    took_s = time.process_time() - began

    said = str(refusal.value)
    assert case.says in said
    assert re.fullmatch(r"holiday\.\w+ [a-z].{10,240}\.", said), said
    assert took_s < 0.5


def test_there_are_enough() -> None:
    assert len(BROKEN) >= 100


def test_a_name_is_shown_without_its_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b[31m\u202egnp.png"
    path.write_bytes(b"nothing")
    with pytest.raises(RejectedInput, match=r"evil\\x1b\[31m\\u202egnp\.png"):
        images.sniff(path, LIMIT)


def test_a_missing_file_is_not_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        images.sniff(tmp_path / "none.png", LIMIT)
    with pytest.raises(FileNotFoundError):
        images.open_picture(tmp_path / "none.png", LIMIT)


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    broken.noise().save(path)
    assert images.sniff(path, 60_000).width == 300
    with pytest.raises(RejectedInput, match="limit"):
        images.sniff(path, 59_999)


def test_a_tiff_of_endless_pages_is_counted_only_so_far(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    path.write_bytes(broken.endless_pages(100_000))
    began = time.process_time()
    assert images.sniff(path, LIMIT).frames == 100
    assert time.process_time() - began < 3


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in Linux's units")
@pytest.mark.parametrize("name", [name for name in BROKEN if "megapixels" in name or "bomb" in name or "tile" in name])
def test_a_bomb_costs_no_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BROKEN[name].data)
    script = """if True:
        import resource, sys
        from pathlib import Path
        from hotfolder import images
        from hotfolder.errors import RejectedInput
        import pillow_heif
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            images.open_picture(Path(sys.argv[1]), 250_000_000)
        except RejectedInput:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    grown_mb = int(done.stdout) / 1024
    assert grown_mb < 32
