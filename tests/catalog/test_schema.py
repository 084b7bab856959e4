"""The catalog's tables: made fresh, kept when known, refused when from the future, read while they are written."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hotfolder.catalog import pictures, schema, store
from hotfolder.catalog.store import Catalog, NothingYet
from hotfolder.errors import ConfigError

TABLES = {
    "drops": "id hot_folder name state files created_at finished_at",
    "jobs": "id drop_id state kind hot_folder name priority spec source_path attempts created_at started_at "
    "finished_at run_s load_s wait_reason error",
    "images": "id job_id path sha256 pixel_sha256 width height format kind prompt negative_prompt caption tags seed "
    "seed_locked model profile loras steps guidance sampler rating review parent_path prompt_tokens peak_vram_mb "
    "energy_wh created_at hot_folder signature",
    "detections": "id job_id image_path label score x0 y0 x1 y1",
    "image_words": "what word image_id",
    "gpu_samples": "id at device job_id span_s utilisation_percent memory_used_mb memory_total_mb temperature_c "
    "power_w loaded",
    "models": "name family path sha256 bytes licence trigger_words",
}
"""The public columns."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


def test_a_fresh_catalog_has_every_public_table_and_column(path: Path) -> None:
    Catalog(path).close()
    with store.reading(path) as catalog:
        for table, columns in TABLES.items():
            found = {row["name"] for row in catalog.rows(f"pragma table_info({table})")}
            assert set(columns.split()) <= found, table
        assert catalog.row("pragma user_version") == {"user_version": len(schema.MIGRATIONS)}
        assert catalog.row("pragma journal_mode") == {"journal_mode": "wal"}


def test_opening_it_again_changes_nothing(path: Path) -> None:
    Catalog(path).close()
    before = sqlite3.connect(path).execute("select sql from sqlite_master order by name").fetchall()
    Catalog(path).close()
    assert sqlite3.connect(path).execute("select sql from sqlite_master order by name").fetchall() == before


def test_a_catalog_from_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    Catalog(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma user_version = {len(schema.MIGRATIONS) + 1}")
    with pytest.raises(ConfigError, match=r"version \d+; this hotfolder knows versions up to \d+"):
        Catalog(path)
    assert sqlite3.connect(path).execute("pragma user_version").fetchone()[0] == len(schema.MIGRATIONS) + 1


def test_a_migration_that_breaks_leaves_the_catalog_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Catalog(path).close()
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, "create table extra(id); select nonsense();"])
    with pytest.raises(ConfigError, match="nonsense"):
        Catalog(path)
    monkeypatch.undo()
    Catalog(path).close()
    assert not sqlite3.connect(path).execute("select 1 from sqlite_master where name='extra'").fetchall()


def of_version(path: Path, version: int) -> sqlite3.Connection:
    """Make a catalog as the hotfolder of that version made it."""
    connection = sqlite3.connect(path)
    connection.executescript("".join(schema.MIGRATIONS[:version]) + f"pragma user_version = {version};")
    return connection


def test_a_catalog_of_version_2_keeps_its_rows_and_gets_what_is_new_of_them(path: Path, tmp_path: Path) -> None:
    with of_version(path, 2) as connection:
        connection.executescript("""
            insert into drops(id, hot_folder, name, state, files, created_at)
              values('d', 'night', 'n', 'done', '[]', '');
            insert into jobs(id, drop_id, state, kind, hot_folder, name, spec, planned, position, created_at)
              values(7, 'd', 'done', 'generate', 'night', 'n', '{}', '[]', 1, '');""")
        columns = "id, job_id, path, tags, loras, prompt, sha256, pixel_sha256, width, height, format, kind, created_at"
        connection.executemany(
            f"insert into images({columns}) values(?, ?, ?, ?, ?, ?, 's', 'p', 1, 1, 'png', 'generate', '2026')",
            [
                ("i1", 7, "outbox/1.png", 'sea, quoted "x"', '[{"name": "tarot", "weight": 1}]', "a lighthouse"),
                ("i2", None, "outbox/2.png", None, None, "a cottage"),
                ("i3", 7, "outbox/3.png", "sea", "no JSON at all", "a fox"),
            ],
        )
    before = connection.execute(f"select {columns} from images order by id").fetchall()
    connection.close()
    catalog = Catalog(path)
    assert [tuple(row.values()) for row in catalog.rows(f"select {columns} from images order by id")] == before
    assert catalog.rows("select id, hot_folder, signature from images order by id") == [
        {"id": "i1", "hot_folder": "night", "signature": None},
        {"id": "i2", "hot_folder": None, "signature": None},
        {"id": "i3", "hot_folder": "night", "signature": None},
    ]
    words = catalog.rows("select what, word, image_id from image_words order by what, image_id, word")
    assert [tuple(row.values()) for row in words] == [
        ("lora", "tarot", "i1"), ("tag", 'quoted "x"', "i1"), ("tag", "sea", "i1"), ("tag", "sea", "i3"),
    ]  # fmt: skip
    found = "select images.id from images_fts join images on images.rowid=images_fts.rowid where images_fts match ?"
    assert catalog.rows(found, "lighthouse") == [{"id": "i1"}]
    assert catalog.rows("insert into images_fts(images_fts) values('integrity-check')") == []
    Catalog(tmp_path / "fresh.db").close()
    tables = "select name, sql from sqlite_master where name not like 'sqlite_%' order by name"
    with store.reading(tmp_path / "fresh.db") as fresh:
        assert catalog.rows(tables) == fresh.rows(tables)


