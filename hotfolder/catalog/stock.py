"""The models that are on this machine, as rows."""

from typing import Any

from hotfolder.catalog.store import Catalog

_COLUMNS = ("name", "family", "path", "sha256", "bytes", "licence", "trigger_words")


def put_models(catalog: Catalog, rows: list[dict[str, Any]]) -> None:
    """Let the table `models` hold just these rows; columns that a row does not name are null."""
    wanted = [{column: row.get(column) for column in _COLUMNS} for row in sorted(rows, key=lambda row: row["name"])]
    if catalog.rows(f"select {', '.join(_COLUMNS)} from models order by name") == wanted:
        return
    with catalog.transaction():
        catalog.rows("delete from models")
        for row in wanted:
            catalog.rows(
                f"insert into models({', '.join(_COLUMNS)}) values({', '.join('?' * len(_COLUMNS))})", *row.values()
            )
