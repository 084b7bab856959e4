"""What the watcher says on the terminal: nothing."""

import subprocess
import sys
from pathlib import Path

TREES = """
import sys, threading, time
from pathlib import Path
from hotfolder.intake.watch import Watch
rung = threading.Event()
watch = Watch([Path(sys.argv[1])], rung.set)
for number in range(100):
    Path(sys.argv[1], str(number), "a", "b", "c").mkdir(parents=True)
rung.clear()
Path(sys.argv[1], "99", "a", "b", "c", "last").touch()
assert rung.wait(100)
time.sleep(0.5)
watch.stop()
"""


def test_folders_that_come_one_in_the_other_put_nothing_on_the_terminal(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", TREES, str(tmp_path)], capture_output=True, text=True, timeout=150)
    assert (ran.returncode, ran.stderr) == (0, "")