def test_what_is_no_catalog_is_said(path: Path) -> None:
    with pytest.raises(NothingYet, match="hotfolder run"), store.reading(path):
        pass
    sqlite3.connect(path).execute("vacuum")  # a catalog in the moment before its first table
    with pytest.raises(NothingYet), store.reading(path):
        pass
    path.write_bytes(b"this is no database" * 100)
    for use in (lambda: Catalog(path), lambda: store.reading(path).__enter__()):
        with pytest.raises(ConfigError, match="hotfolder rebuild"):
            use()


def test_a_transaction_is_all_or_nothing(path: Path) -> None:
    catalog = Catalog(path)
    with pytest.raises(ZeroDivisionError), catalog.transaction():
        catalog.rows("insert into models(name) values('half')")
        raise ZeroDivisionError
    assert catalog.rows("select * from models") == []
    with catalog.transaction():
        catalog.rows("insert into models(name) values('whole')")
    assert len(catalog.rows("select * from models")) == 1


def put(catalog: Catalog, number: int, **facts: object) -> None:
    known = {
        "id": f"i{number}", "pixel_sha256": "p", "width": 1, "height": 1, "format": "png", "kind": "generate", **facts,
    }  # fmt: skip
    output = {"path": f"outbox/{number}.png", "sha256": str(number), "job_id": None}
    with catalog.transaction():
        pictures.put_image(catalog, known, output, "2026-01-01T00:00:00.000Z")


def test_words_are_found_in_prompt_caption_and_tags_and_forgotten_with_their_row(path: Path) -> None:
    catalog = Catalog(path)
    put(catalog, 1, prompt="a lighthouse in a storm", tags=["night", "coast"])
    put(catalog, 2, prompt="a cottage", negative_prompt="people", caption="Haus mit Bäumen")

    def found(words: str) -> list[str]:
        sql = "select images.id from images_fts join images on images.rowid=images_fts.rowid where images_fts match ?"
        return [row["id"] for row in catalog.rows(sql, words)]

    assert found("lighthouse") == found("coast") == found("storm night") == ["i1"]
    assert found("people") == found("bäumen") == found("baumen") == ["i2"]
    assert found("a") == ["i1", "i2"]
    catalog.rows("update images set caption='a boat' where id='i2'")
    assert found("bäumen") == [] and found("boat") == ["i2"]
    catalog.rows("delete from images where id='i1'")
    assert found("lighthouse") == []
    assert catalog.rows("insert into images_fts(images_fts) values('integrity-check')") == []


def test_large_seeds_keep_every_digit(path: Path) -> None:
    catalog = Catalog(path)
    put(catalog, 1, seed=2**64 - 1)
    assert catalog.row("select seed from images") == {"seed": "18446744073709551615"}


READER = """
import sqlite3, sys
rounds = 0
while rounds < 300 or not sqlite3.connect(sys.argv[1]).execute("select 1 from models where name='end'").fetchone():
    connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    count, highest = connection.execute("select count(*), max(cast(substr(id, 2) as integer)) from images").fetchone()
    assert highest is None or highest == count, (count, highest)
    connection.execute("select * from images_fts where images_fts match 'picture'").fetchall()
    connection.close()
    rounds += 1
print(rounds)
"""


def test_a_reader_is_never_shut_out_nor_shown_half_a_transaction(path: Path) -> None:
    """As Datasette reads: another process, read-only, with the patience that SQLite has by default."""
    catalog = Catalog(path)
    command = [sys.executable, "-c", READER, str(path)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for number in range(1, 300):
        put(catalog, number, prompt=f"picture {number}")
        if number % 50 == 0:
            catalog.connection.execute("pragma wal_checkpoint(passive)")
    catalog.rows("insert into models(name) values('end')")
    for reader in readers:
        said, errors = reader.communicate(timeout=150)
        assert reader.returncode == 0, errors.decode()
        assert int(said) >= 300


KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript("pragma cache_size=1; begin; create table jobs(text)")
connection.execute("insert into jobs values(?)", ("x" * 100_000,))  # more than may wait in memory
os._exit(9)
"""


def test_a_catalog_whose_making_was_killed_is_none_yet(path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert path.with_name(f"{path.name}-journal").stat().st_size
    with pytest.raises(NothingYet), store.reading(path):
        pass
    Catalog(path).close()
    with store.reading(path) as catalog:
        assert catalog.rows("select * from jobs") == []
