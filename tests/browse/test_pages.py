"""The pages people see: thumbnails, facets, search, saved queries; nothing runs that data brought along."""

import re
from typing import Any

import pytest

from hotfolder.browse.queries import QUERIES
from tests.elements import Elements

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "' onmouseover='alert(4)",
    "javascript:alert(5)",
    "data:text/html,<script>alert(6)</script>",
    "</td></table><iframe src=javascript:alert(7)>",
    "{{ 7*7 }}{% raw %}<b>8</b>",
    "<style>@import 'http://evil.example/9.css'</style>",
    "&lt;script&gt;alert(10)&lt;/script&gt;<script>",
    'http://evil.example/"onclick=alert(11)//',
    "</textarea></pre><script>alert(12)</script>",
]


def test_the_images_table_shows_thumbnails(workplace: Any) -> None:
    elements = Elements(workplace.get("/catalog/images").text).seen
    shown = [attributes["src"] for tag, attributes in elements if tag == "img"]
    assert shown == ["/-/hotfolder/thumb/knight1", "/-/hotfolder/thumb/cutout1"], "newest first"
    links = [attributes.get("href") for tag, attributes in elements if tag == "a"]
    assert links.count("/-/hotfolder/picture/knight1") == 2, "itself, and the parent of the cut-out"
    assert "/-/hotfolder/static/tables.css" in [attributes.get("href") for tag, attributes in elements if tag == "link"]


def test_the_row_page_and_free_queries_show_thumbnails(workplace: Any) -> None:
    for page in (
        "/catalog/images/knight1",
        "/catalog?sql=select+path+from+images",
        "/catalog?sql=select+id,rating+from+images",
        "/catalog?sql=select+parent_path+as+image_path+from+images",
    ):
        assert '<img src="/-/hotfolder/thumb/knight1"' in workplace.get(page).text, page


def test_paths_without_a_row_are_plain_text(workplace: Any) -> None:
    page = workplace.get("/catalog?sql=select+'outbox/none.png'+as+path,'nobody'+as+id").text
    assert "<img" not in page
    assert "outbox/none.png" in page


def test_facets_search_and_order(workplace: Any) -> None:
    data = workplace.get("/catalog/images.json?_shape=objects&_facet=format").json()
    assert {"kind", "model", "rating", "review"} <= set(data["facet_results"])
    assert [row["id"] for row in data["rows"]] == ["knight1", "cutout1"]
    jobs = workplace.get("/catalog/jobs.json").json()
    assert {"state", "kind", "hot_folder"} <= set(jobs["facet_results"])
    for words, found in (("obsidian", ["knight1"]), ("red", ["cutout1"]), ("dragon", []), ('armor OR "', [])):
        rows = workplace.get("/catalog/images.json", params={"_search": words, "_shape": "objects"}).json()["rows"]
        assert [row["id"] for row in rows] == found, words


def test_tables_and_columns_are_described(workplace: Any) -> None:
    page = workplace.get("/catalog/images").text
    assert "Every finished picture" in page
    assert "keep or reject: the folder you moved it to" in page
    front = workplace.get("/catalog").text
    assert all(query["title"] in front for query in QUERIES.values())


@pytest.mark.parametrize("name", QUERIES)
def test_saved_queries_run(workplace: Any, name: str) -> None:
    answer = workplace.get(f"/catalog/{name}.json?_shape=objects")
    assert answer.status_code == 200
    assert answer.json()["ok"]
    if name == "this_week":  # the clock is the machine's own
        workplace.connection.execute("update images set created_at = strftime('%Y-%m-%dT%H:%M:%SZ') where rating = 5")
        workplace.connection.commit()
        answer = workplace.get(f"/catalog/{name}.json?_shape=objects&_ttl=0")
    rows = answer.json()["rows"]
    expected = {
        "flagged": 1, "this_week": 1, "locked_seeds": 1, "failures": 1, "waiting": 1, "cost_of_the_night": 1,
        "most_used_models": 1, "tags_and_loras": 2,
    }  # fmt: skip
    assert len(rows) == expected[name]
    page = workplace.get(f"/catalog/{name}").text
    assert QUERIES[name]["title"] in page
    if "path" in rows[0]:
        assert '<img src="/-/hotfolder/thumb/knight1"' in page


