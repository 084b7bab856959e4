"""Asking for more of a picture: a small job file in the inbox, as its user could write one."""

import contextlib
import itertools
import os
import random
import re
from pathlib import Path

from hotfolder import atomic, images, machine, names, yamlfile
from hotfolder.browse import files
from hotfolder.capabilities import CAPABILITIES
from hotfolder.errors import NotYet, RejectedInput
from hotfolder.intake import again, language, unfolding
from hotfolder.intake.completing import Completer
from hotfolder.intake.presets import Presets
from hotfolder.workspace import Workspace, is_running

KINDS = {"again": "rerun", "vary": "vary", "upscale": "upscale"}
"""The kind of job behind each button."""


def drop(workspace: Workspace, picture: Path, button: str) -> str:
    """Write the job that makes a picture `again`, its `vary`ations, or it larger (`upscale`); returns what to say.

    Raises:
        JobError: it can never run; nothing was written.
        OSError: the inbox cannot be written.
    """
    kind = KINDS[button]
    values = {"kind": kind, "image": files.named(workspace.outbox, picture)}
    text = language.as_yaml(values)
    folder = workspace.inbox / kind
    late = _outlook(workspace, picture, kind, text)
    if not workspace.inbox.is_dir():
        raise RejectedInput(f"the inbox {workspace.inbox} is not there; mount or create it, then try again")
    atomic.make_folders(folder)
    stem = re.sub(rf"(-{button})+(-\d+)?$", "", picture.stem)
    name = _put(folder, f"{names.clean(stem)}-{button}.yaml", text.encode())
    if late is None and not is_running(workspace):
        late = "it starts with `hotfolder run`, which is not running now"
    return f"inbox/{kind}/{name} asks for it{f'; {late}' if late else ''}."


def _outlook(workspace: Workspace, picture: Path, kind: str, text: str) -> str | None:
    """Return what the job would wait for, None where nothing is seen; raises JobError where it can never run."""
    presets = Presets(workspace.inbox)
    completer = Completer(workspace, random.Random(0), machine.facts, {})
    try:
        layers = [*presets.of(kind).layers, *yamlfile.parse(text.encode(), f"the job for {picture.name}")]
        spec = language.resolve(layers, kind)
        made = [part.spec for part in unfolding.unfold(spec, layers, picture, completer)]
        sniffed = images.sniff(picture, int(workspace.settings.max_megapixels * 1_000_000))
    except NotYet as reason:
        return f"it waits: {reason}"
    for one in made:
        capability = CAPABILITIES[one.kind]
        if kind in again.RECIPES and "seed" not in capability.uses:
            raise RejectedInput(
                f"{names.display(picture.name)} was made by `{one.kind}`, which uses no seed: made again it would be "
                "the same picture"
            )
        if one.kind == kind:
            capability.check(one, capability.Options(**one.options), (sniffed.width, sniffed.height))
    return None


def _put(folder: Path, name: str, data: bytes) -> str:
    """Write a file under the first free of its numbered names, there whole or not at all; returns that name."""
    part = folder / f".{os.getpid()}-{os.urandom(4).hex()}.part"
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        for number in itertools.count(1):
            numbered = names.numbered(name, number)
            with contextlib.suppress(FileExistsError):
                atomic.rename_new(part, folder / numbered)
                atomic.fsync_folder(folder)
                return numbered
        raise AssertionError("numbers do not end")
    finally:
        part.unlink(missing_ok=True)
