"""The page of one picture says everything that is known of it, and nothing that is not."""

import io
import json
import os
import re
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hotfolder.browse import sites
from hotfolder.metadata import write
from hotfolder.metadata.facts import Facts
from hotfolder.settings import Settings
from hotfolder.workspace import Workspace

DAY = "outbox/generate/2026-11-20"
SPEC = {"kind": "generate", "prompt": "a {red|blue} fox", "seed": 7, "variants": 2, "note": "for the <b>cover</b>"}


def page(workplace: Any, path: str, code: int = 200) -> str:
    """Return the text of a page as a reader sees it: without tags, one space between words."""
    answer = workplace.get(f"/-/hotfolder/{path}")
    assert answer.status_code == code, answer.text
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def html(workplace: Any, path: str) -> str:
    return str(workplace.get(f"/-/hotfolder/{path}").text)


def test_every_parameter_is_said_in_words(workplace: Any) -> None:
    workplace.add_image(
        "all1", f"{DAY}/all.png", job_id=None, prompt="a fox", negative_prompt="blur", caption="an animal", tags="a, b",
        seed="18446744073709551615", seed_locked=1, model="flux1-schnell-miniature", profile="fast", steps=4,
        loras=json.dumps([{"name": "tarot", "weight": 0.8, "hash": "x"}, {"name": "koda"}]), guidance=3.5,
        sampler="Euler", rating=4, review="keep", hot_folder="night", prompt_tokens=1234,
    )  # fmt: skip
    shown = page(workplace, "picture/all1")
    for words in (
        "Prompt a fox", "Negative prompt blur", "Caption an animal", "Tags a, b", "Profile fast", "Steps 4",
        "Seed 18446744073709551615, locked", "Model flux1-schnell-miniature (a miniature, for demonstrations)",
        "LoRAs tarot at 0.8, koda at 1", "Guidance 3.5", "Sampler Euler", "Size 600 × 400 pixels", "Format png",
        "Rating ★★★★☆", "Review kept", "Hot folder night", "Prompt's length 1,234 tokens", f"File {DAY}/all.png",
    ):  # fmt: skip
        assert words in shown, words


def test_a_row_that_knows_next_to_nothing_has_a_page(workplace: Any) -> None:
    workplace.add_image("bare1", f"{DAY}/knight-copy.png", job_id=None)
    shown = page(workplace, "picture/bare1")
    assert "Kind generate" in shown
    for absent in ("Seed", "What it cost", "Made from", "Of the same job", "Its chain", "To make it again", "Its job"):
        assert absent not in shown, absent


@pytest.mark.parametrize("loras", ["no json", "[1]", "{}", '{"name": 1}', "[{}]", "null", "[[]]"])
def test_odd_columns_are_shown_as_they_are(workplace: Any, loras: str) -> None:
    workplace.add_image("odd1", f"{DAY}/odd.png", loras=loras, created_at="yesterday", seed="<b>", kind="what", width=0)
    workplace.connection.execute("insert into detections values (1, 1, ?, 'x', 0.5, 0, 0, 1, 1)", (f"{DAY}/odd.png",))
    workplace.connection.commit()
    assert "Made yesterday" in page(workplace, "picture/odd1")


def test_what_a_picture_cost_is_its_part_of_the_job(workplace: Any) -> None:
    workplace.add_job(7, run_s=90.0, load_s=130.0)
    for number in range(3):
        workplace.add_image(f"part{number}", f"{DAY}/p{number}.png", job_id=7, energy_wh=500.0, peak_vram_mb=10240.4)
    shown = page(workplace, "picture/part1")
    assert "Work 30 s, its part of 1 min 30 s for 3 pictures" in shown
    assert "Loading models 2 min 10 s for 3 pictures" in shown
    assert "Graphics memory 10,240 MB at most" in shown
    assert "Electricity 500 Wh" in shown
    assert "Its price" not in shown
    priced = Workspace(workplace.root, Settings(electricity_price=0.3))
    sites.attach(workplace.datasette, sites.Site(priced, "catalog"))
    assert "Its price 0.15" in page(workplace, "picture/part1")


