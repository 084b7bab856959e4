"""When a file counts as complete. The time is passed in, so nothing here waits."""

import mmap
import os
from pathlib import Path

import pytest

from hotfolder.intake import stability
from hotfolder.intake.scan import Entry, Signature, signature_of
from hotfolder.intake.stability import Stability, is_being_written

FIRST = Signature(1, 2, 100, 5_000, 5_000)


def test_a_file_settles_after_the_quiet_period() -> None:
    watched = Stability()
    watched.observe([Entry("a.png", FIRST)], now=10.0)
    assert watched.ready_at("a.png", 1.0) == 11.0
    watched.observe([Entry("a.png", FIRST)], now=10.7)
    assert watched.ready_at("a.png", 1.0) == 11.0


@pytest.mark.parametrize("part", Signature._fields)
def test_any_change_starts_the_quiet_period_anew(part: str) -> None:
    watched = Stability()
    watched.observe([Entry("a.png", FIRST)], now=10.0)
    watched.observe([Entry("a.png", FIRST._replace(**{part: 7}))], now=10.9)
    assert watched.ready_at("a.png", 1.0) == 11.9


def test_a_file_that_comes_back_starts_anew() -> None:
    watched = Stability()
    watched.observe([Entry("a.png", FIRST)], now=10.0)
    watched.observe([], now=10.5)
    watched.observe([Entry("a.png", FIRST)], now=20.0)
    assert watched.ready_at("a.png", 1.0) == 21.0


@pytest.mark.parametrize("mtime_ns", [0, -(10**18), 4 * 10**18])
def test_the_files_own_clock_does_not_matter(mtime_ns: int) -> None:
    watched = Stability()
    watched.observe([Entry("a.png", FIRST._replace(mtime_ns=mtime_ns))], now=10.0)
    assert watched.ready_at("a.png", 1.0) == 11.0


def test_files_do_not_disturb_each_other() -> None:
    watched = Stability()
    watched.observe([Entry("a.png", FIRST)], now=10.0)
    watched.observe([Entry("a.png", FIRST), Entry("b.png", FIRST)], now=10.5)
    assert (watched.ready_at("a.png", 1.0), watched.ready_at("b.png", 1.0)) == (11.0, 11.5)


def test_the_same_bytes_with_the_same_time_are_a_change_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    before = signature_of(path.lstat())
    other = tmp_path / "b.png"
    other.write_bytes(b"two")
    os.utime(other, ns=(1, 1))
    other.replace(path)
    assert signature_of(path.lstat()) != before


linux = pytest.mark.skipif(not hasattr(stability.fcntl, "F_SETLEASE"), reason="only Linux can tell who writes a file")


@linux
def test_an_open_descriptor_is_seen_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with open(path, "wb") as file:
        file.write(b"x")
        assert is_being_written(path)
        os.rename(path, tmp_path / "b.png")
        assert is_being_written(tmp_path / "b.png")
    assert not is_being_written(tmp_path / "b.png")


@linux
def test_a_writable_mapping_is_seen_though_its_descriptor_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(bytes(4096))
    fd = os.open(path, os.O_RDWR)
    mapped = mmap.mmap(fd, 4096)
    os.close(fd)
    assert is_being_written(path)
    mapped.close()
    assert not is_being_written(path)


def test_readers_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    with open(path, "rb"):
        assert not is_being_written(path)


def test_asking_about_a_pipe_or_nothing_returns(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("pipe.png")
    for name in ("pipe.png", "link.png", "gone.png"):
        assert not is_being_written(tmp_path / name)


def test_where_the_system_cannot_tell_only_the_quiet_period_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stability, "fcntl", None)
    with open(tmp_path / "a.png", "wb"):
        assert not is_being_written(tmp_path / "a.png")
