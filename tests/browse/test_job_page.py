"""The page of one job says what becomes of it, and what it made."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hotfolder.settings import Settings
from hotfolder.workspace import Workspace, hold

DAY = "outbox/generate/2026-11-20"


def page(workplace: Any, job: object, code: int = 200) -> str:
    answer = workplace.get(f"/-/hotfolder/job/{job}")
    assert answer.status_code == code
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def told(workplace: Any, job: int) -> dict[str, Any]:
    answer = workplace.get(f"/-/hotfolder/job/{job}.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def is_live(workplace: Any, job: int) -> bool:
    return " data-live" in workplace.get(f"/-/hotfolder/job/{job}").text


def works(workplace: Any, **now: Any) -> None:
    """Let the service have said what it does now."""
    now = {"paused": None, "watcher": "events", "profile": "auto", "model": "", **now}
    (workplace.root / ".hotfolder/now.json").write_text(json.dumps(now))


@pytest.mark.parametrize("job", ["0", "99", "x", "", "-1", "1.0", "1e3", "9" * 30, "knight1", "1/2", "%00", "٣"])
def test_an_unknown_number_is_a_page_with_a_way_back(workplace: Any, job: str) -> None:
    assert "There is no job of this number" in page(workplace, job, 404)
    assert workplace.get(f"/-/hotfolder/job/{job}.json").status_code == 404


def test_a_failed_job_says_how_to_mend_it(workplace: Any) -> None:
    files = [{"role": "job", "name": "b.yaml", "origin": "generate/b.yaml", "path": "failed/generate/b.yaml"}]
    workplace.connection.execute(
        "update drops set state = 'failed', name = 'b.yaml', files = ? where id = 'd1'", (json.dumps(files),)
    )
    workplace.connection.commit()
    failed = workplace.root / "failed/generate"
    failed.mkdir(parents=True)
    (failed / "b.yaml").write_text("prompt: x")
    shown = page(workplace, 2)
    assert "It failed. no such mask name one" in shown
    assert "move b.yaml from failed/generate back into inbox/generate, or run: hotfolder retry 2." in shown
    assert "b.yaml.error.txt" not in shown
    (failed / "b.yaml.error.txt").write_text("no such mask")
    shown = page(workplace, 2)
    assert "The same words lie beside the file, in failed/generate/b.yaml.error.txt" in shown
    assert "generate/b.yaml failed/generate/b.yaml" in shown
    assert not is_live(workplace, 2)


def test_a_job_that_was_tried_again_leads_to_the_new_one(workplace: Any) -> None:
    workplace.connection.execute(
        "insert into drops(id, hot_folder, name, state, files, created_at) "
        "values ('d2', 'generate', 'j', 'done', '[]', '2020-01-01T00:00:00Z')"
    )
    workplace.add_job(40, name="other", drop_id="d2")
    workplace.add_job(41, name="job2.txt", drop_id="d2")
    workplace.connection.execute("update drops set superseded_by = 'd2' where id = 'd1'")
    workplace.connection.commit()
    shown = page(workplace, 2)
    assert "tried again: job 41" in shown
    assert "hotfolder retry" not in shown


def test_what_waits_says_for_what(workplace: Any) -> None:
    shown = page(workplace, 3)
    assert "It waits. hotfolder is not running: start it with hotfolder run . a prompt is missing" in shown
    assert "<code>hotfolder run</code>" in workplace.get("/-/hotfolder/job/3").text
    assert is_live(workplace, 3)
    assert told(workplace, 3)["reason"] == "a prompt is missing"


def test_what_is_queued_says_how_many_come_first(workplace: Any) -> None:
    for job, priority in ((10, 0), (11, 0), (12, 5), (13, -1)):
        workplace.add_job(job, state="queued", priority=priority)
    said = {job: told(workplace, job)["says"].partition(".")[0] for job in (10, 11, 12, 13)}
    assert said == {
        10: "It is queued, 1 job before it",
        11: "It is queued, 2 jobs before it",
        12: "It is queued, it is the next",
        13: "It is queued, 3 jobs before it",
    }


def test_a_running_job_is_followed(workplace: Any) -> None:
    workplace.connection.execute("update drops set state = 'claimed'")
    workplace.add_job(10, state="running", started_at="2020-01-01T00:00:00.000Z")
    assert told(workplace, 10)["says"] == "It was interrupted, and goes on when `hotfolder run` is started again."
    first, later = ({"picture": 1, "pictures": 4, "step": step, "of": 10} for step in (1, 6))
    job = {"id": 10, "kind": "generate", "name": "job10.txt", "started_at": "2020-01-01T00:00:00.000Z"}
    works(workplace, job=job, progress=later | {"made": ["half1"]}, first_step=first, stepping_s=5.0)
    with hold(Workspace(workplace.root, Settings())):
        now = told(workplace, 10)
        shown = page(workplace, 10)
    assert (now["says"], now["step"], now["share"], now["ended"]) == (
        "It runs.", "picture 1 of 4, step 6 of 10", 0.15, False
    )  # fmt: skip
    assert now["eta"] == "about 34 s to go"
    assert "picture 1 of 4, step 6 of 10 about 34 s to go" in shown
    assert (now["made"], "Made so far" in shown) == (["half1"], True)
    workplace.connection.execute("update jobs set state = 'done' where id = 10")
    workplace.connection.commit()
    assert not told(workplace, 10)["ended"], "its files are not filed away yet"
    workplace.connection.execute("update drops set state = 'done'")
    workplace.connection.commit()
    assert told(workplace, 10)["ended"]


def test_what_a_job_made_is_shown(workplace: Any) -> None:
    texts = {
        "idea.txt": "a <b>house</b>",
        "idea.yaml": "kind: generate",
        "x.job.yaml": "kind: expand",
        "gone.txt": None,
    }
    for number, (name, text) in enumerate(texts.items()):
        if text is not None:
            (workplace.root / DAY / name).write_text(text)
        workplace.connection.execute(
            "insert into outputs(job_id, idx, role, path, name_key, sha256, bytes, facts, published) "
            "values (1, ?, 'beside', ?, ?, '', 0, '{}', 1)",
            (number, f"{DAY}/{name}", name),
        )
    workplace.connection.execute(
        "insert into detections(job_id, image_path, label, score, x0, y0, x1, y1) "
        "values (1, 'p', 'cat', 0.5, 0, 0, 1, 1)"
    )
    workplace.connection.commit()
    html = workplace.get("/-/hotfolder/job/1").text
    shown = page(workplace, 1)
    assert "It is done, with 2 pictures." in shown
    assert re.findall(r"href=\"/-/hotfolder/picture/(\w+)", html) == ["cutout1", "knight1"]
    assert f"{DAY}/idea.txt a <b>house</b>" in shown
    assert f"{DAY}/idea.yaml kind: generate" in shown
    assert "kind: expand" not in shown
    assert f"What it wrote {DAY}/idea.txt {DAY}/idea.yaml {DAY}/x.job.yaml {DAY}/gone.txt" in shown
    assert f"{DAY}/gone.txt It is not where it was written." in shown
    assert "cat 50 %. All boxes, as a table" in shown
    assert 'href="/catalog/detections?job_id=1"' in html
    assert "Work 12 s Loading models 3 s" in shown


def test_no_text_outside_outbox_is_shown(workplace: Any, tmp_path: Path) -> None:
    (workplace.root / "secret.txt").write_text("password")
    for number, path in enumerate(("secret.txt", "outbox/../secret.txt", "outbox/../../secret.txt")):
        workplace.connection.execute(
            "insert into outputs(job_id, idx, role, path, name_key, sha256, bytes, facts, published) "
            "values (1, ?, 'beside', ?, ?, '', 0, '{}', 1)",
            (number, path, path),
        )
    workplace.connection.commit()
    assert "password" not in page(workplace, 1)


def test_the_contact_sheet_of_a_table_is_shown(workplace: Any) -> None:
    workplace.add_job(50, kind="sheet", after="[1]")
    Image.new("RGB", (20, 20)).save(workplace.root / DAY / "sheet.png")
    workplace.add_image("sheet1", f"{DAY}/sheet.png", job_id=50, kind="sheet")
    for path in ("job/1", "picture/knight1"):
        html = workplace.get(f"/-/hotfolder/{path}").text
        assert "/-/hotfolder/picture/sheet1" in html.partition("Contact sheets")[2].partition("<h2>")[0], path


def test_the_whole_job_can_be_copied(workplace: Any) -> None:
    spec = {"kind": "upscale", "model": "lanczos", "options": {"factor": 3.0}}
    workplace.add_job(60, spec=json.dumps(spec), name="<img src=x onerror=alert(1)>", error="<script>x</script>")
    html = workplace.get("/-/hotfolder/job/60").text
    assert "kind: upscale\nmodel: lanczos\nfactor: 3.0\n</pre>" in html
    assert "<img src=x" not in html
    assert "<script>x" not in html
    assert "The whole job" not in page(workplace, 1), "a spec that is no job is not offered"
    workplace.add_job(61, spec=json.dumps({"kind": "upscale"}), state="failed", error="unknown key")
    assert "The whole job" not in page(workplace, 61), "nor one that could not be read beyond its kind"
