"""Which port of this machine is free, and who has the one that is not."""

import contextlib
import errno
import os
import re
import socket
import sys
from pathlib import Path

from hotfolder import names
from hotfolder.errors import ConfigError

_TRIED = 100
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LISTENS = "0A"
_MAX_COMMAND = 100


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `port` or the next free one after it.

    Raises:
        ConfigError: `host` is not this machine, or a hundred ports in a row are taken.
    """
    if host not in _LOOPBACK:
        raise ConfigError(
            f"the catalog is shown on this machine only, not on {host}; from another machine use "
            f"ssh -L {port}:127.0.0.1:{port} and open http://127.0.0.1:{port}/"
        )
    if not 0 < port < 65536:
        raise ConfigError(f"there is no port {port}; ports are numbers from 1 to 65535")
    for candidate in range(port, min(port + _TRIED, 65536)):
        family = socket.AF_INET6 if host == "::1" else socket.AF_INET
        # TCP by name: only so does asyncio send small answers at once, instead of after 40 ms
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if sys.platform == "win32":  # there SO_REUSEADDR would share a port that another program listens on
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise ConfigError(f"cannot listen on {host}: {error.strerror}") from error
        return listener
    raise ConfigError(f"no free port from {port} on; name another with --port")


def holder(port: int) -> str | None:
    """Return which process listens on a port, as `process 4711 (python3 -m http.server)`; None where that cannot be
    told: on other systems than Linux, and of other users' processes.

    **Source**: proc(5), /proc/net/tcp and /proc/pid/fd.
    """
    sockets = _listening(port)
    for process in Path("/proc").glob("[0-9]*") if sockets else ():
        with contextlib.suppress(OSError):  # another user's, or just gone
            if any(os.readlink(handle) in sockets for handle in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().split(b"\0")
                command = names.display(" ".join(os.fsdecode(word) for word in words).strip())
                short = command if len(command) <= _MAX_COMMAND else f"{command[:_MAX_COMMAND]} …"
                return f"process {process.name} ({short})"
    return None


def _listening(port: int) -> set[str]:
    """Return the sockets that listen on a port, as /proc calls them."""
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                if state == _LISTENS and re.fullmatch(rf"[0-9A-F]+:{port:04X}", local):
                    found.add(f"socket:[{rest[5]}]")
    return found
