"""The one writing connection to catalog.db, and read-only ones for everybody else."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hotfolder.catalog import schema
from hotfolder.errors import ConfigError


def utc_now() -> str:
    """Return the present as the catalog writes it."""
    return utc(datetime.now(UTC))


def utc(moment: datetime) -> str:
    """Return a moment as the catalog writes it: ISO-8601, UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def storable(text: str | None) -> str | None:
    """SQLite takes no lone surrogates; a name that is not UTF-8 is shown with visible escapes instead."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")


def file_called(path: Path | str) -> tuple[int, int] | None:
    """Return which file has this name now, as its device and number; None where there is none.

    Raises:
        OSError: that cannot be told.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        status = os.stat(path)
        return status.st_dev, status.st_ino
    return None


class Reader:
    """Statements on a connection, their rows as dictionaries."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Run one statement and return its rows."""
        return [dict(row) for row in self.connection.execute(sql, values)]

    def row(self, sql: str, *values: Any) -> dict[str, Any] | None:
        """Return the first row, or None."""
        found = self.rows(sql, *values)
        return found[0] if found else None


class Catalog(Reader):
    """catalog.db, opened for writing by the service, the one process that does (SQLite before 3.51.3 can corrupt a
    WAL that two connections checkpoint at the same instant).

    Source: sqlite.org/wal.html, "The WAL-reset bug"; synchronous=FULL keeps the last commit through a power cut.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            super().__init__(_connect(path.as_uri(), path))
            self.connection.execute("pragma journal_mode=wal")
            self.connection.execute("pragma synchronous=full")
            self.connection.execute("pragma foreign_keys=on")
            schema.migrate(self.connection)
        except (sqlite3.DatabaseError, ValueError) as error:
            raise ConfigError(
                f"the catalog {path} cannot be used: {error}; move it away and run `hotfolder rebuild`"
            ) from None
        self._file = file_called(path)

    def refuse_replaced(self) -> None:
        """Raise ConfigError where the file that is open here has lost its name, to another one or to none: what was
        written from then on would be in no catalog that anyone sees."""
        if file_called(self._path) != self._file:
            raise ConfigError(
                f"{self._path} was moved, deleted or replaced while hotfolder ran, which stops here. Start "
                "`hotfolder run` in the folder that you want to work in; it goes on with what was under way"
            )

    def close(self) -> None:
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """One durable transaction. BEGIN IMMEDIATE: a deferred one that turns to writing fails at once when busy."""
        self.connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")


class NothingYet(ConfigError):
    """There is no catalog, or one without tables: its service is just starting for the first time."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """A read-only connection; raises NothingYet, or ConfigError where the catalog is damaged."""
    nothing = NothingYet(f"nothing here yet: {path} is made when `hotfolder run` starts for the first time")
    if not path.is_file():
        raise nothing
    connection = _connect(f"{path.as_uri()}?mode=ro", path)
    try:
        if connection.execute("pragma user_version").fetchone()[0] == 0:
            raise nothing
        yield Reader(connection)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
            raise nothing from None  # killed while it was made; the next start empties it and makes it
        raise ConfigError(f"the catalog {path} cannot be read: {error}; `hotfolder rebuild` remakes it") from error
    finally:
        connection.close()


def _connect(uri: str, path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
    except sqlite3.OperationalError as error:
        raise ConfigError(f"the catalog {path} cannot be opened: {error}") from None
    connection.row_factory = sqlite3.Row
    return connection
