"""The queue page and what it fetches: the same of one moment, everything linked, nothing that data brought runs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hotfolder import workspace as places
from hotfolder.browse import sites, sparkline
from tests.elements import Elements

HOSTILE = "</bdi></a><script>alert(1)</script><img src=x onerror=alert(2)>"
CARD = {
    "utilisation_percent": 50,
    "memory_used_mb": 6000,
    "memory_total_mb": 24000,
    "temperature_c": 61,
    "power_w": 220.4,
}


def told(workplace: Any) -> tuple[dict[str, Any], Elements]:
    answer = workplace.get("/-/hotfolder/queue.json")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    said = answer.json()
    return said["status"], Elements(said["html"])


@pytest.fixture
def service(workplace: Any) -> Any:
    """Hold the workspace as a service does, and say what one would."""
    workspace = sites.of(workplace.datasette).workspace

    def say(**now: Any) -> None:
        workspace.now.write_text(json.dumps(now))

    with places.hold(workspace):
        say()
        yield say


def test_page_and_json_are_of_one_template(workplace: Any) -> None:
    page = Elements(workplace.get("/-/hotfolder/queue").text)
    status, part = told(workplace)
    assert "".join(part.text.split()) in "".join(page.text.split())
    assert status["counts"] == {"done": 1, "failed": 1, "waiting": 1}
    assert part.all("li", "data-state") == ["waiting", "done", "failed"]
    assert part.all("li", "data-number") == ["1", "1", "1"]


def test_without_a_service_it_says_how_to_start_one(workplace: Any) -> None:
    _, page = told(workplace)
    assert "hotfolder is not running" in page.text
    assert f"hotfolder --workspace {workplace.root} run" in page.text
    assert "measured while hotfolder runs" in page.text


def test_every_job_leads_to_its_page_and_every_picture_to_its_own(workplace: Any) -> None:
    _, page = told(workplace)
    links = page.all("a", "href")
    assert {"/-/hotfolder/job/1", "/-/hotfolder/job/2", "/-/hotfolder/job/3"} <= {*links}
    assert {"/-/hotfolder/picture/knight1", "/-/hotfolder/picture/cutout1"} <= {*links}
    assert {"/-/hotfolder/thumb/knight1", "/-/hotfolder/thumb/cutout1"} == {*page.all("img", "src")}
    assert all(workplace.get(link).status_code == 200 for link in links)


def test_a_failure_comes_with_what_mends_it(workplace: Any) -> None:
    _, page = told(workplace)
    assert "no such mask\nname one" in page.text
    assert workplace.get("/catalog/failures.json?_shape=array").json()[0]["how_to_mend"] in page.text


def test_a_running_job_shows_how_far_it_is_and_what_it_has_made(workplace: Any, service: Any) -> None:
    at = (datetime.now(UTC) - timedelta(hours=1, seconds=30)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    workplace.add_job(9, state="running", started_at=at, model="flux1-schnell")
    _, page = told(workplace)
    assert "its model is being loaded" in page.text and page.all("progress", "value") == []
    progress = {"picture": 2, "pictures": 4, "step": 1, "of": 2, "made": ["made1", "made2"]}
    first = {**progress, "picture": 1, "step": 1}
    service(job={"id": 9, "started_at": at}, progress=progress, first_step=first, stepping_s=30)
    _, page = told(workplace)
    assert page.all("progress", "value") == ["0.3750"] and page.all("progress", "aria-label")
    assert "picture 2 of 4, step 1 of 2" in page.text and "about 75 s to go" in page.text
    assert "for 1 h 0 min now" in page.text
    assert [src for src in page.all("img", "src") if "preview" in src] == [
        "/-/hotfolder/preview/made1", "/-/hotfolder/preview/made2",
    ]  # fmt: skip


def test_a_preview_is_a_thumbnail_and_nothing_else(workplace: Any) -> None:
    workspace = sites.of(workplace.datasette).workspace
    workspace.thumbs.mkdir()
    (workspace.thumbs / "made1.webp").write_bytes(b"RIFF")
    answer = workplace.get("/-/hotfolder/preview/made1")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"RIFF", "image/webp")
    for name in ("nothing", "", "../now.json", "%2e%2e%2fcatalog", "made1.webp", "..%2f..%2fcatalog.db%00"):
        assert workplace.get(f"/-/hotfolder/preview/{name}").status_code == 404


def test_long_queues_are_shown_in_part_and_counted_in_full(workplace: Any, service: Any) -> None:
    for number in range(100, 130):
        workplace.add_job(number, state="queued")
    for number in range(200, 207):
        workplace.add_job(number, state="waiting", wait_reason="needs `tarot`")
    service(paused="paused; `hotfolder resume` goes on")
    status, page = told(workplace)
    assert [job["id"] for job in status["queued"]] == list(range(100, 120)) and "and 10 more" in page.text
    assert page.text.count("needs tarot") == 1 and "and 2 more" in page.text, "the same reason is said once"
    assert "starts nothing new" in page.text and "hotfolder resume" in page.text


def test_the_card_is_drawn_and_told_in_words(workplace: Any, service: Any) -> None:
    samples = [{"at": f"2026-11-21T12:00:{second:02}.000Z", **CARD, "loaded": ["flux"] * (second > 10)}
               for second in range(30)]  # fmt: skip
    service(gpu={"device": "NVIDIA X", "why_not": None, "samples": samples})
    _, page = told(workplace)
    assert all(words in page.text for words in ("NVIDIA X", "6.0 of 24.0 GB", "50 %", "61 °C", "220 W", "loaded flux"))
    assert any("between 50 and 50 %" in label and "loaded flux" in label for label in page.all("svg", "aria-label"))
    service(gpu={"device": None, "why_not": "no NVIDIA card here: nothing to measure", "samples": []})
    assert "No NVIDIA card here: nothing to measure" in told(workplace)[1].text


def test_hostile_words_stay_words(workplace: Any, service: Any) -> None:
    for number, state in enumerate(("queued", "waiting", "failed", "done", "running"), start=100):
        workplace.add_job(
            number, state=state, name=HOSTILE, hot_folder=HOSTILE, kind=HOSTILE, model=HOSTILE, error=HOSTILE,
            wait_reason=HOSTILE, started_at="2026-11-20T01:00:00Z", finished_at="2026-11-20T01:00:00Z",
        )  # fmt: skip
        workplace.add_image(f"bad{number}", f"outbox/{HOSTILE}{number}.png", job_id=number)
    card = {
        "device": HOSTILE,
        "why_not": None,
        "samples": [{"at": "2026-11-21T12:00:00Z", **CARD, "loaded": [HOSTILE]}],
    }
    service(not_taken=[HOSTILE], paused=HOSTILE, model=HOSTILE, gpu=card, fetching={"model": "x", "says": HOSTILE})
    for page in (told(workplace)[1], Elements(workplace.get("/-/hotfolder/queue").text)):
        assert page.text.count("<script>alert(1)</script>") >= 10
        assert all(src.startswith("/-/hotfolder/static/") for src in page.all("script", "src"))
        assert not any(name.startswith("on") for _, given in page.seen for name in given)
        assert all(src.startswith("/-/hotfolder/") for src in page.all("img", "src"))


def test_the_line_breaks_where_nothing_was_measured_and_marks_what_was_loaded_and_freed() -> None:
    moments = [
        ("12:00:00", 10, ["a"]),
        ("12:00:01", 20, ["a"]),
        ("12:00:30", 30, ["a", "b"]),
        ("12:00:31", None, ["b"]),
    ]
    samples = [{"at": f"2026-11-21T{time}+00:00", **CARD, "utilisation_percent": percent, "loaded": loaded}
               for time, percent, loaded in moments]  # fmt: skip
    drawn = sparkline.draw(samples)
    assert [line.count(" ") + 1 for line in drawn.utilisation] == [2, 1]
    assert drawn.memory[-1].split()[-1] == "300.0,45.0", "the newest is at the right, a quarter high"
    assert [mark.says.partition(" ")[2] for mark in drawn.marks] == ["loaded b", "freed a"]
    assert drawn.marks[1].x == 300 and "between 10 and 30 %" in drawn.says
    long_ago = [{"at": "2026-11-21T11:00:00+00:00", **CARD, "loaded": []}, *samples]
    assert sparkline.draw(long_ago).utilisation == drawn.utilisation, "a minute is shown, however old the rest"
