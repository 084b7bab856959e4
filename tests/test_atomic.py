"""The file operations that every promise rests on: whole or not at all, and never over another file."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hotfolder import atomic


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"mine")
    return source, target


@pytest.mark.parametrize("move", [atomic.rename_new, atomic.link_new])
def test_a_taken_name_is_never_overwritten(two: tuple[Path, Path], move: object) -> None:
    source, target = two
    target.write_bytes(b"somebody else's")
    with pytest.raises(FileExistsError):
        move(source, target)  # type: ignore[operator]
    assert (source.read_bytes(), target.read_bytes()) == (b"mine", b"somebody else's")


@pytest.mark.parametrize("taken_by", ["folder", "link to nowhere"])
def test_folders_and_dead_links_count_as_taken(two: tuple[Path, Path], taken_by: str) -> None:
    source, target = two
    target.mkdir() if taken_by == "folder" else target.symlink_to("nowhere")
    for move in (atomic.rename_new, atomic.link_new):
        with pytest.raises(FileExistsError):
            move(source, target)
    assert source.read_bytes() == b"mine"


def test_renaming_moves_and_linking_keeps_both(two: tuple[Path, Path]) -> None:
    source, target = two
    atomic.link_new(source, target)
    assert source.samefile(target)
    target.unlink()
    atomic.rename_new(source, target)
    assert not source.exists() and target.read_bytes() == b"mine"


def test_renaming_without_the_systems_help_is_as_careful(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no renameat2: linked, then unlinked."""
    source, target = two
    monkeypatch.setattr(atomic, "_renameat2", lambda *paths: False)
    atomic.rename_new(source, target)
    assert not source.exists() and target.read_bytes() == b"mine"
    source.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        atomic.rename_new(source, target)
    assert source.read_bytes() == b"other"


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP])
def test_where_links_cannot_be_made_a_copy_is_renamed_into_place(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    source, target = two

    def refuse(*paths: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    atomic.link_new(source, target)
    assert (source.read_bytes(), target.read_bytes()) == (b"mine", b"mine")
    with pytest.raises(FileExistsError):
        atomic.link_new(source, target)
    assert sorted(path.name for path in target.parent.iterdir()) == ["source", "target"]


def test_other_errors_of_linking_are_not_hidden(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = two

    def refuse(*paths: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="full"):
        atomic.link_new(source, target)
    assert not target.exists()


def test_a_copy_that_differs_is_an_error(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = two
    monkeypatch.setattr("shutil.copyfile", lambda source, target, **options: Path(target).write_bytes(b"miin"))
    with pytest.raises(OSError, match="differs from its source"):
        atomic.copy(source, target)


def test_a_copy_keeps_bytes_and_times(two: tuple[Path, Path]) -> None:
    source, target = two
    os.utime(source, ns=(10**18, 10**18))
    atomic.copy(source, target)
    assert target.read_bytes() == b"mine" and target.stat().st_mtime_ns == 10**18


def test_writing_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "note"
    for data in (b"first", b"second"):
        atomic.write(path, data)
        assert path.read_bytes() == data
    assert os.listdir(tmp_path) == ["note"]


def test_writing_that_is_killed_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_bytes(b"old")
    code = (
        "import os, signal; from pathlib import Path; from hotfolder import atomic\n"
        "os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"atomic.write(Path({str(path)!r}), b'new' * 10000)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_folders_are_made_with_their_parents_and_may_be_there(tmp_path: Path) -> None:
    atomic.make_folders(tmp_path / "a" / "b" / "c")
    atomic.make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_only_the_named_step_at_the_named_passing_kills_and_only_once(tmp_path: Path) -> None:
    token = tmp_path / "die"
    token.touch()
    code = (
        "from hotfolder.atomic import crash_point\n"
        "for number in range(5):\n    crash_point('other'); print(number, flush=True); crash_point('step')\n"
    )
    environment = os.environ | {"HOTFOLDER_CRASH_AT": f"step:3:{token}"}
    command = [sys.executable, "-c", code]
    here = Path(__file__).parents[1]
    first = subprocess.run(command, env=environment, cwd=here, capture_output=True, text=True, timeout=120)
    assert (first.returncode, first.stdout.split()) == (-signal.SIGKILL, ["0", "1", "2"])
    assert not token.exists()
    second = subprocess.run(command, env=environment, cwd=here, capture_output=True, text=True, timeout=120)
    assert (second.returncode, len(second.stdout.split())) == (0, 5)


def test_hashes_are_sha256(two: tuple[Path, Path]) -> None:
    empty = two[1]
    empty.touch()
    assert atomic.sha256_of(empty) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
