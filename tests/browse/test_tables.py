"""Datasette's own pages: every column explained, one table leads to the next, and from both to our pages."""

import re
from typing import Any

import pytest

from hotfolder.browse import sites
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace


@pytest.fixture
def full(workplace: Any) -> Any:
    """With a row in each table."""
    workplace.connection.executescript(
        """
        update images set loras = '[{"name": "tarot", "weight": 0.8}]' where id = 'knight1';
        update jobs set source_path = 'outbox/generate/2026-11-20/knight.png' where id = 2;
        insert into detections(job_id, image_path, label, score, x0, y0, x1, y1)
          values (1, 'outbox/generate/2026-11-20/knight.png', 'person', 0.9, 1, 2, 3, 4);
        insert into models(name, family) values ('flux1-schnell', 'flux');
        insert into gpu_samples(at, device, job_id, power_w) values ('2026-11-20T01:00:00.000Z', 'a card', 1, 250);
        """
    )
    return workplace


def _tables(workplace: Any) -> list[str]:
    tables = workplace.get("/catalog.json").json()["tables"]
    return [table["name"] for table in tables if not table["hidden"]]


def test_every_column_of_every_table_is_described(full: Any) -> None:
    tables = _tables(full)
    assert {"images", "jobs", "drops", "detections", "models", "gpu_samples", "image_words"} == set(tables)
    for table in tables:
        page = full.get(f"/catalog/{table}").text
        columns = {row[1] for row in full.connection.execute(f"pragma table_info({table})")}
        described = set(re.findall(r"<dt>(\w+)</dt>", page))
        assert described == columns, table


def test_tables_lead_to_each_other_and_to_our_pages(full: Any) -> None:
    expected = {
        "images": ["/catalog/jobs/1", "/-/hotfolder/picture/knight1", "/-/hotfolder/thumb/knight1"],
        "images/cutout1": ["/-/hotfolder/picture/knight1", "/-/hotfolder/job/1"],
        "jobs": ["/catalog/drops/d1", "/-/hotfolder/job/1", "/-/hotfolder/picture/knight1"],
        "detections": ["/catalog/jobs/1", "/-/hotfolder/picture/knight1", "/-/hotfolder/thumb/knight1"],
        "gpu_samples": ["/catalog/jobs/1"],
        "image_words": ["/-/hotfolder/thumb/knight1", "/-/hotfolder/picture/cutout1"],
        "failures": ["/-/hotfolder/job/2"],
        "waiting": ["/-/hotfolder/job/3"],
        "flagged": ["/-/hotfolder/picture/knight1"],
    }
    for page, addresses in expected.items():
        found = set(re.findall(r'(?:href|src)="([^"?#]*)', full.get(f"/catalog/{page}").text))
        assert set(addresses) <= found, page


@pytest.mark.parametrize("page", ["/catalog", "/catalog/images", "/catalog/jobs/1", "/catalog/flagged"])
def test_our_pages_are_in_the_menu_everywhere(workplace: Any, page: str) -> None:
    shown = workplace.get(page).text
    for address in ("/-/hotfolder/gallery", "/-/hotfolder/queue"):
        assert f'<a href="{address}"' in shown


def test_the_front_page_is_the_gallery_only_where_nothing_else_is_served(workplace: Any) -> None:
    answer = workplace.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/-/hotfolder/gallery")
    workplace.datasette.add_memory_database("other")
    answer = workplace.get("/")
    assert answer.status_code == 200
    assert "other" in answer.text


def test_the_cost_of_the_night_is_money_where_a_price_is_set(workplace: Any) -> None:
    address = "/catalog/cost_of_the_night.json?_shape=array"
    assert "money" not in workplace.get(address).json()[0]
    workspace = Workspace(workplace.root, Settings(electricity_price=400.0))
    sites.attach(workplace.datasette, sites.Site(workspace, "catalog"))
    assert workplace.get(address).json()[0]["money"] == 0.3, "0.75 Wh at 400 for a kilowatt-hour"


def test_models_are_told_by_what_came_of_them(workplace: Any) -> None:
    for number, (review, rating) in enumerate([("keep", 5), ("reject", None), (None, 0), (None, 2)]):
        workplace.add_image(f"m{number}", f"outbox/m{number}.png", model="good", review=review, rating=rating)
    first, second = workplace.get("/catalog/most_used_models.json?_shape=array").json()
    assert (first["model"], first["pictures"], first["kept"], first["rejected"]) == ("good", 4, 1, 1)
    assert first["stars_on_average"] == 3.5, "of those that have stars"
    assert (second["model"], second["kept"], second["rejected"]) == ("miniature-flux", 1, 0)


def test_a_tag_leads_to_its_pictures(full: Any) -> None:
    for page in ("/catalog/tags_and_loras", "/catalog/image_words"):
        html = full.get(page).text
        assert '<a href="/-/hotfolder/gallery?tag=square">square</a>' in html
        assert '<a href="/-/hotfolder/gallery?lora=tarot">tarot</a>' in html
    assert "cutout1" in full.get("/-/hotfolder/gallery?tag=square").text


def test_tags_and_loras_follow_their_pictures(full: Any) -> None:
    def words() -> list[tuple[str, ...]]:
        return full.connection.execute("select what, word, image_id from image_words order by 1, 2, 3").fetchall()

    assert words() == [("lora", "tarot", "knight1"), ("tag", "red", "cutout1"), ("tag", "square", "cutout1")]
    full.connection.execute("""update images set tags = 'a "b", [c], d, d', loras = null where id = 'knight1'""")
    full.connection.execute("delete from images where id = 'cutout1'")
    assert words() == [("tag", "[c]", "knight1"), ("tag", 'a "b"', "knight1"), ("tag", "d", "knight1")]
    full.connection.execute("update images set tags = '', loras = 'not JSON' where id = 'knight1'")
    assert words() == []
