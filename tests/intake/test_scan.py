"""What a look at the inbox sees, and what it leaves alone without opening it."""

import os
import socket
from pathlib import Path

import pytest

from hotfolder.intake.scan import MAX_DEPTH, is_ignored, scan


def paths(inbox: Path) -> list[str]:
    return [entry.path for entry in scan(inbox)]


@pytest.mark.parametrize(
    "name",
    [
        *".x.png ._x.png .DS_Store ~x.png ~$x.docx x.png~ #x.png# .~lock.x.ods# .nfs000a .fuse_hidden1".split(),
        *"x.png.part x.png.PART x.partial x.png.crdownload x.download x.opdownload x.filepart x.tmp x.temp".split(),
        *"x.writing x.aria2 x.!qB x.!ut x.bts x.SyncPart x.icloud x.swp x.lock ~syncthing~x.png.tmp".split(),
        *".syncthing.x.png.tmp Thumbs.db THUMBS.DB ehthumbs.db desktop.ini x.png.error.txt".split(),
        "Icon\r",
    ],
)
def test_names_of_systems_and_of_transfers_are_ignored(name: str, tmp_path: Path) -> None:
    assert is_ignored(name)
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.png").write_bytes(b"x")
    assert paths(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    "name", ["x.png", "part.png", "tmp", "x.part.png", "a~b.png", "error.txt", "lock.yaml", "Icon.png"]
)
def test_names_that_only_resemble_them_are_seen(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert paths(tmp_path) == [name]


@pytest.mark.parametrize("name", [".git", ".stfolder", ".Trashes", "@eaDir", "#recycle", "__MACOSX"])
def test_folders_of_systems_are_not_entered(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.png").write_bytes(b"x")
    assert paths(tmp_path) == []


def test_what_is_no_file_is_never_opened_and_named_with_its_reason(tmp_path: Path) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    inbox.mkdir()
    outside.mkdir()
    (outside / "a.png").write_bytes(b"x")
    (inbox / "file link.png").symlink_to(outside / "a.png")
    (inbox / "folder link").symlink_to(outside)
    (inbox / "dangling.png").symlink_to("nowhere")
    os.mkfifo(inbox / "pipe.png")  # opening it would never return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(inbox / "socket.png"))
        passed_over: list[str] = []
        assert list(scan(inbox, passed_over)) == []
    assert sorted(passed_over) == [
        "dangling.png (a link)",
        "file link.png (a link)",
        "folder link (a link)",
        "pipe.png (no plain file)",
        "socket.png (no plain file)",
    ]


def test_a_hard_link_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "original.png").write_bytes(b"x")
    os.link(tmp_path / "original.png", tmp_path / "inbox" / "linked.png")
    assert paths(tmp_path / "inbox") == ["linked.png"]


def test_folders_are_entered_down_to_a_limit(tmp_path: Path) -> None:
    folder = tmp_path
    for depth in range(MAX_DEPTH + 1):
        (folder / "a.png").write_bytes(b"x")
        folder = folder / f"d{depth}"
        folder.mkdir()
    (folder / "a.png").write_bytes(b"too deep")
    passed_over: list[str] = []
    found = [entry.path for entry in scan(tmp_path, passed_over)]
    assert sorted(path.count("/") for path in found) == list(range(MAX_DEPTH + 1))
    assert len(passed_over) == 1
    assert passed_over[0].endswith(f"(more than {MAX_DEPTH} folders deep)")


def test_a_folder_that_may_not_be_read_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "closed", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.png").write_bytes(b"x")
    scandir = os.scandir

    def refusing(folder: str) -> object:  # chmod does not stop root
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    passed_over: list[str] = []
    assert sorted(entry.path for entry in scan(tmp_path, passed_over)) == ["a/p.png", "z/p.png"]
    assert passed_over == ["closed/ (may not be read)"]


def test_an_inbox_that_is_away_is_no_empty_inbox(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(scan(tmp_path / "unmounted"))


def test_undecodable_names_come_through(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    with open(raw, "wb") as file:
        file.write(b"x")
    (found,) = paths(tmp_path)
    assert os.fsencode(found) == b"\xff\xfe.png"
