"""Where a workspace refuses to start, what `init` keeps, and that no name leads out of it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotfolder import workspace as places
from hotfolder.errors import AlreadyRunning, ConfigError
from hotfolder.workspace import Workspace

ROOT = Path(__file__).parents[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    places.init(tmp_path / "w")
    return tmp_path / "w"


def _set(root: Path, text: str) -> None:
    (root / "hotfolder.yaml").write_text(text)


def _link(root: Path, name: str, target: Path) -> None:
    (root / name).rmdir()
    target.mkdir(exist_ok=True)
    (root / name).symlink_to(target)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "inbox away": (lambda root: _set(root, "inbox: /nowhere/at/all\n"), "set to /nowhere/at/all, which is not there"),
    "outbox away": (lambda root: _set(root, "outbox: ../gone\n"), "outbox is set to"),
    "outbox in inbox": (lambda root: _set(root, "outbox: inbox/generate\n"), "lies in inbox"),
    "inbox in outbox": (lambda root: ((root / "outbox/in").mkdir(), _set(root, "inbox: outbox/in\n")), "in outbox"),
    "inbox is outbox": (lambda root: _set(root, "inbox: outbox\n"), "lies in"),
    "inbox in done": (lambda root: ((root / "done/in").mkdir(), _set(root, "inbox: done/in\n")), "lies in done"),
    "inbox is the workspace": (lambda root: _set(root, "inbox: .\n"), "lies in inbox"),
    "inbox above it": (lambda root: _set(root, "inbox: ..\n"), "lies in inbox"),
    "done is a link": (lambda root: _link(root, "done", root.parent / "else"), "done/ is a link out"),
    "failed is a link": (lambda root: _link(root, "failed", root.parent / "else"), "failed/ is a link out"),
    "outbox is a link to inbox": (
        lambda root: ((root / "outbox").rmdir(), (root / "outbox").symlink_to(root / "inbox")), "lies in"),
    "inbox is the code": (lambda root: _set(root, f"inbox: {ROOT}\n"), "lie in each other"),
    "inbox is python": (lambda root: _set(root, f"inbox: {sys.prefix}\n"), "lie in each other"),
    "outbox in models": (lambda root: _set(root, "outbox: models/loras\n"), "lie in each other"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "says"), REFUSED.values(), ids=REFUSED)
def test_folders_that_would_lose_files_are_refused(root: Path, spoil: Callable[[Path], object], says: str) -> None:
    spoil(root)
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")) as refusal:
        places.refuse_bad_folders(places.open_workspace(root))
    assert "\n" not in str(refusal.value)


def test_a_network_disk_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "file_system", lambda path: "nfs4")
    with pytest.raises(ConfigError, match=r"network disk \(nfs4\), where SQLite loses data"):
        places.refuse_bad_folders(places.open_workspace(root))


def test_a_work_folder_on_another_disk_than_done_is_refused(root: Path) -> None:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == root.stat().st_dev:
        pytest.skip("there is no second device to try it on")
    with tempfile.TemporaryDirectory(dir=shared_memory) as elsewhere:
        shutil.rmtree(root / ".hotfolder/work", ignore_errors=True)
        (root / ".hotfolder").mkdir(exist_ok=True)
        (root / ".hotfolder/work").symlink_to(elsewhere, target_is_directory=True)
        with pytest.raises(ConfigError, match="lie on different disks"):
            places.refuse_bad_folders(places.open_workspace(root))


def test_good_folders_are_not_refused(root: Path, tmp_path: Path) -> None:
    places.refuse_bad_folders(places.open_workspace(root))
    for name in ("share in", "share out"):
        (tmp_path / name).mkdir()
    _set(root, "inbox: ../share in\noutbox: ../share out\n")
    places.refuse_bad_folders(places.open_workspace(root))


def test_init_twice_keeps_what_is_the_users(root: Path) -> None:
    _set(root, "settle_s: 3\n")
    mine = {"inbox/upscale/photo.png": b"1", "inbox/generate/folder.yaml": b"steps: 2\n", "profiles/mine.yaml": b"{}",
            "jobs/generate.yaml": b"mine\n", "wildcards/red.txt": b"scarlet\n"}  # fmt: skip
    for name, data in mine.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    marker = (root / ".hotfolder/marker").read_bytes()
    result = hotfolder(root, "init", str(root))
    assert result.returncode == 0
    assert {name: (root / name).read_bytes() for name in mine} == mine
    assert (root / "hotfolder.yaml").read_text() == "settle_s: 3\n"
    assert (root / ".hotfolder/marker").read_bytes() == marker


def test_what_init_makes_is_private_where_it_should_be(root: Path) -> None:
    assert (root / ".hotfolder").stat().st_mode & 0o777 == 0o700
    assert {path.name for path in (root / "inbox").iterdir()} >= {"generate", "upscale", "edit", "rerun"}


# -- names that users write -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    top = tmp_path_factory.mktemp("locate")
    workspace = places.init(top / "w")
    (top / "secret.png").write_bytes(b"secret")
    for name in (
        "inbox/upscale/a.png",
        "done/upscale/old.png",
        "outbox/o.png",
        "models/m.png",
        ".hotfolder/work/p.png",
    ):
        path = workspace.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (workspace.inbox / "out").symlink_to(top)
    (workspace.inbox / "secret.png").symlink_to(top / "secret.png")
    (workspace.inbox / "inner.png").symlink_to(workspace.outbox / "o.png")
    (workspace.inbox / "work").symlink_to(workspace.work)
    (workspace.inbox / "loop").symlink_to("loop")
    return workspace


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.png", "inbox/upscale/a.png"),
        ("./a.png", "inbox/upscale/a.png"),
        ("../upscale/a.png", "inbox/upscale/a.png"),
        ("inbox/upscale/a.png", "inbox/upscale/a.png"),
        ("done/upscale/old.png", "done/upscale/old.png"),
        ("old.png", "done/upscale/old.png"),
        ("inbox/upscale/old.png", "done/upscale/old.png"),
        ("../../outbox/o.png", "outbox/o.png"),
        ("outbox/o.png", "outbox/o.png"),
        ("../inner.png", "inbox/inner.png"),
        ("nowhere.png", None),
        (".", None),
        ("", None),
        ("outbox", None),
        ("a\nb.png", None),
    ],
)
def test_a_picture_is_found_beside_the_job_or_from_the_root(filled: Workspace, name: str, found: str | None) -> None:
    located = filled.locate(name, beside=filled.inbox / "upscale")
    assert located == (filled.root / found if found else None)


@pytest.mark.parametrize(
    "name",
    [
        "../../../secret.png", "../secret.png", "inbox/secret.png", "inbox/out/secret.png", "../out/secret.png",
        "/etc/passwd", "~/x.png", "~root/x.png", "https://example.org/x.png", "file:///etc/passwd", "C:\\x.png",
        "C:/x.png", "c:x.png", "\\\\server\\x.png", "..\\x.png", "a\0b.png", ".hotfolder/work/p.png",
        "inbox/work/p.png",
        "../loop/x.png", "inbox/loop", "x" * 300, "x/" * 3000, "../../../w2/x.png", "../../..",
    ],
)  # fmt: skip
def test_no_name_leads_out_of_the_workspace(filled: Workspace, name: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        filled.locate(name, beside=filled.inbox / "upscale")
    assert str(filled.root) not in str(refusal.value)
    assert len(str(refusal.value)) < 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from([".", "", "..", *"inbox out upscale secret.png a.png work p.png w loop".split()]), max_size=8
    )
)
def test_whatever_is_found_lies_inside(filled: Workspace, parts: list[str]) -> None:
    try:
        found = filled.locate("/".join(parts).lstrip("/"), beside=filled.inbox / "upscale")
    except ConfigError:
        return
    assert found is None or found.resolve().is_relative_to(filled.root.resolve())
    assert found is None or not found.resolve().is_relative_to(filled.private.resolve())


def test_paths_are_written_under_public_names(tmp_path: Path) -> None:
    places.init(tmp_path / "w")
    (tmp_path / "nas").mkdir()
    _set(tmp_path / "w", "outbox: ../nas\n")
    workspace = places.open_workspace(tmp_path / "w")
    assert workspace.relative(tmp_path / "nas/day/x.png") == "outbox/day/x.png"
    assert workspace.absolute("outbox/day/x.png") == tmp_path / "nas/day/x.png"
    assert workspace.relative(workspace.done / "x.png") == "done/x.png"
    with pytest.raises(ValueError, match="not in the workspace"):
        workspace.relative(tmp_path / "elsewhere.png")


# -- the command's exit codes -----------------------------------------------------------------------------------


def hotfolder(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hotfolder", "--workspace", str(root), *words],
        cwd=root.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings_text", "says"),
    [
        (None, "is not a workspace (no hotfolder.yaml in it)"),
        ("setle_s: 1\n", "line 1: unknown key `setle_s`; did you mean `settle_s`?"),
        ("settle_s: soon\n", "line 1: `settle_s` must be a number"),
        ("outbox: inbox/generate\n", "results would be taken for new files"),
    ],
)
def test_wrong_configuration_is_exit_code_2_and_one_sentence(root: Path, settings_text: str | None, says: str) -> None:
    if settings_text is None:
        (root / "hotfolder.yaml").unlink()
    else:
        _set(root, settings_text)
    result = hotfolder(root, "run", "--once")
    assert (result.returncode, result.stdout) == (2, "")
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_second_hotfolder_is_exit_code_3(root: Path) -> None:
    with places.hold(places.open_workspace(root)):
        assert places.is_running(places.open_workspace(root))
        result = hotfolder(root, "run", "--once")
    assert result.returncode == 3
    assert f"another hotfolder (process {os.getpid()}) runs on {root}" in result.stderr
    assert "Traceback" not in result.stderr
    assert not places.is_running(places.open_workspace(root))


def test_the_lock_is_told_by_its_own_error(root: Path) -> None:
    workspace = places.open_workspace(root)
    with places.hold(workspace), pytest.raises(AlreadyRunning, match="hotfolder stop"), places.hold(workspace):
        pass
