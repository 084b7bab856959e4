"""What looking at each hostile drop costs the service, and which files it opens for that."""

import os
import random
import resource
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from hotfolder import machine
from hotfolder.intake.admit import Admitter
from hotfolder.intake.pairing import Group, pair
from hotfolder.intake.presets import Presets
from hotfolder.intake.scan import scan
from tests.hostile.aftermath import Aftermath

MOST_S = 3.0
MOST_MB = 100
_opened: list[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is not None and event == "open" and isinstance(arguments[0], str | bytes):
        _opened.append(os.fsdecode(arguments[0]))


@pytest.fixture(scope="module")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    return Aftermath(tmp_path_factory.mktemp("admission")).drop()


def _groups(dropped: Aftermath) -> tuple[Admitter, list[Group]]:
    workspace = dropped.bench.workspace
    admitter = Admitter(workspace, Presets(workspace.inbox), lambda sha256: None, random.Random(1), machine.facts)
    groups, _ = pair(scan(workspace.inbox))
    assert len(groups) > 250
    return admitter, groups


def test_admission_is_quick(dropped: Aftermath) -> None:
    admitter, groups = _groups(dropped)
    slow = {}
    for group in groups:
        # the work itself: a machine that is busy with something else must not fail this
        began = time.thread_time()
        admitter.admit(group)
        took = time.thread_time() - began
        if took >= MOST_S:
            slow[group.primary.path] = took
    assert slow == {}


def test_admission_takes_little_memory(dropped: Aftermath) -> None:
    admitter, groups = _groups(dropped)
    held_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    large = {}
    tracemalloc.start()
    try:
        for group in groups:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            admitter.admit(group)
            peak = tracemalloc.get_traced_memory()[1] - before
            if peak >= MOST_MB * 1_000_000:
                large[group.primary.path] = peak
    finally:
        tracemalloc.stop()
    assert large == {}
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held_before) / 1000 < MOST_MB


def test_admission_opens_only_what_lies_in_the_workspace(dropped: Aftermath) -> None:
    global _opened
    admitter, groups = _groups(dropped)
    for group in groups:  # what is imported on first use is read now
        admitter.admit(group)
    sys.addaudithook(_note)  # cannot be taken away again, so it looks at a switch
    _opened = []
    try:
        for group in groups:
            admitter.admit(group)
    finally:
        seen, _opened = _opened, None
    code = tuple(map(os.path.realpath, (sys.prefix, sys.base_prefix, Path(__file__).parents[2] / "hotfolder")))
    root = os.path.realpath(dropped.bench.root)
    assert len(seen) > 200
    assert [path for path in seen if not os.path.realpath(path).startswith((root, *code))] == []
