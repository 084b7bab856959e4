"""Where everything lies, who holds it, and when to refuse to start."""

import contextlib
import os
import re
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from hotfolder import atomic, names, settings
from hotfolder.errors import AlreadyRunning, ConfigError
from hotfolder.settings import Settings

HOT_FOLDERS = (
    "generate edit inpaint outpaint upscale caption detect mask cutout expand pipeline rerun vary".split()
)  # fmt: skip
MODEL_FOLDERS = "loras checkpoints upscalers controlnets ip-adapters embeddings".split()
_ELSEWHERE = re.compile(r"^~|://|\\|^[A-Za-z]:")
"""What begins a home folder, an address, a Windows path or drive: never relative to a workspace."""
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "afpfs", "9p"}


@dataclass(frozen=True)
class Workspace:
    """The folders of one workspace, as the README lists them under "Where everything is"."""

    root: Path
    settings: Settings

    @cached_property
    def inbox(self) -> Path:
        return self._placed(self.settings.inbox, "inbox")

    @cached_property
    def outbox(self) -> Path:
        return self._placed(self.settings.outbox, "outbox")

    @property
    def outbox_mark(self) -> Path:
        """The file by which outbox is known: a share that is not mounted, and its folder is empty, has none."""
        return self.outbox / ".hotfolder-outbox"

    @property
    def done(self) -> Path:
        return self.root / "done"

    @property
    def failed(self) -> Path:
        return self.root / "failed"

    @property
    def wildcards(self) -> Path:
        return self.root / "wildcards"

    @property
    def profiles(self) -> Path:
        return self.root / "profiles"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.db"

    @property
    def private(self) -> Path:
        return self.root / ".hotfolder"

    @property
    def work(self) -> Path:
        return self.private / "work"

    @property
    def control(self) -> Path:
        return self.private / "control"

    @property
    def thumbs(self) -> Path:
        """A small copy of each picture, called by its id."""
        return self.private / "thumbs"

    @property
    def now(self) -> Path:
        """What the service is doing this moment: JSON, rewritten at most twice a second."""
        return self.private / "now.json"

    @property
    def status_page(self) -> Path:
        """What goes on, as a page for whoever sees outbox."""
        return self.outbox / "STATUS.html"

    @property
    def status_page_part(self) -> Path:
        """The same while it is written."""
        return self.outbox / ".STATUS.html.part"

    def _placed(self, setting: str | None, name: str) -> Path:
        return Path(os.path.normpath(self.root / setting)) if setting else self.root / name

    def locate(self, name: str, beside: Path | None = None) -> Path | None:
        """Return the file a user named: relative to `beside`, else to the workspace, where inbox/ and outbox/ stand for
        wherever those are; None while it is not there.

        What has left the inbox is found in done/.

        Raises:
            ConfigError: the name leads outside the workspace and the configured inbox and outbox.
        """
        allowed = [folder.resolve() for folder in (self.root, self.inbox, self.outbox)]
        shown = f"`{names.display(name)[:200]}`"
        if "\0" in name or Path(name).is_absolute() or _ELSEWHERE.search(name):
            raise ConfigError(f"{shown} is not a path inside the workspace; name files relative to it")
        for named in (beside and beside / name, self.absolute(name)):
            if named is None:
                continue
            path = Path(os.path.normpath(named))
            try:
                real, is_there = path.resolve(), path.is_file()
            except (OSError, RuntimeError):  # longer than names may be, or through links that go round in a circle
                raise ConfigError(f"{shown} cannot be a file in this workspace; name one that is") from None
            if not any(real.is_relative_to(folder) for folder in allowed):
                raise ConfigError(f"{shown} leads out of the workspace; name files inside it")
            if real.is_relative_to(self.private.resolve()):
                raise ConfigError(f"{shown} is hotfolder's own; name a picture in inbox/, done/ or outbox/")
            if is_there:
                return path
            if path.is_relative_to(self.inbox) and (kept := self.done / path.relative_to(self.inbox)).is_file():
                return kept
        return None

    def relative(self, path: Path) -> str:
        """Return how the catalog writes a path: relative to the workspace, outbox and inbox under these names."""
        for folder, name in ((self.outbox, "outbox"), (self.inbox, "inbox"), (self.root, "")):
            if path.is_relative_to(folder):
                return (Path(name) / path.relative_to(folder)).as_posix()
        raise ValueError(f"{path} is not in the workspace {self.root}")

    def absolute(self, relative: str) -> Path:
        """Undo `relative`."""
        first, _, rest = relative.partition("/")
        return {"outbox": self.outbox, "inbox": self.inbox}.get(first, self.root / first) / rest


