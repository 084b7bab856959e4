"""A queue that alternates two models, in a real run: what they share is loaded once, as the kernel saw it."""

import ctypes
import os
import struct
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.models import twins
from tests.models.twins import DEV, SCHNELL, SHARED
from tests.service.living import Living

IN_OPEN = 0x20
EVENT = struct.Struct("iIII")


class Opens:
    """Counts how often files are opened, by any process; Linux.

    **Source**: inotify(7): `wd`, `mask`, `cookie` and `len`, then a name of `len` bytes.
    """

    def __init__(self, files: list[Path]) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._library.inotify_init1(os.O_NONBLOCK)
        assert self._inotify >= 0
        self._names = {self._library.inotify_add_watch(self._inotify, os.fsencode(one), IN_OPEN): one for one in files}
        self.counted: Counter[Path] = Counter()

    def look(self) -> Counter[Path]:
        """Return how often each file was opened since the last look."""
        found: Counter[Path] = Counter()
        while True:
            try:
                events = os.read(self._inotify, 65536)
            except BlockingIOError:
                return found
            at = 0
            while at < len(events):
                watched, _, _, length = EVENT.unpack_from(events, at)
                found[self._names[watched]] += 1
                at += EVENT.size + length


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked by inotify")
def test_what_two_models_share_is_opened_for_the_first_of_them_alone(place: Living, tmp_path: Path) -> None:
    """They lie in the hub's cache, each with copies of its own that the cache names after their content."""
    snapshots = {name: twins.put_in_cache(tmp_path / "hub", name, number) for number, name in enumerate((SCHNELL, DEV))}
    shared = {
        name: [path.resolve() for part in SHARED for path in (snapshots[name] / part).glob("*.safetensors")]
        for name in snapshots
    }
    assert [path.name for path in shared[SCHNELL]] == [path.name for path in shared[DEV]]
    opens = Opens([*shared[SCHNELL], *shared[DEV]])
    place.start(HF_HUB_CACHE=str(tmp_path / "hub"))

    def generate(number: int, model: str) -> Counter[Path]:
        place.drop(
            f"generate/job{number}.yaml", f"prompt: a boat\nmodel: {model}\nsize: 32\nsteps: 1\nseed: {number}\n"
        )
        job = place.job(f"job{number}")
        assert job["state"] == "done", job
        return opens.look()

    first = generate(0, SCHNELL)
    assert all(first[path] for path in shared[SCHNELL])
    second = generate(1, DEV)
    assert not any(second[path] for path in shared[SCHNELL])
    # whether they are whole is looked up at their head, by the service and by the worker
    assert all(second[path] <= 2 for path in shared[DEV])
    for number in range(2, 6):
        assert not generate(number, (SCHNELL, DEV)[number % 2])
