"""`hotfolder status` in a terminal and in a pipe."""

import os
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.living import ROOT, Living, hotfolder, picture, poll

if sys.platform != "win32":
    import fcntl
    import pty
    import termios
else:
    pytest.skip("there are no pseudo-terminals on Windows", allow_module_level=True)


class Terminal:
    """`status --watch` in a terminal of 80 columns."""

    def __init__(self, root: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        words = [sys.executable, "-m", "hotfolder", "--workspace", str(root), "status", "--watch"]
        environment = os.environ | {"TERM": "xterm-256color"}
        self.process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment)
        os.close(theirs)
        self.said = ""

    def read(self) -> str:
        while select.select([self._ours], [], [], 0.05)[0]:
            try:
                self.said += os.read(self._ours, 1 << 16).decode(errors="replace")
            except OSError:  # the other end is closed
                break
        return self.said

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Living:
    one = Living(tmp_path_factory.mktemp("watched") / "w")
    one.drop("upscale/good.png", picture())
    one.drop(f"upscale/{'a very long name ' * 8}\x1b[31m.png", b"nothing")
    one.drop("generate/waits.yaml", "seed: 1\n")
    assert one.once().returncode == 1
    return one


@pytest.fixture
def terminal(used: Living) -> Iterator[Terminal]:
    one = Terminal(used.root)
    yield one
    one.close()


def test_watching_shows_what_changes_and_ends_well_with_ctrl_c(used: Living, terminal: Terminal) -> None:
    poll(lambda: "1 waiting, 1 done, 1 failed" in terminal.read(), "first status", 30)
    assert "\x1b[31m.png" not in terminal.said, "what a file is called cannot colour the terminal"
    used.drop("generate/later.yaml", "seed: 2\n")
    used.once()
    poll(lambda: "2 waiting, 1 done, 1 failed" in terminal.read(), "changed status", 30)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(20) == 0
    assert "Traceback" not in terminal.read() and "\x1b[?25h" in terminal.said, "the cursor is back"


def test_without_a_terminal_it_is_said_once(used: Living) -> None:
    said = hotfolder(used.root, "status", "--watch")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.count("hotfolder is not running") == 1 and "\x1b" not in said.stdout
    assert all(len(line) <= 80 for line in said.stdout.splitlines())
    assert said.stdout == hotfolder(used.root, "status").stdout


def test_watching_is_for_people(used: Living) -> None:
    said = hotfolder(used.root, "status", "--watch", "--json")
    assert said.returncode == 2 and "take one of them" in said.stderr
