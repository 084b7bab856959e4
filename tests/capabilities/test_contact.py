"""The contact sheet of a job with several pictures: what stands on it, what it says of itself, when there is none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hotfolder.capabilities.base import Result
from hotfolder.contact import MAX_PIXELS, Contact, labels
from hotfolder.images import sheets
from hotfolder.metadata import read
from hotfolder.order import Order
from hotfolder.spec import JobSpec, Planned
from tests.service.living import Living, poll

JOBS = {
    "trio": "prompt: 'a {red|green} fox on a hill'\nseed: 40\nvariants: 3\ntags: [one]\n",
    "pair": "prompt: [a house in the snow, a tree in the snow]\nformat: jpeg\n",
    "off": "prompt: x\nvariants: 2\ncontact_sheet: false\n",
    "alone": "prompt: x\n",
    "table": "prompt: x\nvariants: 2\nmatrix: {steps: [1, 2]}\n",
    "preset/quiet": "prompt: x\nvariants: 2\n",
}


@pytest.fixture(scope="module")
def made(painter: Living) -> dict[str, list[dict[str, Any]]]:
    quiet = painter.workspace.inbox / "generate" / "preset"
    quiet.mkdir()
    (quiet / "folder.yaml").write_text("contact_sheet: false\n")
    for name, text in JOBS.items():
        painter.drop(f"generate/{name}.yaml", text)
    names = [Path(name).name for name in JOBS]
    for name in [*names, "table_sheet"]:
        assert painter.job(name, deadline_s=200)["error"] is None if name != "table" else True
    return {name: painter.sheets(name) for name in names}


def words_on(painter: Living, name: str, texts: list[str]) -> Image.Image:
    """Return the sheet that a job's published pictures make with these labels."""
    copies = []
    for row, text in zip(painter.images(name), texts, strict=True):
        with Image.open(painter.workspace.absolute(row["path"])) as image:
            copies.append(sheets.Cell(sheets.thumbnail(image, 512), text))
    return sheets.draw(copies)


def test_the_sheet_shows_each_picture_with_its_number_and_what_differs(painter: Living, made: dict[str, Any]) -> None:
    colours = [row["prompt"].split()[1] for row in painter.images("trio")]
    (row,) = made["trio"]
    texts = [f"0{n} · seed {39 + n}" for n in (1, 2, 3)]
    if len(set(colours)) > 1:
        texts = [f"{text} · a {colour} …" for text, colour in zip(texts, colours, strict=True)]
    with Image.open(painter.workspace.absolute(row["path"])) as sheet:
        assert sheet.format == "PNG"
        np.testing.assert_array_equal(np.asarray(sheet), np.asarray(words_on(painter, "trio", texts)))


def test_it_is_a_picture_of_its_job_with_that_job_in_it(painter: Living, made: dict[str, Any]) -> None:
    (row,) = made["trio"]
    path = painter.workspace.absolute(row["path"])
    assert path.name == "trio_sheet.png" and not path.with_name("trio_sheet.job.yaml").exists()
    assert (row["kind"], row["seed"], row["energy_wh"], row["tags"]) == ("sheet", None, None, "one")
    assert {one["job_id"] for one in painter.images("trio")} == {row["job_id"]}
    found = read.read(path)
    assert found.image_id == row["id"] and found.record["source_type"] == "compositeSynthetic"
    assert found.job
    told = {key: found.job.get(key) for key in ("kind", "seed", "variants", "prompt")}
    assert told == {"kind": "generate", "seed": 40, "variants": 3, "prompt": "a {red|green} fox on a hill"}
    assert b"compositeSynthetic" in path.read_bytes()
    assert painter.rows("select 1 from images_fts where images_fts match 'fox' and rowid=?", _rowid(painter, row))


def _rowid(painter: Living, row: dict[str, Any]) -> int:
    return int(painter.rows("select rowid from images where id=?", row["id"])[0]["rowid"])


def test_several_prompts_are_told_by_their_words_and_the_format_is_the_jobs(
    painter: Living, made: dict[str, Any]
) -> None:
    (row,) = made["pair"]
    path = painter.workspace.absolute(row["path"])
    assert path.name == "pair_sheet.jpg" and row["prompt"] == "a house in the snow\na tree in the snow"
    seeds = [one["seed"] for one in painter.images("pair")]
    texts = [f"0{n} · seed {seed} · a {what} …" for n, (seed, what) in enumerate(zip(seeds, ("house", "tree")), 1)]
    expected = words_on(painter, "pair", texts)
    with Image.open(path) as sheet:
        assert sheet.size == expected.size
        assert np.abs(np.asarray(sheet, int) - np.asarray(expected, int)).mean() < 8, "JPEG"


def test_there_is_none_where_none_is_wanted_or_there_is_one_picture(painter: Living, made: dict[str, Any]) -> None:
    assert [made[name] for name in ("off", "alone", "quiet")] == [[], [], []]
    assert len(painter.images("off")) == len(painter.images("quiet")) == 2
    cells = painter.rows("select path, kind from images where path like '%/table%' order by path")
    assert [Path(row["path"]).name for row in cells if row["kind"] == "sheet"] == ["table_sheet.png"], "the matrix's"
    assert len(cells) == 5
    (job,) = (painter.workspace.absolute(cells[0]["path"]).with_suffix(".job.yaml"),)
    assert "contact_sheet" not in job.read_text(), "one picture again"


