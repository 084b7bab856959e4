"""The command's own part: which port, which address, what it says when it cannot."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from hotfolder.browse import serve, sites
from hotfolder.catalog.schema import migrate
from hotfolder.errors import ConfigError
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace

PROGRAM = """
import sys
from pathlib import Path
from hotfolder.browse.serve import serve
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace
serve(Workspace(Path(sys.argv[1]), Settings()), port=int(sys.argv[2]))
"""


def test_no_catalog_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing here yet"):
        serve.make(Workspace(tmp_path, Settings()))


def test_another_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(ConfigError, match="cannot be read as a hotfolder catalog"):
        serve.make(Workspace(tmp_path, Settings()))
    (tmp_path / "catalog.db").unlink()
    other = sqlite3.connect(tmp_path / "catalog.db")
    other.execute("create table recipes(id)")
    other.close()
    with pytest.raises(ConfigError, match="no such table: images"):
        serve.make(Workspace(tmp_path, Settings()))


@pytest.mark.parametrize("name", ["a #1", "what?" if sys.platform != "win32" else "what", "100% %20", "ü & x"])
def test_a_folder_with_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    catalog = tmp_path / name / "catalog.db"
    connection = sqlite3.connect(catalog)
    migrate(connection)
    connection.execute("insert into models(name) values ('one')")
    connection.commit()
    connection.close()
    application = serve.make(Workspace(tmp_path / name, Settings()))
    assert asyncio.run(application.client.get("/catalog/models.json?_shape=array")).json()[0]["name"] == "one"
    assert [path.name for path in tmp_path.iterdir()] == [name], "no file beside it was opened by mistake"
    with pytest.raises(sqlite3.OperationalError, match="reading only"):
        application.get_database("catalog").connect(write=True)
    for database in application.databases.values():
        database.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com"])
def test_only_this_machine(host: str) -> None:
    with pytest.raises(ConfigError, match="this machine only"):
        serve.listen(host, 8001)


def test_a_busy_port_gives_the_next() -> None:
    with serve.listen("127.0.0.1", 20000) as first:
        port = first.getsockname()[1]
        with serve.listen("127.0.0.1", port) as second:
            assert second.getsockname()[1] > port


def test_a_plain_datasette_finds_the_workspace(workplace: Any) -> None:
    from datasette.app import Datasette

    for settings, outbox in (
        (None, workplace.root / "outbox"),
        ("outbox: ../nas\n", workplace.root.parent / "nas"),
        ("unreadable", workplace.root / "outbox"),
    ):
        if settings:
            (workplace.root / "hotfolder.yaml").write_text(settings)
        plain = Datasette([str(workplace.root / "catalog.db")])
        site = sites.of(plain)
        assert site
        assert (site.workspace.root, site.workspace.outbox, site.database) == (workplace.root, outbox, "catalog")
        assert not site.review
        for database in plain.databases.values():
            database.close()


def test_other_databases_are_left_alone(workplace: Any, tmp_path: Path) -> None:
    from datasette.app import Datasette

    connection = sqlite3.connect(tmp_path / "recipes.db")
    connection.execute("create table images(id text primary key, path text)")
    connection.execute("insert into images values ('soup', 'outbox/soup.png')")
    connection.commit()
    connection.close()
    other = Datasette([str(tmp_path / "recipes.db")])
    assert sites.of(other) is None
    answer = asyncio.run(other.client.get("/recipes/images", headers={"host": "kitchen.example"}))
    assert answer.status_code == 200
    assert "content-security-policy" not in answer.headers
    assert "hotfolder" not in answer.text
    assert asyncio.run(other.client.get("/-/hotfolder/file/soup")).status_code == 404
    for database in other.databases.values():
        database.close()


@pytest.mark.skipif(sys.platform == "win32", reason="a child process cannot be sent Ctrl-C alone there")
def test_a_real_server_answers_refuses_and_stops_quietly(workplace: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(workplace.root), str(busy)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            assert child.stdout is not None
            assert child.stdout.readline().startswith(f"Port {busy} is in use; taking ")
            address = child.stdout.readline().split()[4]
            with urllib.request.urlopen(f"{address}catalog/images", timeout=120) as answer:
                assert b"/-/hotfolder/thumb/knight1" in answer.read()
                assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            with urllib.request.urlopen(f"{address}-/hotfolder/thumb/knight1", timeout=120) as answer:
                assert answer.headers["content-type"] == "image/webp"
            for host in ("attacker.example", f"localhost:{busy}"):
                forged = urllib.request.Request(f"{address}catalog/images", headers={"Host": host})
                with pytest.raises(urllib.error.HTTPError, match="403"):
                    urllib.request.urlopen(forged, timeout=120)
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 0
    assert errors == ""
