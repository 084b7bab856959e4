"""What one look at outbox finds, while others move things there."""

import itertools
import threading
from pathlib import Path

from hotfolder.outbox import looking


def test_files_that_come_and_go_hide_none_that_lie_beside_them(tmp_path: Path) -> None:
    stays = {f"outbox/{number:03}.png" for number in range(200)}
    for path in stays:
        (tmp_path / Path(path).name).touch()
    over = threading.Event()

    def move_on() -> None:
        for number in itertools.count():
            if over.is_set():
                return
            moved = tmp_path / f"m{number % 50}.png"
            moved.touch()
            moved.unlink()

    mover = threading.Thread(target=move_on)
    mover.start()
    try:
        for _ in range(200):
            assert stays <= looking.scan(tmp_path).pictures.keys()
    finally:
        over.set()
        mover.join()
