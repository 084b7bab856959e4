"""The commands: sentences and exit codes, on fresh, used and broken workspaces; in this process where that is fair."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import yaml

from hotfolder import cli, miniatures
from hotfolder import workspace as places
from hotfolder.capabilities import CAPABILITIES
from hotfolder.capabilities.base import Recipe
from hotfolder.catalog import store
from tests.service.living import ROOT, Living, picture

COMMANDS = (
    "init run stop status check schema pause resume cancel retry models browse doctor verify rebuild demo".split()
)  # fmt: skip


@dataclass
class Said:
    code: int
    out: str
    err: str


class Command:
    """Runs commands in this process, on one workspace."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._monkeypatch, self._capsys = root, monkeypatch, capsys

    def __call__(self, *words: str) -> Said:
        self._monkeypatch.setattr(sys, "argv", ["hotfolder", "--workspace", str(self.root), *words])
        self._capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        return Said(code, captured.out, captured.err)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    command = Command(tmp_path / "w", monkeypatch, capsys)
    assert command("init", str(tmp_path / "w")).code == 0
    return command


@pytest.fixture(scope="module")
def used_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = Living(tmp_path_factory.mktemp("cli") / "w")
    one.drop("upscale/good.png", picture())
    one.drop("upscale/bad \x1b[31m.png", b"nothing")
    one.drop("generate/waits.yaml", "seed: 1\n")
    (one.workspace.inbox / "upscale" / "notes.docx").write_bytes(b"?")
    assert one.once().returncode == 1
    return one.root