def test_what_the_queries_say(workplace: Any) -> None:
    failure = workplace.get("/catalog/failures.json?_shape=array").json()[0]
    assert failure["error"] == "no such mask\nname one"
    assert "hotfolder retry 2" in failure["how_to_mend"]
    assert workplace.get("/catalog/waiting.json?_shape=array").json()[0]["wait_reason"] == "a prompt is missing"
    night = workplace.get("/catalog/cost_of_the_night.json?_shape=array").json()[0]
    assert (night["jobs"], night["failed"], night["pictures"]) == (2, 1, 2)
    assert (night["run_s"], night["load_s"], night["energy_wh"]) == (12.5, 3.0, 0.75)


def test_hostile_text_is_shown_as_text(workplace: Any) -> None:
    for number, payload in enumerate(PAYLOADS):
        workplace.add_job(100 + number, state="failed", name=payload, hot_folder=payload, error=payload, model=payload)
        workplace.add_job(200 + number, state="waiting", name=payload, wait_reason=payload, source_path=payload)
        workplace.add_image(
            f"bad{number}", f"outbox/{payload}.png", job_id=100 + number, prompt=payload, tags=payload, caption=payload,
            parent_path=f"outbox/{payload}.png", model=payload, rating=5, seed_locked=1, seed=payload, review="keep",
        )  # fmt: skip
    pages = ["/catalog", "/catalog/images", "/catalog/images?_search=alert", "/catalog/jobs", "/catalog/jobs/100"]
    pages += [f"/catalog/images/bad{number}" for number in range(len(PAYLOADS))]
    pages += [f"/catalog/{name}" for name in QUERIES]
    pages += ["/catalog?sql=select+*+from+images", "/catalog?sql=select+path,id,image_path+from+images,+detections"]
    plain = _scripts(workplace.get("/catalog/models").text) | _scripts(workplace.get("/catalog").text)
    plain |= _scripts(workplace.get("/catalog/waiting").text)
    for page in pages:
        answer = workplace.get(page)
        assert answer.status_code in (200, 400), page
        assert _scripts(answer.text) <= plain, page
        for tag, attributes in Elements(answer.text).seen:
            assert tag not in ("iframe", "object", "embed", "base"), page
            assert not any(name.startswith("on") for name in attributes), (page, tag, attributes)
            for name in ("href", "src", "action"):
                target = (attributes.get(name) or "").strip().lower()
                assert not target.startswith(("javascript:", "data:", "vbscript:")), (page, tag, attributes)
            if tag in ("img", "script", "link"):
                target = attributes.get("src") or attributes.get("href") or "/"
                assert target.startswith(("/", "http://localhost/")), (page, tag, attributes)


def test_nothing_can_be_written(workplace: Any) -> None:
    before = list(workplace.connection.iterdump())
    for sql in (
        "delete from images", "update images set rating = 1", "insert into models(name) values ('x')",
        "drop table images", "attach 'other.db' as other", "pragma journal_mode = delete", "vacuum",
        "with x as (select 1) delete from images", "select load_extension('x')", "select writefile('x', 'y')",
    ):  # fmt: skip
        assert workplace.get("/catalog.json", params={"sql": sql}).status_code == 400, sql
    for path in ("/catalog", "/catalog/images", "/catalog/images/knight1", "/catalog/flagged"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert workplace.get(path, method=method).status_code == 405, (method, path)
    assert workplace.get("/catalog.db").status_code == 403
    assert list(workplace.connection.iterdump()) == before


def test_free_queries_work_and_are_bounded(workplace: Any) -> None:
    assert workplace.get("/catalog.json?sql=select+count(*)+as+n+from+images&_shape=array").json() == [{"n": 2}]
    endless = "with recursive n(x) as (select 1 union all select x+1 from n) select max(x) from n"
    answer = workplace.get("/catalog.json", params={"sql": endless})
    assert answer.status_code == 400
    assert "interrupted" in answer.text.lower() or "too long" in answer.text.lower()


def test_new_rows_show_without_a_restart(workplace: Any) -> None:
    workplace.get("/catalog/images")
    workplace.add_image("late", "outbox/late.png", created_at="2030-01-01T00:00:00Z")
    assert "late" in workplace.get("/catalog/images").text


@pytest.mark.parametrize("path", ["/nope", "/catalog/nope", "/catalog/images/nope", "/-/nope", "/catalog?sql=sel"])
def test_a_wrong_address_is_said_quietly(workplace: Any, capfd: pytest.CaptureFixture[str], path: str) -> None:
    assert workplace.get(path).status_code in (400, 404)
    assert "Traceback" not in "".join(capfd.readouterr())


def _scripts(page: str) -> set[str]:
    return set(re.findall(r"<script\b[^>]*>.*?</script>", page, re.DOTALL | re.IGNORECASE))
