"""Everything hostile at once: each file ends where it should, says why, and the queue goes on."""

import re
import unicodedata
from pathlib import Path

import pytest

from hotfolder import names, verify, yamlfile
from hotfolder.images import open_picture
from tests.hostile.aftermath import CASES, GOOD, Aftermath
from tests.hostile.case import Case
from tests.intake.bench import digest

MORE_MB = 100


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    return Aftermath(tmp_path_factory.mktemp("hostile")).drop().run()


def each(*ends: str) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if case.ends in ends]
    return pytest.mark.parametrize("case", chosen, ids=[case.id for case in chosen])


def raw_characters(text: str) -> list[str]:
    """Return what a terminal or an editor would obey instead of showing."""
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") and c != "\n"]


def test_the_corpus_is_large_and_no_case_hides_another() -> None:
    assert len(CASES) >= 250
    assert len({case.origin for case in CASES}) == len(CASES)
    assert {case.ends for case in CASES} == {"failed", "done", "waits", "ignored"}


@each("failed")
def test_what_is_broken_ends_in_failed_with_its_reason(case: Case, after: Aftermath) -> None:
    jobs = after.jobs_by_origin[case.origin]
    assert {job["state"] for job in jobs} == {"failed"}
    reason = after.reason_of(case)
    assert [part for part in case.says if part not in reason] == []
    written = _places_of(case, after, "failed/")
    text = Path(after.bench.root, written[0]).with_name(names.reason_name(Path(written[0]).name)).read_text()
    assert jobs[0]["error"] in text
    assert "move" in text.splitlines()[-1]
    assert any(names.display(Path(name.decode("utf-8", "surrogateescape")).name) in text for name in case.files)
    assert raw_characters(text) == []
    assert str(after.top) not in text.replace(str(after.outside), "")
    assert "Traceback" not in text
    assert "did not foresee" not in text


@each("done")
def test_what_is_only_odd_is_done(case: Case, after: Aftermath) -> None:
    assert [(job["state"], job["error"]) for job in after.jobs_by_origin[case.origin]] == [("done", None)]
    _places_of(case, after, "done/")
    assert digest(next(iter(case.files.values()))) in after.made_from


@each("waits")
def test_what_may_still_come_is_waited_for(case: Case, after: Aftermath) -> None:
    assert {job["state"] for job in after.jobs_by_origin[case.origin]} == {"waiting"}
    reason = after.reason_of(case)
    assert [part for part in case.says if part not in reason] == []
    assert raw_characters(reason) == []
    _places_of(case, after, "inbox/")


@each("ignored")
def test_what_is_nobodys_stays_and_makes_no_job(case: Case, after: Aftermath) -> None:
    assert after.jobs_by_origin.get(case.origin, []) == []
    _places_of(case, after, "inbox/")


def _places_of(case: Case, after: Aftermath, base: str) -> list[str]:
    """Return where the case's files lie; each lies there whole and under its own name, possibly numbered."""
    found = []
    for name, content in case.files.items():
        sha256 = digest(content.replace(b"OUTSIDE", str(after.outside).encode()))
        folder = base + case.folder.decode("utf-8", "surrogateescape") + "/"
        stem = Path(name.decode("utf-8", "surrogateescape")).name[:20]
        here = [place for place in after.places[sha256] if place.startswith(folder + stem)]
        assert here, f"{case.id}: {after.places[sha256]}"
        found.append(here[0])
    return found


def test_the_good_files_between_them_are_done(after: Aftermath) -> None:
    assert [name for name in GOOD if after.bench.states(name) != ["done"]] == []


def test_nothing_outside_the_workspace_was_touched_and_nothing_was_run(after: Aftermath) -> None:
    assert after.snapshot() == after.before
    assert sorted(path.name for path in after.cwd.iterdir()) == ["idle"]
    assert sorted(path.name for path in after.top.iterdir()) == ["cwd", "outside", "peak", "workspace"]
    assert not list(after.bench.root.rglob("owned"))
    assert not Path("/tmp/owned").exists()  # what the pickle in the corpus would make


def test_results_have_names_that_every_system_takes(after: Aftermath) -> None:
    outbox = after.bench.workspace.outbox
    paths = [path.relative_to(outbox) for path in outbox.rglob("*") if path.name != ".hotfolder-outbox"]
    assert len(paths) > 100
    for path in paths:
        stem = path.name.partition(".")[0] or path.name
        assert names.clean(stem) == stem, path
        assert not re.search(r'[<>:"|?*\\]', str(path)), path
        assert raw_characters(str(path)) == [], path
        assert len(path.name.encode()) <= 200
    assert len({names.name_key(str(path)) for path in paths}) == len(paths)


def test_results_are_whole_and_their_jobs_can_be_dropped_again(after: Aftermath) -> None:
    for path in after.bench.workspace.outbox.rglob("*.png"):
        open_picture(path, 10**9)
    jobs = list(after.bench.workspace.outbox.rglob("*.job.yaml"))
    assert len(jobs) >= sum(case.ends == "done" for case in CASES)
    for job in jobs:
        (document,) = yamlfile.parse(job.read_bytes(), job.name)
        assert document.values["kind"] == "upscale"


def test_what_the_commands_print_is_plain_text(after: Aftermath) -> None:
    assert after.code == 1
    for said in [
        after.said,
        *(after.command(after.bench.root, *words)[1] for words in (["status"], ["status", "--json"])),
    ]:
        assert "Traceback" not in said
        assert raw_characters(said) == []
    assert "bomb.png has 400 megapixels" in after.said


def test_files_and_catalog_agree(after: Aftermath) -> None:
    assert verify.verify(after.bench.workspace) == []


def test_the_service_held_little_memory(after: Aftermath) -> None:
    assert after.peak_mb - after.idle_mb < MORE_MB


def test_a_second_run_repeats_nothing(after: Aftermath) -> None:
    before = after.bench.rows("select id, state, attempts from jobs order by id")
    code, said, _ = after.command(after.bench.root, "run", "--once")
    assert code == 0, said
    assert after.bench.rows("select id, state, attempts from jobs order by id") == before
