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
"""At most this often, in seconds, it says how far it is."""


def main() -> None:
    """Fetch the model that the arguments name."""
    threading.Thread(target=_leave_with_the_service, daemon=True).start()
    name, limit_bytes = sys.argv[1], int(sys.argv[2])
    said_at = 0.0

    def progress(done: int, of: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= SAY_S:
            said_at = time.monotonic()
            _say("progress", done=done, of=of)

    try:
        fetch.fetch(entries.entries()[name], progress, limit_bytes)
        _say("fetched")
    except NotYet as reason:
        _say("failed", error=str(reason))


def _leave_with_the_service() -> None:
    os.read(0, 1)  # not through sys.stdin, whose lock would be held when Python ends
    os._exit(0)


def _say(event: str, **content: Any) -> None:
    print(json.dumps({"event": event, **content}), flush=True)


if __name__ == "__main__":
    main()
