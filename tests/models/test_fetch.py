"""Fetching weights: whole, resumed, refused, each failure with its sentence. The hub is a server of this test's own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hotfolder.errors import NotYet
from hotfolder.models import download, fetch, hub
from hotfolder.models.entries import ModelEntry
from tests.models import hubserver
from tests.models.conftest import CONFIG, REPO, WEIGHTS
from tests.models.hubserver import COMMIT, Hub

ENTRY = ModelEntry(name="blip-large", family="blip", licence="BSD-3-Clause", repo=REPO, files=("*.json", "m*.bin"))


class Watched:
    """Fetches an entry and notes what was said and how long was rested."""

    def __init__(self) -> None:
        self.said: list[tuple[int, int]] = []
        self.rests: list[float] = []

    def fetch(self, entry: ModelEntry = ENTRY, limit_bytes: int | None = None) -> Path:
        return fetch.fetch(entry, lambda done, of: self.said.append((done, of)), limit_bytes, self.rests.append)


def fails(act: Callable[[], object], *words: str) -> None:
    with pytest.raises(NotYet) as caught:
        act()
    for word in words:
        assert word in str(caught.value)


def weights_part() -> Path:
    return hub.storage(REPO) / "blobs" / f"{hubserver.digest(WEIGHTS)}.part"


def test_the_wanted_files_come_as_the_hubs_own_library_expects_them(server: Hub) -> None:
    from huggingface_hub import hf_hub_download, scan_cache_dir

    watched = Watched()
    snapshot = watched.fetch()
    assert (snapshot / "model.bin").read_bytes() == WEIGHTS
    assert not (snapshot / "twice.bin").exists()
    asked = len(server.asked)
    for name, content in (("config.json", CONFIG), ("model.bin", WEIGHTS)):
        found = hf_hub_download(REPO, name, cache_dir=hub.cache(), local_files_only=True)
        assert Path(found).read_bytes() == content
    (repo,) = scan_cache_dir(hub.cache()).repos
    assert (repo.repo_id, repo.size_on_disk) == (REPO, len(CONFIG) + len(WEIGHTS))
    watched.fetch()
    assert len(server.asked) == asked + 1, "what is here is not asked for again, but for the list"
    assert watched.said[-1] == (len(CONFIG) + len(WEIGHTS),) * 2
    assert [done for done, _ in watched.said] == sorted(done for done, _ in watched.said)


def test_a_broken_connection_goes_on_where_it_broke(server: Hub) -> None:
    server.drops = [1_000_000, 700_000]
    watched = Watched()
    snapshot = watched.fetch()
    assert (snapshot / "model.bin").read_bytes() == WEIGHTS
    assert server.sent[hubserver.digest(WEIGHTS)] == len(WEIGHTS)
    assert watched.rests == [1.0, 1.0]


def test_the_next_process_goes_on_with_what_a_killed_one_left(server: Hub) -> None:
    part = weights_part()
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS[:2_000_000])
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS
    assert server.sent[hubserver.digest(WEIGHTS)] == 1_000_000


@pytest.mark.parametrize("left", [WEIGHTS[:-1] + b"x", WEIGHTS + b"more"])
def test_what_is_not_the_file_is_thrown_away_and_begun_anew(server: Hub, left: bytes) -> None:
    part = weights_part()
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    fails(Watched().fetch, "not that file", "thrown away")
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS


def test_a_shorter_file_at_the_server_is_begun_anew(server: Hub) -> None:
    part = weights_part()
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS[:2_000_000])
    server.lies = {hubserver.digest(WEIGHTS): WEIGHTS[:1_500_000]}
    fails(Watched().fetch, "people/model/model.bin cannot be fetched", "416")
    server.lies = {}
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS


def test_a_server_without_ranges_sends_all_again(server: Hub) -> None:
    server.no_ranges, server.drops = True, [1_000_000]
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS


def test_a_line_that_gives_nothing_is_given_up_with_what_came_kept(server: Hub) -> None:
    server.drops = [1_000_000] + [0] * download.TRIES
    watched = Watched()
    fails(watched.fetch, "people/model/model.bin cannot be fetched", "broke")
    assert weights_part().read_bytes() == WEIGHTS[:1_000_000]
    assert watched.rests == sorted(watched.rests)
    assert len(watched.rests) == download.TRIES


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_hub_in_trouble_is_asked_again(server: Hub, status: int) -> None:
    server.answers = {"/api/": [status], "/cdn/": [status]}
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS
    server.answers = {"/api/": [status] * 100}
    fails(Watched().fetch, f"127.0.0.1 is in trouble (HTTP {status})")


def test_a_hub_that_is_not_there(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    watched = Watched()
    fails(watched.fetch, "blip-large cannot be fetched: 127.0.0.1:9 does not answer; is there a network? (ConnectError")
    assert not watched.rests, "a moment does not mend that"


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "does not know you"), (403, "does not let you"), (404, "not at"), (416, "HTTP 416"), (418, "HTTP 418")],
)
@pytest.mark.parametrize("where", ["/api/", f"/{REPO}/resolve/", "/cdn/"])
def test_every_refusal_has_its_sentence(server: Hub, where: str, status: int, words: str) -> None:
    server.answers = {where: [status] * 10}
    fails(Watched().fetch, "blip-large" if where == "/api/" else REPO, "cannot be fetched", words)
    assert not weights_part().exists() or weights_part().stat().st_size == 0


@pytest.mark.parametrize("where", ["/api/", f"/{REPO}/resolve/{COMMIT}/config", "/cdn/"])
def test_a_web_page_is_not_taken_for_weights(server: Hub, where: str) -> None:
    server.answers = {where: [200]}
    fails(Watched().fetch, "a web page came instead of")
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS


def test_a_gated_repository_says_what_to_accept_and_how_to_log_in(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    server.gated = {REPO}
    wanted = f"accept the licence at {server.endpoint}/{REPO}", "hf auth login", "HF_TOKEN"
    fails(Watched().fetch, *wanted)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    fails(Watched().fetch, *wanted)
    monkeypatch.setenv("HF_TOKEN", server.token)
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS
    told = {path for path, _, token in server.asked if token == f"Bearer {server.token}"}
    assert told, "the token went to the hub"
    assert not any(path.startswith("/cdn/") for path in told), "and to nobody else"


def test_a_file_that_is_not_there_any_more(server: Hub) -> None:
    entry = ENTRY.model_copy(update={"files": ("config.json", "other.bin")})
    fails(lambda: Watched().fetch(entry), "other.bin is not at", REPO)
    fails(
        lambda: Watched().fetch(ENTRY.model_copy(update={"repo": "people/none"})),
        "blip-large cannot be fetched",
        "people/none",
    )


def test_another_content_than_the_registry_knows_is_refused(server: Hub) -> None:
    entry = ENTRY.model_copy(update={"sha256": {"model.bin": "0" * 64}})
    fails(lambda: Watched().fetch(entry), "model.bin is another file")
    assert not server.sent


def test_what_is_larger_than_the_limit_is_not_begun(server: Hub) -> None:
    fails(lambda: Watched().fetch(limit_bytes=1_000_000), "3.0 MB", "hotfolder models pull blip-large")
    assert not server.sent


def test_a_disk_without_room_is_noticed_before_fetching(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    free = len(CONFIG) + len(WEIGHTS) - 100 + fetch.ROOM_TO_SPARE
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda place: usage)
    fails(Watched().fetch, "has no room for blip-large: 3.0 MB are still to come", "models prune", "HF_HOME")
    weights_part().parent.mkdir(parents=True)
    weights_part().write_bytes(WEIGHTS[:100])
    usage.free -= len(CONFIG)
    fails(Watched().fetch, "has no room")
    usage.free += len(CONFIG)
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS, "what is here needs no room"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_while_fetching_keeps_what_came(server: Hub) -> None:
    server.drops = [1_000_000] + [0] * download.TRIES
    fails(Watched().fetch, "broke")
    kept = weights_part().rename(weights_part().with_suffix(".kept"))
    weights_part().symlink_to("/dev/full")
    fails(Watched().fetch, "no room for blip-large", "what has come is kept")
    weights_part().unlink()
    kept.rename(weights_part())
    assert (Watched().fetch() / "model.bin").read_bytes() == WEIGHTS


def test_a_folder_that_may_not_be_written_has_a_sentence(server: Hub) -> None:
    hub.storage(REPO).parent.mkdir(parents=True)
    hub.storage(REPO).write_bytes(b"a file in the way")
    fails(Watched().fetch, "blip-large cannot be fetched", str(hub.storage(REPO)))


def test_two_never_fetch_the_same(server: Hub) -> None:
    with fetch.alone(ENTRY):
        fails(Watched().fetch, "is being fetched by another")
    assert not server.asked


def test_content_that_another_model_brought_is_not_fetched_again(server: Hub) -> None:
    server.repos["people/other"] = {"config.json": b"{}", "model.bin": WEIGHTS}
    Watched().fetch()
    server.sent.clear()
    other = Watched().fetch(ENTRY.model_copy(update={"repo": "people/other"}))
    assert os.path.samefile(other / "model.bin", hub.storage(REPO) / "snapshots" / COMMIT / "model.bin")
    assert sum(server.sent.values()) == len(b"{}")


def test_where_links_are_refused_the_bytes_lie_in_the_snapshot(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **more: object) -> None:
        raise OSError(1314, "a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    snapshot = Watched().fetch()
    assert (snapshot / "model.bin").read_bytes() == WEIGHTS
    assert not list((hub.storage(REPO) / "blobs").iterdir())
    server.sent.clear()
    Watched().fetch()
    assert not server.sent
