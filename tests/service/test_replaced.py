"""A workspace that is moved away under a service, or gets another catalog: nothing is taken by who has lost it."""

import os
import signal
import sqlite3

from tests.service.living import Living, hotfolder, picture, poll

LANCZOS = "model: lanczos\nfactor: 2\n"


def test_who_starts_anew_at_the_same_place_shares_nothing_with_the_old_service(place: Living) -> None:
    place.start()
    worker = place.freeze()
    place.drop("upscale/folder.yaml", LANCZOS)
    place.drop("upscale/under-way.png", picture())
    place.job("under-way", "running")
    assert place.process
    old, moved = place.process, place.root.with_name("moved")
    os.kill(old.pid, signal.SIGSTOP)
    place.root.rename(moved)
    anew = Living(place.root)
    dropped = anew.drop("upscale/anew.png", picture())
    anew.start()
    try:
        os.kill(old.pid, signal.SIGCONT)
        assert old.wait(120) == 2
        told = " ".join((moved / "told.txt").read_text().split())
        assert f"{place.workspace.catalog} was moved, deleted or replaced while hotfolder ran" in told
        assert "Traceback" not in told
        poll(lambda: not os.path.exists(f"/proc/{worker}/stat"), "end of its worker")
        assert anew.job("anew")["state"] == "done"
        assert not dropped.exists() and anew.filed("anew.png", "done")
        assert anew.status().running, "its own mark is still there"
    finally:
        assert anew.end() == 0
    assert [row["name"] for row in anew.rows("select name from jobs")] == ["anew"]
    went_on = hotfolder(moved, "run", "--once")
    assert went_on.returncode == 0, went_on.stdout
    with sqlite3.connect(moved / "catalog.db") as catalog:
        found = dict(catalog.execute("select name, state from jobs"))
    assert found == {"first1": "done", "under-way": "done"}


def test_a_catalog_that_is_put_in_place_of_another_stops_the_service(place: Living) -> None:
    place.start()
    place.drop("upscale/one.png", picture())
    place.job("one", "done")
    copy = place.root / "copy.db"
    with sqlite3.connect(copy) as to, sqlite3.connect(place.workspace.catalog) as now:
        now.backup(to)
    copy.replace(place.workspace.catalog)
    place.drop("upscale/two.png", picture())
    assert place.process and place.process.wait(120) == 2
    assert (place.workspace.inbox / "upscale" / "two.png").exists(), "it is left for the next start"
    assert place.once().returncode == 0
    assert [row["state"] for row in place.rows("select state from jobs order by id")] == ["done", "done"]