def open_workspace(root: Path, profile: str | None = None) -> Workspace:
    """Return the workspace at `root`, its settings read; `profile` overrides the settings' own.

    Raises:
        ConfigError: there is no workspace, or its settings or folders cannot work.
    """
    root = root.absolute()
    if not (root / "hotfolder.yaml").is_file():
        raise ConfigError(f"{root} is not a workspace (no hotfolder.yaml in it); make one: hotfolder init {root}")
    loaded = settings.load(root / "hotfolder.yaml")
    if profile:
        loaded = loaded.model_copy(update={"profile": profile})
    return Workspace(root, loaded)


def init(root: Path) -> Workspace:
    """Make `root` a workspace; what is already there stays as it is."""
    root = Path(os.path.abspath(root))
    atomic.make_folders(root)
    if not (root / "hotfolder.yaml").exists():
        (root / "hotfolder.yaml").write_text(settings.template(), encoding="utf-8")
    workspace = open_workspace(root)
    plain = [workspace.done, workspace.failed, workspace.wildcards, workspace.profiles, root / "jobs"]
    folders = [*(workspace.inbox / name for name in HOT_FOLDERS), workspace.outbox, *plain]
    for folder in [*folders, *(workspace.models / name for name in MODEL_FOLDERS)]:
        atomic.make_folders(folder)
    make_private(workspace)
    return workspace


def make_private(workspace: Workspace) -> None:
    """Create `.hotfolder/`, readable by its owner alone, and its marker."""
    workspace.private.mkdir(mode=0o700, exist_ok=True)
    for folder in (workspace.work, workspace.control, workspace.thumbs, workspace.private / "logs"):
        folder.mkdir(exist_ok=True)
    marker = workspace.private / "marker"
    if not marker.exists():
        atomic.write(marker, f"{uuid.uuid4()}\n".encode())


def refuse_bad_folders(workspace: Workspace) -> None:
    """Raise ConfigError, one sentence, where the folders would make hotfolder eat its own or lose files."""
    places = {name: getattr(workspace, name).resolve() for name in ("inbox", "outbox", "done", "failed", "private")}
    for name in ("inbox", "outbox"):
        if not places[name].is_dir():
            raise ConfigError(f"{name} is set to {places[name]}, which is not there; mount or create it, then start")
    for name in ("done", "failed"):
        if not places[name].is_relative_to(workspace.root.resolve()):
            raise ConfigError(f"{name}/ is a link out of the workspace, to {places[name]}; replace it by a folder")
        if places[name].is_dir() and places[name].stat().st_dev != workspace.work.stat().st_dev:
            raise ConfigError(
                f"{name}/ and .hotfolder/ lie on different disks; files move between them, keep them on one"
            )
    for one, path in places.items():
        for other, outer in places.items():
            if one != other and path.is_relative_to(outer):
                raise ConfigError(f"{one} ({path}) lies in {other} ({outer}); results would be taken for new files")
    own = {"Python": Path(sys.prefix), "hotfolder's code": Path(__file__).parent, "models/": workspace.models}
    for name in ("inbox", "outbox"):
        for what, path in own.items():
            if path.resolve().is_relative_to(places[name]) or places[name].is_relative_to(path.resolve()):
                raise ConfigError(f"{name} ({places[name]}) and {what} ({path}) lie in each other; move {name}")
    kind = file_system(workspace.root)
    if kind in NETWORK_FILE_SYSTEMS:
        raise ConfigError(
            f"the workspace {workspace.root} is on a network disk ({kind}), where SQLite loses data; keep the "
            "workspace on a local disk and set `inbox:` and `outbox:` to the network folders"
        )


def file_system(path: Path) -> str:
    """Return the type of the file system that holds `path` ("ext4", "nfs4"), "" where it cannot be told."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return ""
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        _, where, what, *_ = line.split(" ")
        where = where.replace("\\040", " ")
        if path.resolve().is_relative_to(where) and len(where) >= len(best):
            best, kind = where, what
    return kind


@contextlib.contextmanager
def hold(workspace: Workspace) -> Iterator[None]:
    """Be the only hotfolder on this workspace; the operating system lets go when the process dies.

    Raises:
        AlreadyRunning: another one holds it.
    """
    lock = FileLock(workspace.private / "lock")
    pid_file = workspace.private / "pid"
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        pid = pid_file.read_text().strip() if pid_file.exists() else "unknown"
        raise AlreadyRunning(
            f"another hotfolder (process {pid}) runs on {workspace.root}; `hotfolder stop` ends it"
        ) from None
    try:
        pid_file.write_text(f"{os.getpid()}\n")
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            if pid_file.read_text() == f"{os.getpid()}\n":  # not another one's, in a workspace that was made anew
                pid_file.unlink()
        lock.release()


def is_running(workspace: Workspace) -> bool:
    """Say whether a hotfolder holds this workspace now."""
    if not (workspace.private / "pid").exists():
        return False  # without taking the lock for a moment: one that is just starting wants it
    lock = FileLock(workspace.private / "lock")
    try:
        lock.acquire(timeout=0.01, poll_interval=0.005)  # another one that looks has it for less than that
    except Timeout:
        return (workspace.private / "pid").exists()
    lock.release()
    return False