def test_a_sheet_in_rerun_is_the_whole_job_again_with_other_seeds(painter: Living, made: dict[str, Any]) -> None:
    path = painter.workspace.absolute(made["trio"][0]["path"])
    painter.drop("rerun/whole.png", path.read_bytes())
    assert painter.job("whole", deadline_s=200)["error"] is None
    rows = painter.images("whole")
    assert len(rows) == 3 and len(painter.sheets("whole")) == 1
    assert "40" not in {row["seed"] for row in rows} and {row["seed_locked"] for row in rows} == {0}
    assert json.loads(painter.job("whole")["spec"])["note"] == "rerun of whole.png, seed 40"


def test_a_sheet_cannot_be_varied(painter: Living, made: dict[str, Any]) -> None:
    painter.drop("vary/several.png", painter.workspace.absolute(made["trio"][0]["path"]).read_bytes())
    job = painter.job("several", "failed")
    assert "several.png shows several pictures; drop the one that is to be varied" in job["error"]


def test_the_last_step_of_a_chain_has_one_and_the_next_never_works_on_it(painter: Living, made: object) -> None:
    chain = "pipeline:\n- {kind: generate, prompt: x}\n- {kind: generate, prompt: y, strength: 0.5, variants: 2}\n"
    painter.drop("pipeline/chained.yaml", chain)
    job = painter.job("chained", deadline_s=200)
    assert job["error"] is None, job["error"]
    assert [Path(row["path"]).name for row in painter.images("chained")] == ["chained_01.png", "chained_02.png"]
    (sheet,) = painter.sheets("chained")
    first = painter.rows("select path from images where path like '%chained.1-generate.png'")[0]["path"]
    assert sheet["parent_path"] == first, "it was made from what they were made from"


def test_a_sheet_that_is_kept_is_no_picture_that_was_picked(painter: Living, made: object) -> None:
    upscale = "on_keep: {kind: upscale, model: lanczos, factor: 2}\n"
    painter.drop("generate/picked.yaml", f"prompt: x\nvariants: 2\n{upscale}")
    assert painter.job("picked", deadline_s=200)["error"] is None
    first, _, sheet = (
        painter.workspace.absolute(row["path"]) for row in [*painter.images("picked"), *painter.sheets("picked")]
    )
    keep = first.parent / "keep"
    keep.mkdir()
    sheet.rename(keep / sheet.name)
    kept = "select review from images where path like ?"
    poll(lambda: painter.rows(kept, f"%/keep/{sheet.name}"), "the sheet in keep/")
    first.rename(keep / first.name)
    poll(
        lambda: painter.rows("select 1 from jobs where kind='upscale' and state='done' and id>?", painter.since),
        "upscale",
    )
    sources = painter.rows("select source_path from jobs where kind='upscale' and id>?", painter.since)
    assert [Path(row["source_path"]).name for row in sources] == [first.name]


def planned(*prompts: str, **same: Any) -> list[Planned]:
    return [Planned(prompt=prompt, **{"seed": 1, "seed_locked": True, **same}) for prompt in prompts]


@pytest.mark.parametrize(
    ("prompts", "texts"),
    [
        (("a", "a"), ["", ""]),
        (("a cat", "a dog"), ["a cat", "a dog"]),
        (("a photograph of a cat asleep", "a photograph of a dog asleep"), ["… cat asleep", "… dog asleep"]),
        (("a very large red fox", "a very large fox"), ["… red fox", "… fox"]),
        (("one two three", "one two three four"), ["…", "… four"]),
        (("", "a"), ["", "a"]),
    ],
)  # fmt: skip
def test_labels_leave_out_what_all_prompts_share(prompts: tuple[str, ...], texts: list[str]) -> None:
    assert labels(planned(*prompts)) == texts


def test_labels_name_seeds_where_they_differ_and_mean_something() -> None:
    seeds = [*planned("a", seed=4), *planned("a", seed=5)]
    assert labels(seeds) == ["seed 4", "seed 5"]
    assert labels(seeds, has_seeds=False) == ["", ""]
    towards = [one.model_copy(update={"seed": 1, "variation_seed": n}) for n, one in enumerate(seeds)]
    assert labels(towards) == ["variation seed 0", "variation seed 1"]
    (long, _) = labels(planned("x" * 5_000, "y"))
    assert len(long) == 201 and long.endswith("…")


@pytest.mark.parametrize("count", [2, 30, 1_000])
def test_the_copies_of_any_number_of_pictures_fit_in_a_bounded_memory(count: int, tmp_path: Path) -> None:
    places = tuple(Planned(prompt=f"p{n}", seed=n, seed_locked=False) for n in range(count))
    spec = JobSpec(kind="generate", variants=min(count, 1_000))
    contact = Contact(Order(1, spec, places, "m", None, tmp_path, 10**9))
    large = Image.new("RGB", (160, 160), (10, 120, 200))
    for number, one in enumerate(places):
        contact.keep(number, Result(large, one))
    assert sum(image.width * image.height for image, _ in contact._kept.values()) <= MAX_PIXELS
    sheet = contact.drawn()
    assert sheet and max(sheet.size) <= sheets.MAX_EDGE_PX
    colours = sheet.getcolors(sheet.width * sheet.height) or []
    area = sum(number for number, colour in colours if colour == (10, 120, 200))
    assert area == sum(image.width * image.height for image, _ in contact._kept.values()), "none covers another"


def test_a_result_without_a_picture_of_its_own_has_no_place(tmp_path: Path) -> None:
    places = tuple(Planned(seed=n, seed_locked=False) for n in range(2))
    contact = Contact(Order(1, JobSpec(kind="caption"), places, "m", None, tmp_path, 10**9))
    for number, one in enumerate(places):
        contact.keep(number, Result(None, one))
    assert contact.drawn() is None
