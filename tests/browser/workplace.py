"""A workspace full of small pictures that a real service made in seconds, and `hotfolder browse` over it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hotfolder.catalog import store
from tests.service.living import ROOT, Living, picture, poll

MANY, EACH = 6, 52
"""Jobs of the series, and pictures of each: 312, more than any page loads at once."""
LONG = "a winding river between hills " * 40
SERIES = "---\n".join(
    f"prompt: hills number {day} under a low sun\nvariants: {EACH}\nseed: {day * 100}\ntags: [series, day{day}]\n"
    for day in range(MANY)
)
DROPS: dict[str, str | bytes] = {
    "painting/many.yaml": SERIES,
    "painting/harm.yaml": "prompt: \"<img src=x onerror=alert(1)> <b>bold</b> & 'quoted'\"\ntags: ['<i>tag</i>']\n",
    "painting/long.yaml": f"prompt: {LONG}\nsize: 64x160\n",
    "painting/wide.yaml": "prompt: a wide valley in the evening\nsize: 640x128\nsteps: 8\nguidance: 2\n",
    "painting/large.yaml": "prompt: a large valley in the morning\nsize: 1600x1200\nformat: webp\n",
    "upscale/stone.png.yaml": "model: lanczos\nfactor: 3\ntags: [stone]\n",
    "upscale/stone.png": picture(120, 80),
    "painting/broken.yaml": "promt: no such key\n",
    "edit/dark.png": picture(40, 30, (20, 30, 50)),
}
"""What is dropped, below inbox/: the last two fail and wait."""
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+(?=/)")
BY_HAND = """
update images set created_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-10 days', '+' || rowid || ' minutes')
  where tags like '%day0%' or tags like '%day1%';
update images set seed = 100 + rowid, seed_locked = 1, energy_wh = 0.42, loras = '[{"name": "ink", "weight": 0.8}]'
  where tags like '%day2%';
update images set energy_wh = 1.25, seed = '18446744073709551615', seed_locked = 0 where path like '%/wide.png';
"""
"""What only other models and a card can make: seeds, LoRAs, watt-hours, and pictures of last week."""


def fill(place: Living) -> None:
    """Let a service make all pictures; it has ended when this returns."""
    folder = place.workspace.inbox / "painting"
    folder.mkdir()
    (folder / "folder.yaml").write_text("kind: painting\n")
    for path, content in DROPS.items():
        place.drop(path, content)
    place.once(**surroundings(place))
    catalog = store.Catalog(place.workspace.catalog)
    catalog.connection.executescript(BY_HAND)
    catalog.close()


def surroundings(place: Living) -> dict[str, str]:
    """Return the environment in which the kind `painting` is known and keeps the pace that the test sets."""
    return {"HOTFOLDER_CAPABILITIES": str(Path(__file__).parent / "kinds"), "HOTFOLDER_TEST_PACE": str(pace(place))}


def pace(place: Living) -> Path:
    """Return the file that says up to which step a paced job may go."""
    file = place.root / ".hotfolder" / "pace"
    file.touch()
    return file


@contextmanager
def served(place: Living, *words: str) -> Iterator[str]:
    """Run `hotfolder browse` over the workspace; gives its address, without a slash at the end."""
    said = place.root / ".hotfolder" / f"browse{len(words)}.txt"
    with open(said, "w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "hotfolder", "--workspace", str(place.root), "browse", "--port", _free(), *words],
            stdout=file, stderr=file, text=True, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        yield poll(lambda: _ADDRESS.search(said.read_text()) or _ended(process, said), "address")[0]
    finally:
        process.terminate()
        process.wait(120)
    assert "Traceback" not in said.read_text(), said.read_text()


def _free() -> str:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return str(asked.getsockname()[1])


def _ended(process: subprocess.Popen[str], said: Path) -> None:
    assert process.poll() is None, said.read_text()
