"""The process that fetches one model for the service: `python -m hotfolder.models.fetching NAME LIMIT_BYTES`.

It says what it does by lines of JSON on standard output: `progress` (`done` and `of`, bytes), and at its end `fetched`
or `failed` (`error`, a sentence). It leaves when its standard input ends, which is when the service is gone.
"""

import json
import os
import sys
import threading
import time
from typing import Any

from hotfolder.errors import NotYet
from hotfolder.models import entries, fetch

SAY_S = 0.5
"""How often, in seconds, it says how far it is, where that has changed."""


def main() -> None:
    """Fetch the model that the arguments name."""
    name, limit_bytes = sys.argv[1], int(sys.argv[2])
    way = _Way()
    for duty in (_leave_with_the_service, way.tell):
        threading.Thread(target=duty, daemon=True).start()
    try:
        fetch.fetch(entries.entries()[name], way.note, limit_bytes)
        _say("fetched")
    except NotYet as reason:
        _say("failed", error=str(reason))


class _Way:
    """How far it is: noted with each piece that comes, told now and then, also when nothing comes any more."""

    def __init__(self) -> None:
        self._here = (0, 0)

    def note(self, done: int, of: int) -> None:
        self._here = (done, of)

    def tell(self) -> None:
        said = self._here
        while True:
            if (here := self._here) != said:
                _say("progress", done=here[0], of=here[1])
                said = here
            time.sleep(SAY_S)


def _leave_with_the_service() -> None:
    os.read(0, 1)  # not through sys.stdin, whose lock would be held when Python ends
    os._exit(0)


def _say(event: str, **content: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **content}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
