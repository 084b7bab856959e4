"""The command's own part: which port, which address, what it says when it cannot."""

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from hotfolder.browse import ports, serve, sites
from hotfolder.catalog.schema import MIGRATIONS, migrate
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
        ports.listen(host, 8001)


def test_a_busy_port_gives_the_next() -> None:
    with ports.listen("127.0.0.1", 20000) as first:
        port = first.getsockname()[1]
        with ports.listen("127.0.0.1", port) as second:
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
            said = child.stdout.readline()
            user = f"used by process {os.getpid()} (" if sys.platform == "linux" else "not free; taking "
            assert said.startswith(f"Port {busy} is {user}") and "; taking " in said
            gallery = child.stdout.readline().split()[4]
            address = gallery.removesuffix("-/hotfolder/gallery")
            assert gallery != address
            urllib.request.urlopen(gallery, timeout=120).close()
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


@pytest.mark.skipif(sys.platform == "win32", reason="a child process cannot be sent Ctrl-C alone there")
def test_ctrl_c_ends_it_at_once_with_pages_open_that_poll(workplace: Any) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("port=", "review=True, port="), str(workplace.root), "23000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    over = threading.Event()
    answered = threading.Semaphore(0)

    def open_page() -> None:
        connection = http.client.HTTPConnection(address.netloc, timeout=120)
        with contextlib.suppress(OSError, http.client.HTTPException):
            while not over.is_set():
                connection.request("GET", "/-/hotfolder/queue.json")
                connection.getresponse().read()
                answered.release()

    pages = [threading.Thread(target=open_page) for _ in range(6)]
    try:
        assert child.stdout is not None
        line = next(line for line in child.stdout if "/-/hotfolder/gallery" in line)  # that port may be taken
        address = urllib.parse.urlsplit(line.split()[4])
        assert child.stdout.readline().startswith("Its buttons write: ")
        urllib.request.urlopen(address.geturl(), timeout=120).close()
        for page in pages:
            page.start()
        for _ in range(12):
            assert answered.acquire(timeout=120)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=120)
        took_s = time.monotonic() - began
    finally:
        over.set()
        child.kill()
        for page in pages:
            if page.ident is not None:
                page.join()
    assert (child.returncode, errors) == (0, "")
    assert took_s < 40, "a second, and what a slow machine adds"


@pytest.mark.parametrize("version", [0, 1, len(MIGRATIONS) - 1])
def test_an_earlier_catalog_is_a_sentence_and_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    (tmp_path / ".hotfolder").mkdir()
    connection = sqlite3.connect(tmp_path / "catalog.db")
    for script in MIGRATIONS[: max(1, version)]:
        connection.executescript(script)
    connection.execute(f"pragma user_version = {version}")
    connection.commit()
    with pytest.raises(ConfigError, match=rf"is of an earlier hotfolder \(its version is {version}, .*`hotfolder run`"):
        serve.make(Workspace(tmp_path, Settings()))
    _refuses_pages(tmp_path, "earlier hotfolder")
    if version:
        migrate(connection)  # what the service does when it starts
        serve.make(Workspace(tmp_path, Settings())).get_database("catalog").close()
    connection.close()


def test_a_newer_catalog_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".hotfolder").mkdir()
    connection = sqlite3.connect(tmp_path / "catalog.db")
    migrate(connection)
    connection.execute("pragma user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match=r"by a newer hotfolder .* update this one"):
        serve.make(Workspace(tmp_path, Settings()))
    _refuses_pages(tmp_path, "newer hotfolder")


def _refuses_pages(root: Path, words: str) -> None:
    """A plain Datasette still shows the tables of such a catalog; our own pages say why they do not."""
    from datasette.app import Datasette

    plain = Datasette([str(root / "catalog.db")])
    for path in ("gallery", "queue", "picture/a", "job/1", "compare"):
        answer = asyncio.run(plain.client.get(f"/-/hotfolder/{path}"))
        assert answer.status_code == 503 and words in answer.text, path
    assert asyncio.run(plain.client.get("/catalog/jobs")).status_code == 200
    assert asyncio.run(plain.client.get("/", headers={"host": "attacker.example"})).status_code == 403
    for database in plain.databases.values():
        database.close()


def test_the_process_that_has_a_port_is_named() -> None:
    with ports.listen("127.0.0.1", 24000) as listener:
        port = listener.getsockname()[1]
        found = ports.holder(port)
    if sys.platform == "linux":
        assert found and found.startswith(f"process {os.getpid()} (") and "python" in found
    assert ports.holder(port) is None, "nobody has it any more"


@pytest.mark.parametrize("port", [-1, 65536, 99999999])
def test_a_port_that_cannot_be_is_a_sentence(port: int) -> None:
    with pytest.raises(ConfigError, match="ports are numbers from 1 to 65535"):
        ports.listen("127.0.0.1", port)


def test_a_catalog_that_is_made_anew_is_shown_by_a_server_that_runs(workplace: Any) -> None:
    async def asked() -> set[int]:
        get = workplace.datasette.client.get
        answers = await asyncio.gather(*[get("/-/hotfolder/gallery.json") for _ in range(12)])
        return {len(answer.json()["pictures"]) for answer in answers}

    def shown() -> int:
        """Ask from all of the server's threads, those that have not answered anything yet too."""
        (number,) = asyncio.run(asked())
        return number

    before = len(workplace.get("/-/hotfolder/gallery.json").json()["pictures"])
    catalog = workplace.root / "catalog.db"
    for ending in ("", "-wal", "-shm"):
        catalog.with_name(f"catalog.db{ending}").rename(workplace.root / f"old{ending}")
    assert shown() == before, "until there is another"
    with contextlib.closing(sqlite3.connect(catalog)) as connection:
        connection.execute("create table half(made)")
        connection.commit()
        assert shown() == before
        connection.execute("drop table half")
        migrate(connection)
        assert shown() == 0 < before


def test_two_on_one_workspace_do_not_mind_each_other(workplace: Any) -> None:
    first, second = (serve.make(Workspace(workplace.root, Settings()), review=True) for _ in range(2))
    for application in (first, second, first):
        assert asyncio.run(application.client.get("/-/hotfolder/gallery")).status_code == 200
    for application in (first, second):
        application.get_database("catalog").close()
