"""The folder.yaml files: which hot folder a file lies in, and what that folder presets."""

import errno
import stat
from dataclasses import dataclass
from pathlib import Path

from hotfolder import names, yamlfile
from hotfolder.errors import BadSpec, NotYet
from hotfolder.intake.language import intake_keys, kind_of
from hotfolder.intake.scan import PRESET
from hotfolder.spec import IntakeKeys
from hotfolder.yamlfile import Document


@dataclass(frozen=True)
class HotFolder:
    """The hot folder of a file. `name` is its path in the inbox; `kind` is None when nothing says what it does."""

    name: str
    kind: str | None
    layers: tuple[Document, ...]
    intake: IntakeKeys


class Presets:
    """Reads the presets of one inbox; each file once, as long as the object lives: make a new one for each scan."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox
        self._documents: dict[str, Document | None] = {}
        self._folders: dict[str, HotFolder] = {}

    def of(self, folder: str) -> HotFolder:
        """Return the hot folder that `folder` (relative to the inbox, "" = its root) belongs to.

        Raises:
            NotYet: a preset on the way cannot be used; its jobs wait until it is mended.
        """
        if folder not in self._folders:
            self._folders[folder] = self._read(folder)
        return self._folders[folder]

    def _read(self, folder: str) -> HotFolder:
        parts = folder.split("/") if folder else []
        chain = ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]
        layers, name = [], chain[1] if len(chain) > 1 and kind_of(parts[0]) else ""
        kind = kind_of(parts[0]) if parts else None
        for step in chain:
            document = self._document(step)
            if document is None:
                continue
            layers.append(document)
            name = step or name
            if (word := document.values.get("kind")) is not None:
                kind = _kind(word)
            elif document.values.get("pipeline") is not None:
                kind = "pipeline"
        return HotFolder(name, kind, tuple(layers), intake_keys(layers))

    def _document(self, folder: str) -> Document | None:
        if folder not in self._documents:
            path = self._inbox / folder / PRESET
            name = names.display(f"{folder}/{PRESET}".lstrip("/"))
            try:
                data = _read(path)
            except FileNotFoundError:
                self._documents[folder] = None
                return None
            except OSError as error:
                raise NotYet(f"{name} cannot be read: {error.strerror}") from None
            try:
                documents = yamlfile.parse(data, name)
                intake_keys(documents)
            except BadSpec as error:
                raise NotYet(f"the folder's preset has to be mended: {error}") from None
            if len(documents) > 1:
                raise NotYet(f"{name} holds several documents; a preset is one")
            self._documents[folder] = documents[0] if documents else Document(name, {}, {})
        return self._documents[folder]


def _read(path: Path) -> bytes:
    """Return a preset's bytes, at most one more than it may have; a link or pipe by its name is not opened."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a link, not a file" if stat.S_ISLNK(status.st_mode) else "it is no file")
    with open(path, "rb") as file:
        return file.read(yamlfile.MAX_BYTES + 1)


def _kind(word: object) -> str:
    """Return the kind a preset names; a word nobody knows stays, for the job language to refuse with a hint."""
    return kind_of(str(word)) or str(word)