def test_parents_children_and_siblings_are_linked(workplace: Any) -> None:
    workplace.add_image("twin1", f"{DAY}/knight_02.png", created_at="2026-11-20T01:00:01Z")
    knight, cutout = html(workplace, "picture/knight1"), html(workplace, "picture/cutout1")
    made_from_it = knight.partition("Made from it")[2].partition("<h2>")[0]
    assert "/-/hotfolder/picture/cutout1" in made_from_it
    assert "/-/hotfolder/picture/knight1" in cutout.partition("Made from")[2].partition("<h2>")[0]
    siblings = knight.partition("Of the same job")[2].partition("<h2>")[0]
    assert re.findall(r"picture/(\w+)\"( aria-current)?", siblings) == [
        ("cutout1", ""), ("knight1", " aria-current"), ("twin1", "")
    ]  # fmt: skip
    assert "/-/hotfolder/compare?id=cutout1&id=knight1&id=twin1" in unescape(siblings)


def test_a_contact_sheet_is_no_sibling(workplace: Any) -> None:
    workplace.add_image("sheet1", f"{DAY}/all_sheet.png", kind="sheet")
    knight, sheet = html(workplace, "picture/knight1"), html(workplace, "picture/sheet1")
    assert "sheet1" not in knight.partition("Of the same job")[2].partition("<h2>")[0]
    assert "picture/sheet1" in knight.partition("Contact sheets with it")[2].partition("<h2>")[0]
    assert "for 2 pictures" in knight
    on_it = sheet.partition("The pictures on it")[2].partition("<h2>")[0]
    assert re.findall(r"href=\"[^\"]*picture/(\w+)", on_it) == ["cutout1", "knight1"]
    assert "What it cost" not in sheet


def test_of_many_siblings_those_around_it_are_shown(workplace: Any) -> None:
    workplace.add_job(70)
    for number in range(100):
        workplace.add_image(f"m{number:03}", f"{DAY}/m{number:03}.png", job_id=70)
    siblings = html(workplace, "picture/m070").partition("Of the same job")[2].partition("<h2>")[0]
    assert re.findall(r"picture/(m\d+)\"", siblings) == [f"m{number:03}" for number in range(40, 100)]
    assert 'href="/-/hotfolder/gallery?job=70">All 100 of them' in siblings


def test_a_chain_and_its_other_inputs_are_shown(workplace: Any) -> None:
    workplace.add_job(20, kind="generate")
    workplace.add_job(21, kind="mask", after="[20]")
    workplace.add_job(22, kind="inpaint", after="[21]", inputs=json.dumps({"mask": f"{DAY}/m.png"}), state="running")
    workplace.add_image("step1", f"{DAY}/1.png", job_id=20)
    workplace.add_image("mask1", f"{DAY}/m.png", job_id=21, parent_path=f"{DAY}/1.png")
    workplace.add_image("last1", f"{DAY}/l.png", job_id=22, parent_path=f"{DAY}/1.png")
    shown = page(workplace, "picture/last1")
    assert "step 1 of 3, generate : done" in shown
    assert "step 3 of 3, inpaint : running (this one)" in shown
    parents = html(workplace, "picture/last1").partition("Made from")[2].partition("<h2>")[0]
    assert re.findall(r"href=\"[^\"]*picture/(\w+)", parents) == ["step1", "mask1"]
    for other in ("knight1", "cutout1"):
        assert "Its chain" not in page(workplace, f"picture/{other}")


def test_pictures_of_a_job_stay_in_their_order_when_one_is_kept(workplace: Any) -> None:
    workplace.add_job(71, state="done")
    for number, place in enumerate(("reject/a_01", "keep/a_02", "a_03")):
        workplace.add_image(
            f"a{number}", f"{DAY}/{place}.png", job_id=71, created_at=f"2026-01-01T00:00:0{number}.000Z"
        )
    siblings = page(workplace, "picture/a1").partition("Of the same job")[2]
    assert re.findall(r"a_0\d\.png", siblings)[:3] == ["a_01.png", "a_02.png", "a_03.png"]


def test_the_keys_of_the_gallery_are_kept_on_the_way(workplace: Any) -> None:
    for number in range(4):
        kind = ("edit", "upscale")[number % 2]
        workplace.add_image(
            f"n{number}", f"{DAY}/n{number}.png", kind=kind, created_at=f"2021-01-0{number + 1}T00:00:00Z"
        )

    def ways(path: str) -> dict[str, str]:
        found = re.findall(r'<a id="(newer|older|back)" href="/-/hotfolder/([^"]*)"', html(workplace, path))
        return {name: unescape(target) for name, target in found}

    place = "2021-01-02T00%3A00%3A00Z~n1"
    assert ways("picture/n1") == {"newer": "picture/n2", "older": "picture/n0", "back": f"gallery#{place}"}
    back = "gallery?kind=edit#2021-01-03T00%3A00%3A00Z~n2"
    assert ways("picture/n2?kind=edit&nonsense=1") == {"older": "picture/n0?kind=edit", "back": back}
    newest = "gallery#2026-11-20T01%3A00%3A00Z~knight1"
    assert ways("picture/knight1") == {"older": "picture/n3", "back": newest}


