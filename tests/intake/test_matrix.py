"""A table of jobs: a cell for each combination of values, each a job of its own, and their sheet at the end."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hotfolder import yamlfile
from hotfolder.errors import BadSpec
from hotfolder.intake import language, matrix
from hotfolder.intake.parts import Part
from hotfolder.metadata import read
from hotfolder.spec import JobSpec
from tests.intake.bench import Bench, picture
from tests.service.living import Living, hotfolder, living

MATRIX = """\
model: lanczos
matrix:
  factor: [1, 2, {factor}]
  format: [png, webp]
"""


def parts(text: str, kind: str = "generate") -> Sequence[Part]:
    (document,) = yamlfile.parse(text.encode(), "fox.yaml")
    return matrix.parts(language.resolve([document], kind), [document])


def refusal(text: str, kind: str = "generate") -> str:
    with pytest.raises(BadSpec) as error:
        parts(text, kind)
    return str(error.value)


def test_every_combination_is_a_job_named_by_its_values_and_the_first_key_makes_columns() -> None:
    *cells, sheet = parts(
        "prompt: a fox\nguidance: 2\nmatrix:\n  cfg: [3.50, 7]\n  prompt: [a fox, 'a cat: black/white']\n"
    )
    assert [cell.ending for cell in cells] == [
        "_cfg-3.5_prompt-a-fox", "_cfg-7_prompt-a-fox",
        "_cfg-3.5_prompt-a-cat-black-white", "_cfg-7_prompt-a-cat-black-white",
    ]  # fmt: skip
    assert [(cell.spec.guidance, cell.spec.prompt) for cell in cells[:2]] == [(3.5, "a fox"), (7.0, "a fox")]
    assert all(cell.spec.matrix is None and not cell.after for cell in cells)
    assert sheet.spec.options["columns"] == ["cfg: 3.5", "cfg: 7"]
    assert sheet.spec.options["rows"] == ["prompt: a fox", "prompt: a cat: black/white"]
    assert sheet.after == (0, 1, 2, 3)


def test_a_third_key_and_more_make_blocks() -> None:
    *cells, sheet = parts("matrix: {steps: [1, 2], seed: [5, 6], size: [64, 128x64], sampler: [euler, null]}")
    assert len(cells) == 16
    assert sheet.spec.options["blocks"] == [
        "size: 64, sampler: euler", "size: 128x64, sampler: euler", "size: 64, sampler: none",
        "size: 128x64, sampler: none",
    ]  # fmt: skip
    assert [(cell.spec.width, cell.spec.sampler) for cell in cells[::4]] == [
        (64, "euler"), (128, "euler"), (64, None), (128, None)
    ]  # fmt: skip


def test_without_a_seed_all_cells_have_one_that_stays_when_values_are_mended() -> None:
    def seeds(text: str) -> set[int | None]:
        return {cell.spec.seed for cell in parts(text)[:-1]}

    (first,) = seeds("prompt: a fox\nmatrix: {steps: [1, 2]}")
    assert seeds("prompt: a fox\nmatrix: {steps: [1, 2, 3]}") == {first}
    assert seeds("prompt: a cat\nmatrix: {steps: [1, 2]}") != {first}
    assert seeds("prompt: a fox\nseed: 4\nmatrix: {steps: [1, 2]}") == {4}
    assert seeds("prompt: a fox\nmatrix: {seed: [8, 9]}") == {8, 9}


def test_loras_and_lists_are_values_as_others_are() -> None:
    *cells, _ = parts("loras: tarot\nmatrix:\n  loras: [tarot, [{name: ink, weight: 0.5}, tarot], null]\n")
    assert [[use.name for use in cell.spec.loras] for cell in cells] == [["tarot"], ["ink", "tarot"], []]
    assert [cell.ending for cell in cells] == ["_loras-tarot", "_loras-ink-0.5-tarot", "_loras-none"]


def test_names_that_would_be_alike_or_too_long_get_numbers() -> None:
    long = "x" * 200
    *cells, _ = parts(f"matrix: {{prompt: [{long} one, {long} two], negative_prompt: [{long}, a, b, c]}}")
    endings = [cell.ending for cell in cells]
    assert len(set(endings)) == len(endings) == 8
    assert max(len(ending.encode()) for ending in endings) <= matrix.MAX_ENDING_BYTES + 2


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("matrix:\n  steps: [4,\n    many]\n", "generate", "fox.yaml, line 3: `steps` must be a whole number"),
        ("matrix:\n  stepps: [4, 8]\n", "generate", "unknown key `stepps`; did you mean `steps`?"),
        ("matrix:\n  factor: [2, 100]\n", "upscale", "`factor` must be a number above 0 and up to 64, not `100`"),
        ("matrix:\n  steps: [4, 8]\n", "upscale", "`steps` means nothing to `upscale`"),
        ("matrix:\n  steps: []\n", "generate", "line 2: `matrix.steps` is an empty list"),
        ("matrix: {steps: [4]}\n", "generate", "this matrix has one cell"),
        ("matrix: {}\n", "generate", "this matrix has one cell"),
        ("matrix: {steps: 4}\n", "generate", "`matrix.steps` must be a list"),
        ("matrix: {kind: [generate, upscale]}\n", "generate", "`kind` is the same for all cells"),
        (f"matrix: {{steps: {[*range(1, 22)]}, seed: {[*range(20)]}}}\n", "generate", "21 x 20 = 420 cells; at most"),
        ("pipeline: [{kind: upscale}]\nmatrix: {seed: [1, 2]}\n", "pipeline", "does not go with `pipeline`"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_line(text: str, kind: str, says: str) -> None:
    assert says in refusal(text, kind)


def test_one_failed_cell_costs_one_cell_and_trying_again_makes_that_one_and_the_sheet(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    data = picture(7, (640, 480))
    bench.put("upscale/photo.png", data)
    bench.put("upscale/photo.png.yaml", MATRIX.format(factor=60))
    bench.run()
    names = {job["name"]: job["state"] for job in bench.jobs()}
    assert len(names) == 7 and {name for name in names if names[name] == "failed"} == {
        "photo_factor-60_format-png", "photo_factor-60_format-webp"
    }  # fmt: skip
    failed = bench.root / "failed" / "upscale"
    reason = (failed / "photo.png.error.txt").read_text()
    assert "photo_factor-60_format-png: " in reason and "5 of 7 jobs of this file were done" in reason
    first = {row["path"] for row in bench.rows("select path from images")}
    (sheet,) = bench.rows("select * from images where kind='sheet'")
    options = json.loads(bench.rows("select spec from jobs where kind='sheet'")[0]["spec"])["options"]
    assert options["failed"].keys() == {"2", "5"} and "megapixels" in options["failed"]["2"]
    with Image.open(bench.workspace.absolute(sheet["path"])) as drawn:
        assert drawn.getpixel((drawn.width - 12, drawn.height // 3)) == (236, 236, 236), "the failed cell"
        assert drawn.getpixel((drawn.width // 2, drawn.height // 3)) == (7, 0, 0), "a made one"

    for path in failed.iterdir():
        if path.name != "photo.png.error.txt":
            path.rename(bench.inbox / "upscale" / path.name)
    (bench.inbox / "upscale" / "photo.png.yaml").write_text(MATRIX.format(factor=3))
    bench.run()
    again = {row["path"] for row in bench.rows("select path from images")} - first
    assert sorted(Path(path).name for path in again) == [
        "photo_factor-3_format-png.png", "photo_factor-3_format-webp.webp", "photo_sheet-2.png"
    ]  # fmt: skip
    spec = json.loads(bench.rows("select spec from jobs where kind='sheet' order by id desc")[0]["spec"])
    assert "failed" not in spec["options"]
    assert not list(failed.iterdir()) and bench.tree("done") == {"upscale/photo.png", "upscale/photo.png.yaml"}


def test_the_cells_may_name_pictures_that_lie_beside_the_job(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    for number, name in ((3, "a.png"), (4, "b.png")):
        bench.put(f"upscale/{name}", picture(number))
    bench.put("upscale/two.yaml", "model: lanczos\nmatrix: {image: [a.png, b.png]}\n")
    bench.run()
    assert {job["name"]: job["state"] for job in bench.jobs()} == dict.fromkeys(
        ("two_image-a", "two_image-b", "two_sheet"), "done"
    )
    assert bench.tree("done") == {"upscale/two.yaml", "upscale/a.png", "upscale/b.png"}
    parents = {row["path"][-5:]: row["parent_path"] for row in bench.rows("select * from images where kind='upscale'")}
    assert parents == {"a.png": "done/upscale/a.png", "b.png": "done/upscale/b.png"}


def test_killed_halfway_a_matrix_goes_on_and_makes_no_cell_twice(tmp_path: Path) -> None:
    for place in living(tmp_path / "w"):
        place.drop("upscale/photo.png.yaml", MATRIX.format(factor=3))
        place.drop("upscale/photo.png", picture(7))
        token = tmp_path / "die"
        token.touch()
        died = hotfolder(place.root, "run", "--once", HOTFOLDER_CRASH_AT=f"recorded:3:{token}")
        assert died.returncode == -9
        before = {row["id"]: row["created_at"] for row in place.rows("select * from images")}
        assert len(before) == 3
        assert place.once().returncode == 0
        rows = place.rows("select * from images order by path")
        assert len(rows) == 7 and len({row["path"] for row in rows}) == 7
        assert before.items() <= {row["id"]: row["created_at"] for row in rows}.items()
        _is_as_promised(place, next(row for row in rows if row["kind"] == "sheet"), rows)


def _is_as_promised(place: Living, sheet: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    path = place.workspace.absolute(sheet["path"])
    assert b"compositeSynthetic" in path.read_bytes()
    job = path.with_name("photo_sheet.job.yaml").read_text()
    (document,) = yamlfile.parse(job.encode(), "photo_sheet.job.yaml")
    again = language.resolve([document], None)
    assert set(again.options["pictures"]) == {row["path"] for row in rows if row["kind"] != "sheet"}
    assert read.read(path).job == language.written(again)
    cell = place.workspace.absolute(rows[0]["path"])
    text = cell.with_name(f"{cell.stem}.job.yaml").read_text()
    assert "matrix" not in text and JobSpec.model_validate(json.loads(place.rows("select spec from jobs")[0]["spec"]))


def test_there_may_be_four_hundred_cells() -> None:
    steps, seeds = [*range(1, 21)], random.Random(1).sample(range(1000), 20)
    assert len(parts(f"prompt: a fox\nmatrix: {{steps: {steps}, seed: {seeds}}}")) == matrix.MAX_CELLS + 1
