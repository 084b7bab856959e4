"""A process of our own at the end of a pipe: started, sent orders, heard, and noticed when it dies.

Orders and messages are lines of JSON.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


class ChildProcess:
    """One process, that runs a module. Its messages wait in a queue; `ring` is called from a thread whenever there is
    a new one."""

    def __init__(self, module: str, words: list[str], log: Path, ring: Callable[[], None], **environment: str) -> None:
        with open(log, "ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | environment,
                # Ctrl-C on the terminal is for the service alone, which lets the running job finish
                start_new_session=True,
            )
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._ring = ring
        threading.Thread(target=self._listen, daemon=True, name=f"{module}-pipe").start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, order: dict[str, Any]) -> None:
        """Tell it something; one that has died meanwhile is noticed by `hear`."""
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            pass

    def hear(self) -> Iterator[dict[str, Any]]:
        """Yield what it said and nobody heard yet; `{"event": "died", "how": ...}` comes last, when it has ended."""
        while not self._messages.empty():
            message = self._messages.get()
            yield message if message is not None else {"event": "died", "how": self._how_it_ended()}

    def end(self, grace_s: float) -> None:
        """Close the pipe and wait; kill it when it has not left after `grace_s` seconds."""
        assert self._process.stdin
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        if code < 0:
            hint = "; the system may have run out of memory" if code == -9 else ""
            return f"it was ended by signal {-code}{hint}"
        return f"it left with exit code {code}"

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue  # the half of a message that it died with, or what Python's own start-up printed
            if isinstance(message, dict) and "event" in message:
                self._messages.put(message)
                self._ring()
        self._messages.put(None)
        self._ring()