def test_the_newest_of_the_same_moment_come_in_one_order(workplace: Any) -> None:
    for name in "cab":
        workplace.add_image(name, f"{DAY}/{name}.png", created_at="2030-01-01T00:00:00Z")
    seen, at = [], "c"
    for _ in range(3):
        seen.append(at)
        at = re.findall(r'id="older" href="[^"]*picture/(\w+)"', html(workplace, f"picture/{at}"))[0]
    assert seen == ["c", "b", "a"]


def test_the_job_to_copy_comes_from_beside_the_picture(workplace: Any) -> None:
    workplace.connection.execute("update jobs set spec = ? where id = 1", (json.dumps(SPEC),))
    workplace.connection.commit()
    shown = html(workplace, "picture/knight1")
    recipe = unescape(re.findall(r'<pre id="recipe"[^>]*>(.*?)</pre>', shown, re.DOTALL)[0])
    assert "the job in the catalog" in shown
    assert "kind: generate\nprompt: a knight in obsidian armor\nseed: 18446744073709551615\n" in recipe
    assert "variants" not in recipe
    assert "for the &lt;b&gt;cover&lt;/b&gt;" in shown.partition("<h2>Note</h2>")[2].partition("<h2>")[0]
    beside = workplace.root / f"{DAY}/knight.job.yaml"
    beside.write_text("kind: generate\nprompt: '</pre><script>alert(1)</script>'\n")
    shown = html(workplace, "picture/knight1")
    assert "the .job.yaml beside the picture" in shown
    assert "prompt: &#39;&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own there")
def test_no_text_from_outside_is_shown_as_the_job(workplace: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password: 1")
    (workplace.root / f"{DAY}/knight.job.yaml").symlink_to(tmp_path / "secret")
    assert "password" not in html(workplace, "picture/knight1")


@pytest.mark.parametrize(
    "job",
    [
        {"x": json.loads('{"a":' * 600 + "1" + "}" * 600)},
        {"x": json.loads("[" * 900 + "]" * 900)},
        {"prompt": "\ud800", "note": "\udfff"},
        {"kind": 5, "prompt": {"a": 1}, "note": {"b": [1]}, "size": [], "image": 7, "strength": float("nan")},
    ],
)
def test_a_strangers_picture_may_say_anything_of_its_job(workplace: Any, job: dict[str, Any]) -> None:
    info = PngInfo()
    info.add_text("hotfolder", json.dumps({"image_id": "evil1", "kind": "outpaint", "job": job}))
    Image.new("RGB", (8, 8)).save(workplace.outbox / "evil.png", pnginfo=info)
    workplace.add_image("evil1", "outbox/evil.png", job_id=None, kind="outpaint", width=8, height=8)
    assert "evil.png" in page(workplace, "picture/evil1")
    assert workplace.get("/-/hotfolder/compare?id=evil1&id=knight1").status_code == 200


def test_boxes_lie_in_parts_of_the_picture(workplace: Any) -> None:
    box = (f"{DAY}/knight.png", "<i>helmet</i>", 0.987, 150, 100, 900, 300)
    workplace.connection.execute(
        "insert into detections(image_path, label, score, x0, y0, x1, y1) values (?, ?, ?, ?, ?, ?, ?)", box
    )
    workplace.connection.commit()
    shown = html(workplace, "picture/knight1")
    assert "left:25.000%;top:25.000%;width:75.000%;height:50.000%" in shown
    assert "&lt;i&gt;helmet&lt;/i&gt; 99%" in shown


def test_a_missing_file_is_said_in_a_sentence(workplace: Any) -> None:
    (workplace.root / f"{DAY}/knight.png").unlink()
    shown = page(workplace, "picture/knight1")
    assert f"The file is not where the catalog saw it last: {DAY}/knight.png" in shown
    assert "Prompt a knight in obsidian armor" in shown
    assert "The file in full" not in shown
    assert 'id="before"' not in html(workplace, "picture/cutout1"), "its source is gone"


def test_a_picture_that_was_moved_a_moment_ago_is_there(workplace: Any) -> None:
    """Its row follows within seconds; the id in the file says that it is the one."""
    kept = workplace.root / DAY / "keep/knight.png"
    kept.parent.mkdir()
    (workplace.root / DAY / "knight.png").unlink()
    image = Image.new("RGB", (600, 400))
    facts = Facts("knight1", "generate", {"kind": "generate", "prompt": "x"}, "trainedAlgorithmicMedia",
                  "2026-11-20T01:00:00Z", 600, 400)  # fmt: skip
    write.save(image, kept, "png", 92, facts)
    assert "not where the catalog saw it" not in page(workplace, "picture/knight1")
    assert workplace.get("/-/hotfolder/large/knight1").status_code == 200


@pytest.mark.parametrize("image_id", ["none", "", "%2e%2e%2fcatalog.db", "a/b", "é", "x" * 200, "1'--", "%00"])
def test_an_unknown_id_is_a_page_with_a_way_back(workplace: Any, image_id: str) -> None:
    shown = page(workplace, f"picture/{image_id}", 404)
    assert "no picture of this id" in shown
    assert "To the gallery" in shown


def test_long_and_hostile_prompts_are_folded_text(workplace: Any) -> None:
    prompt = "<script>alert(1)</script> & {{ 7*7 }} " + "word " * 4000
    workplace.add_image("long1", f"{DAY}/long.png", prompt=prompt)
    shown = html(workplace, "picture/long1")
    assert "<script>alert(1)" not in shown
    assert "{{ 7*7 }}" in shown
    assert "<details" in shown
    assert f"all of it, {len(prompt):,} characters" in shown
    assert unescape(shown).count("word " * 4000) == 1


# What a picture was made from


def paint(path: Path, size: tuple[int, int] = (40, 30), **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 30, 30)).save(path, **options)