@pytest.fixture
def used(
    used_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    shutil.copytree(used_once, tmp_path / "w")
    return Command(tmp_path / "w", monkeypatch, capsys)


def is_a_sentence(said: Said) -> bool:
    """One line that begins with the program's name and is no Python."""
    return said.err.startswith("hotfolder: ") and said.err.count("\n") == 1 and "Error" not in said.err


def test_every_command_is_in_the_help_with_one_line_of_its_own(fresh: Command) -> None:
    said = fresh("--help")
    assert said.code == 0
    table = said.out.partition("Commands:\n")[2]
    listed = [line.split()[0] for line in table.splitlines() if line[2:3].isalpha()]
    assert listed == sorted(COMMANDS)
    assert "..." not in table, "no sentence is cut off"
    for name in COMMANDS:
        one = fresh(name, "--help")
        assert one.code == 0 and "Usage:" in one.out


def test_python_m_works_and_knows_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hotfolder", "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "version 0." in done.stdout


@pytest.mark.parametrize("words", [["frobnicate"], ["cancel"], ["check", "nowhere.yaml"], ["run", "-x"]])
def test_wrong_use_is_code_2_with_a_word_of_help(fresh: Command, words: list[str]) -> None:
    said = fresh(*words)
    assert said.code == 2
    assert "Usage:" in said.err and "Error:" in said.err


@pytest.mark.parametrize("words", [["status"], ["run", "--once"], ["pause"], ["verify"], ["rebuild"], ["stop"]])
def test_where_there_is_no_workspace_the_way_to_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    said = Command(tmp_path, monkeypatch, capsys)(*words)
    assert said.code == 2 and is_a_sentence(said)
    assert "is not a workspace" in said.err and "hotfolder init" in said.err
    assert os.listdir(tmp_path) == [], "and nothing was made there"


def test_init_makes_the_folders_and_keeps_what_is_there(fresh: Command) -> None:
    for folder in ("inbox/generate", "inbox/upscale", "outbox", "done", "failed", "jobs", "profiles", "wildcards",
                   "models/checkpoints", "models/loras"):  # fmt: skip
        assert (fresh.root / folder).is_dir()
    assert (fresh.root / ".hotfolder").stat().st_mode & 0o777 == 0o700
    assert {path.name for path in (fresh.root / "jobs").iterdir()} >= {"generate.yaml", "upscale.yaml"}
    (fresh.root / "hotfolder.yaml").write_text("settle_s: 2\n")
    (fresh.root / "jobs" / "upscale.yaml").write_text("mine")
    assert fresh("init", str(fresh.root)).code == 0
    assert (fresh.root / "hotfolder.yaml").read_text() == "settle_s: 2\n"
    assert (fresh.root / "jobs" / "upscale.yaml").read_text() == "mine"


def test_init_where_a_file_lies_is_a_sentence(fresh: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    said = fresh("init", str(tmp_path / "file"))
    assert said.code == 2 and is_a_sentence(said) and "file" in said.err


def test_init_names_a_command_that_a_shell_understands(fresh: Command, tmp_path: Path) -> None:
    said = fresh("init", str(tmp_path / "my pictures"))
    assert said.out.strip().endswith(f"hotfolder --workspace '{tmp_path}/my pictures' run")


def test_status_of_a_fresh_workspace(fresh: Command) -> None:
    said = fresh("status")
    assert said.code == 0
    assert "not running" in said.out and "none yet" in said.out
    assert json.loads(fresh("status", "--json").out)["counts"] == {}


def test_status_of_a_used_workspace_names_what_waits_and_failed_and_why(used: Command) -> None:
    said = used("status")
    assert said.code == 0
    assert "1 waiting, 1 done, 1 failed" in said.out
    text = " ".join(said.out.split())
    assert "needs a prompt" in text and "not a picture" in text and "notes.docx" in text
    assert "\x1b[31m" not in said.out, "what a file is called cannot colour the terminal"
    found = json.loads(used("status", "--json").out)
    assert found["running"] is False and found["counts"] == {"waiting": 1, "done": 1, "failed": 1}
    assert {"progress", "eta_s", "paused", "queued", "waiting", "failed", "profile"} <= found.keys()


def test_status_says_when_the_miniatures_draw(fresh: Command) -> None:
    assert "miniature" in fresh("--profile", "miniature", "status").out


@pytest.mark.parametrize("words", [["status"], ["verify"], ["cancel", "1"], ["run", "--once"]])
def test_a_broken_catalog_is_said_with_what_mends_it(used: Command, words: list[str]) -> None:
    (used.root / "catalog.db").write_bytes(b"\xff" * 9000)
    said = used(*words)
    assert said.code == 2 and is_a_sentence(said)
    assert "hotfolder rebuild" in said.err
    assert used("rebuild").code == 0
    assert used("verify").code == 0


def test_a_broken_settings_file_is_named_with_its_line(used: Command) -> None:
    (used.root / "hotfolder.yaml").write_text("settle_s: 1\nrescan: 3\n")
    said = used("status")
    assert said.code == 2 and is_a_sentence(said)
    assert "hotfolder.yaml, line 2: unknown key `rescan`; did you mean `rescan_s`?" in said.err


def test_a_missing_inbox_is_a_sentence(used: Command) -> None:
    shutil.rmtree(used.root / "inbox")
    for words in (["run", "--once"], ["pause"], ["resume"]):
        said = used(*words)
        assert said.code == 2 and is_a_sentence(said) and "inbox" in said.err
    assert used("status").code == 0


def test_words_left_by_a_power_cut_do_not_disturb(used: Command) -> None:
    (used.root / ".hotfolder" / "now.json").write_bytes(b"\0" * 100)
    (used.root / ".hotfolder" / "control" / "0-x.json").write_bytes(b"{}")
    (used.root / ".hotfolder" / "control" / "1-x.json").write_bytes(b"")
    assert used("status").code == 0
    assert used("run", "--once").code == 0
    assert not list((used.root / ".hotfolder" / "control").iterdir())


def test_check_prints_the_resolved_job_or_every_problem(fresh: Command, tmp_path: Path) -> None:
    good = fresh.root / "inbox" / "upscale" / "x.yaml"
    good.write_text("image: a.png\nfactor: 2.0\nout_format: webp\n".replace("out_format", "output_format"))
    said = fresh("check", str(good))
    assert said.code == 0
    assert yaml.safe_load(said.out) == {"kind": "upscale", "image": "a.png", "factor": 2, "format": "webp"}
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: generate\nprompt: x\nsteps: many\nsead: 3\n")
    said = fresh("check", str(bad))
    assert said.code == 1
    assert "line 3" in said.err and "line 4" in said.err and "`seed`" in said.err


def test_check_says_what_a_job_would_wait_for_and_what_can_never_run(fresh: Command, tmp_path: Path) -> None:
    job = tmp_path / "a.yaml"
    job.write_text("kind: generate\nprofile: miniature\nprompt: x\nloras: [tarot]\n")
    said = fresh("check", str(job))
    assert said.code == 0 and "# as things are: waits for the LoRA `tarot`" in said.out
    job.write_text("kind: generate\nprompt: x\nmodel: sdxl\n")
    said = fresh("check", str(job))
    assert said.code == 1 and "no model `sdxl` for generate" in said.err


def test_schema_is_a_schema_that_takes_the_examples(fresh: Command) -> None:
    schema = json.loads(fresh("schema").out)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    for example in (fresh.root / "jobs").glob("*.yaml"):
        validator(schema).validate(yaml.safe_load(example.read_text()))
    with pytest.raises(jsonschema.ValidationError):
        validator(schema).validate({"kind": "upscale", "factor": "many"})


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m hotfolder schema | head -n 1", shell=True, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "{\n" and done.stderr == ""


def test_pause_and_resume_take_all_spellings(fresh: Command) -> None:
    assert fresh("pause").code == 0
    assert (fresh.root / "inbox" / "PAUSE").exists()
    (fresh.root / "inbox" / "Pause.TXT").touch()
    assert fresh("resume").code == 0
    assert not [path for path in (fresh.root / "inbox").iterdir() if path.is_file()]
    assert fresh("resume").code == 0


def test_cancel_and_retry_refuse_what_cannot_be(used: Command) -> None:
    for words, says in [
        (["cancel", "99"], "there is no such job"),
        (["cancel", "1", "2", "3"], "cannot cancel job"),
        (["retry", "99"], "there is no such job"),
        (["cancel", "1", "no-such-file.txt"], "no such file was dropped"),
        (["cancel", "9" * 40], "no such file was dropped"),
    ]:
        said = used(*words)
        assert said.code == 2 and is_a_sentence(said) and says in said.err
    assert not list((used.root / ".hotfolder" / "control").iterdir()), "all or nothing"


def test_stop_where_nothing_runs(used: Command) -> None:
    said = used("stop")
    assert said.code == 2 and is_a_sentence(said) and "no hotfolder runs" in said.err


def test_verify_and_rebuild_of_a_used_workspace(used: Command) -> None:
    assert used("verify").out == "Files and catalog agree.\n"
    said = used("rebuild")
    assert said.out == "The catalog has 1 picture and 2 dropped files again.\n"
    (used.root / "outbox" / "my-own.png").write_bytes(picture())
    assert used("verify").code == 0, "what hotfolder did not make is the user's business"
    with contextlib.closing(sqlite3.connect(used.root / "catalog.db")) as catalog, catalog:
        catalog.execute("delete from images")
    said = used("verify")
    assert said.code == 1 and "is not in the catalog" in said.out


def test_verify_before_the_first_run_says_so(fresh: Command) -> None:
    said = fresh("verify")
    assert said.code == 2 and is_a_sentence(said) and "nothing here yet" in said.err


def test_doctor_ends_in_0_or_1_and_gives_a_line_for_each_finding(used: Command) -> None:
    said = used("doctor")
    assert said.code in (0, 1)
    assert len(said.out.splitlines()) >= 5
    assert (said.code == 1) == any(line.startswith("BAD") for line in said.out.splitlines())


def test_an_unforeseen_error_is_a_sentence_and_verbose_shows_where(
    fresh: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> None:
        raise RuntimeError("the unthinkable")

    monkeypatch.setattr(places, "open_workspace", fail)
    said = fresh("status")
    assert said.code == 2
    assert "the unthinkable" in said.err and "--verbose" in said.err
    with pytest.raises(RuntimeError, match="the unthinkable"):
        fresh("--verbose", "status")


def test_the_environment_names_the_workspace_too(fresh: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hotfolder", "status"], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env=os.environ | {"HOTFOLDER_WORKSPACE": str(fresh.root), "HOTFOLDER_PROFILE": "miniature"},
    )  # fmt: skip
    assert done.returncode == 0 and "profile miniature" in done.stdout


def _has_miniatures() -> bool:
    try:
        return miniatures.path("flux1-schnell").is_dir()
    except (LookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(not _has_miniatures(), reason="the miniatures' weights are not there")
def test_demo_makes_a_picture_of_each_kind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hotfolder", "demo", str(tmp_path / "show")], cwd=ROOT, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with store.reading(tmp_path / "show" / "catalog.db") as catalog:
        done_kinds = {row["kind"] for row in catalog.rows("select kind from jobs where state='done'")}
        assert catalog.rows("select * from jobs where state!='done'") == []
        steps = catalog.rows("select kind from jobs where name like 'chain%' order by id")
    unfolded = {kind for kind in CAPABILITIES if issubclass(CAPABILITIES[kind], Recipe)}
    assert done_kinds == set(CAPABILITIES) - unfolded
    assert [row["kind"] for row in steps] == ["generate", "mask", "inpaint"]
    folders = {path.parent.parent.name for path in (tmp_path / "show" / "outbox").rglob("*.png")}
    assert folders >= unfolded
    assert f"{tmp_path}/show" in done.stdout and "browse" in done.stdout
    assert "failed" not in done.stdout and "waits" not in done.stdout