def test_the_picture_before_is_served_from_where_it_lies(workplace: Any) -> None:
    for number, place in enumerate(("done/edit/a.png", "failed/x/b.webp", "inbox/c.jpg", f"{DAY}/knight.png")):
        if not (workplace.root / place).exists():
            paint(workplace.root / place)
        workplace.add_image(f"s{number}", f"{DAY}/s{number}.png", parent_path=place)
        for _ in range(2):
            answer = workplace.get(f"/-/hotfolder/source/s{number}")
            assert answer.status_code == 200, place
            assert answer.content == (workplace.root / place).read_bytes()
        parents = html(workplace, f"picture/s{number}").partition("Made from")[2].partition("<h2>")[0]
        assert ("/-/hotfolder/picture/knight1" if "knight" in place else f"/-/hotfolder/source/s{number}") in parents


@pytest.mark.parametrize("suffix", [".tif", ".heic", ".png"])
def test_what_browsers_do_not_show_comes_as_a_preview(workplace: Any, suffix: str) -> None:
    """By its content: a photograph of a telephone that somebody called .png is one of those too."""
    place = workplace.root / f"done/edit/a{suffix}"
    if suffix == ".tif":
        paint(place, (3000, 30))
    else:
        pillow_heif.register_heif_opener()
        paint(place.with_suffix(".heic"), (3000, 64))
        place.with_suffix(".heic").rename(place)
    workplace.add_image("t1", f"{DAY}/t.png", parent_path=f"done/edit/a{suffix}")
    answer = workplace.get("/-/hotfolder/source/t1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(answer.content)) as preview:
        assert preview.width == 2048
    assert workplace.get("/-/hotfolder/source/knight1").status_code == 404


def test_a_tiff_in_outbox_is_shown_large_as_a_preview(workplace: Any) -> None:
    paint(workplace.root / f"{DAY}/scan.tif", (60, 30))
    workplace.add_image("scan1", f"{DAY}/scan.tif", format="tiff", width=60, height=30)
    assert 'src="/-/hotfolder/large/scan1"' in html(workplace, "picture/scan1")
    assert workplace.get("/-/hotfolder/large/scan1").headers["content-type"] == "image/webp"
    assert 'src="/-/hotfolder/file/knight1"' in html(workplace, "picture/knight1")


def test_a_photograph_of_a_telephone_is_shown_everywhere(workplace: Any) -> None:
    """A caption of one is a copy of its own file: HEIC, under whichever of its endings."""
    pillow_heif.register_heif_opener()
    for ending in (".heic", ".HIF"):
        name = f"photo{ending}"
        paint(workplace.root / f"{DAY}/photo.heic", (640, 320))
        (workplace.root / f"{DAY}/photo.heic").rename(workplace.root / DAY / name)
        image_id = f"photo{ending[1:]}"
        workplace.add_image(image_id, f"{DAY}/{name}", format="heif", width=640, height=320)
        assert f'src="/-/hotfolder/large/{image_id}"' in html(workplace, f"picture/{image_id}")
        for what, kind in (("large", "image/webp"), ("thumb", "image/webp"), ("file", "image/heif")):
            answer = workplace.get(f"/-/hotfolder/{what}/{image_id}")
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind), (ending, what)


@pytest.mark.parametrize(
    "place",
    ["catalog.db", "hotfolder.yaml", "done/../secret.png", "inbox/../../out.png", "/etc/passwd", "done", "done/", "",
     "models/x.png", ".hotfolder/thumbs/x.png", "done/text.png", "done/link.png", "done/\0.png", "done/a/b/c.png"],
)  # fmt: skip
def test_no_other_file_is_a_source(workplace: Any, tmp_path: Path, place: str) -> None:
    for path in ("secret.png", "models/x.png", ".hotfolder/thumbs/x.png", "../out.png"):
        paint(workplace.root / path)
    (workplace.root / "done").mkdir()
    (workplace.root / "done/text.png").write_text("no picture")
    if hasattr(os, "symlink") and sys.platform != "win32":
        (workplace.root / "done/link.png").symlink_to(workplace.root / "secret.png")
    workplace.add_image("evil1", f"{DAY}/evil.png", parent_path=place)
    assert workplace.get("/-/hotfolder/source/evil1").status_code == 404
    assert 'id="before"' not in html(workplace, "picture/evil1")
    workplace.add_image("evil2", place, format="tiff")
    assert workplace.get("/-/hotfolder/large/evil2").status_code == 404


def test_before_and_after_lie_over_one_another_where_their_shapes_agree(workplace: Any) -> None:
    for name, size in (("like", (150, 100)), ("nearly", (151, 100)), ("other", (100, 150))):
        paint(workplace.root / f"done/{name}.png", size)
        paint(workplace.root / f"{DAY}/{name}.png", (600, 400))
        workplace.add_image(name, f"{DAY}/{name}.png", kind="upscale", parent_path=f"done/{name}.png")
    for name in ("like", "nearly"):
        assert 'style="left:0%;top:0%;width:100%;height:100%"' in html(workplace, f"picture/{name}")
    shown = page(workplace, "picture/other")
    assert "Before, 100 × 150" in shown
    assert "After, 600 × 400" in shown
    assert "<input" not in html(workplace, "picture/other")


def test_the_comparison_begins_by_itself_where_the_pixels_changed(workplace: Any) -> None:
    paint(workplace.root / "done/a.png", (60, 40))
    for kind, begins in (("edit", "yes"), ("upscale", "yes"), ("caption", ""), ("detect", "")):
        paint(workplace.root / f"{DAY}/{kind}.png", (60, 40))
        workplace.add_image(kind, f"{DAY}/{kind}.png", kind=kind, parent_path="done/a.png", width=60, height=40)
        assert f'data-begins="{begins}"' in html(workplace, f"picture/{kind}"), kind


@pytest.mark.parametrize(
    ("options", "style"),
    [
        ({"extend": {"left": 150, "top": "25%"}}, None),
        ({"extend": {"left": 300, "top": 200}}, "left:50.0%;top:50.0%;width:50.0%;height:50.0%"),
        ({"width": 600, "height": 400, "anchor": "top left"}, "left:0.0%;top:0.0%;width:50.0%;height:50.0%"),
        ({}, None),
        ({"extend": "much"}, None),
    ],
)
def test_an_outpainted_picture_lies_at_its_place_in_the_canvas(workplace: Any, options: Any, style: str | None) -> None:
    paint(workplace.root / "done/a.png", (300, 200))
    workplace.add_job(30, kind="outpaint", spec=json.dumps({"kind": "outpaint", "options": options}))
    workplace.connection.execute(
        "update images set kind = 'outpaint', job_id = 30, parent_path = 'done/a.png' where id = 'knight1'"
    )
    workplace.connection.commit()
    shown = html(workplace, "picture/knight1")
    found = re.findall(r'id="before"[^>]*style="([^"]*)"', shown)
    assert found == ([style] if style else [])
    assert ("Before, 300 × 200" in shown) is (style is None)
