"""One drop of everything that can be dropped, three runs of the real service, and where each file ends."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from hotfolder import verify
from tests.intake.bench import Bench, digest, picture


class Runs:
    """`first`: all is dropped. `second`: what failed is mended and put back. `third`: results are dropped again."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root)
        self.data: dict[str, bytes] = {}
        self.order: list[str] = []
        self.first: dict[str, list[dict[str, Any]]] = {}
        self.first_trees: dict[str, set[str]] = {}
        self.run_first()
        self.run_second()
        self.run_third()

    def put(self, name: str, data: bytes | str | None = None) -> None:
        self.data[name] = self.bench.put(name, data)

    def run_first(self) -> None:
        for name in ("a.jpg", "b.tif", "deep/er/c.png", "deep/d.webp"):
            suffix = {"jpg": "JPEG", "tif": "TIFF", "png": "PNG", "webp": "WEBP"}[name.rpartition(".")[2]]
            self.put(f"upscale/holiday/{name}", picture(format=suffix))
        same = picture()
        self.put("upscale/same one.png", same)
        self.put("upscale/same two.png", same)
        self.put("upscale/same name.png")
        self.put("upscale/same name.jpg", picture(format="JPEG"))
        for number, priority in enumerate([0, 5, -5, 9]):
            self.put(f"upscale/order/{number}.png")
            self.put(f"upscale/order/{number}.png.yaml", f"priority: {priority}\n")
        self.put("upscale/several.png", picture(size=(40, 20)))
        self.put(
            "upscale/several.png.yaml", "factor: 2\n---\nfactor: 0.5\nname: half/size\n---\nfactor: 1\nformat: webp\n"
        )
        self.put("upscale/caption.png")
        self.put("upscale/caption.txt", "a red square\n")
        self.put("upscale/history.png")
        self.put("upscale/history.job.yaml", "kind: generate\nprompt: how it was made\nseed: 3\n")
        self.put("upscale/both.png")
        self.put("upscale/both.yaml", "factor: 2\n")
        self.put("upscale/both.png.yaml", "factor: 3\n")
        self.put("upscale/good and bad.png")
        self.put("upscale/good and bad.png.yaml", "factor: 2\nnote: one\n---\nfactr: 3\n---\nfactor: 3\nnote: three\n")
        self.put("upscale/again.png", b"no picture")
        self.put("upscale/named.png")
        for name in ("one", "two"):
            self.put(f"upscale/names {name}.yaml", f"image: named.png\nnote: {name}\n")
        self.put("upscale/captioned and named.png")
        self.put("upscale/captioned and named.txt", "a caption\n")
        self.put("upscale/names three.yaml", "image: captioned and named.png\nnote: three\n")
        self.put("upscale/other kind.png.yaml", "kind: resize\nfactor: 2\n")
        self.put("upscale/other kind.png")
        self.bench.run()
        self.first = {name: self.bench.jobs(name) for name in self.data}
        self.first_trees = {base: self.bench.tree(base) for base in ("inbox", "outbox", "done", "failed")}
        rows = self.bench.rows("select name from jobs where hot_folder='upscale' and started_at is not null "
                               "order by started_at, id")  # fmt: skip
        self.order = [row["name"] for row in rows]

    def put_back(self, name: str, data: str | bytes | None = None) -> None:
        source, target = self.bench.root / "failed" / name, self.bench.inbox / name
        source.rename(target)
        if data is not None:
            target.write_bytes(data if isinstance(data, bytes) else data.encode())

    def run_second(self) -> None:
        mended = "factor: 2\nnote: one\n---\nfactor: 3\nnote: mended\n---\nfactor: 3\nnote: three\n"
        self.put_back("upscale/good and bad.png.yaml", mended)
        self.put_back("upscale/good and bad.png")
        self.put("upscale/again.png", b"no picture again")
        self.put("upscale/same one.png")  # other bytes, a name that is taken everywhere
        self.bench.run()

    def run_third(self) -> None:
        outbox = self.bench.workspace.outbox
        self.rerun = next(outbox.glob("upscale/*/several_01.job.yaml")).read_bytes()
        (self.bench.workspace.done / "upscale/moved on").mkdir()
        self.bench.put("upscale/rerun.job.yaml", self.rerun)
        lost = yaml.safe_load(self.rerun) | {"image_sha256": "0" * 64, "image": "done/upscale/renamed away.png"}
        self.bench.put("upscale/lost.job.yaml", yaml.safe_dump(lost))
        self.bench.run()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("once") / "w")


def states(runs: Runs, name: str) -> list[str]:
    return [job["state"] for job in runs.first[name]]


def test_a_folder_keeps_its_tree_in_outbox_and_done(runs: Runs) -> None:
    for name in ("a", "b", "deep/er/c", "deep/d"):
        assert f"upscale/DAY/holiday/{name}.png" in runs.first_trees["outbox"]
        assert f"upscale/DAY/holiday/{name}.job.yaml" in runs.first_trees["outbox"]
    assert {name for name in runs.data if "holiday" in name} <= runs.first_trees["done"]


def test_the_same_bytes_twice_run_twice(runs: Runs) -> None:
    assert states(runs, "upscale/same one.png") == states(runs, "upscale/same two.png") == ["done"]
    sha256 = digest(runs.data["upscale/same two.png"])
    assert runs.bench.input_hashes().count(sha256) == 2


def test_pictures_of_one_name_do_not_overwrite_each_other(runs: Runs) -> None:
    assert {"upscale/DAY/same name.png", "upscale/DAY/same name-2.png"} <= runs.first_trees["outbox"]
    assert {"upscale/same name.png", "upscale/same name.jpg"} <= runs.first_trees["done"]


def test_a_name_that_is_taken_gets_a_number_in_outbox_done_and_failed(runs: Runs) -> None:
    assert {"upscale/same one.png", "upscale/same one-2.png"} <= runs.bench.tree("done")
    assert {"upscale/DAY/same one.png", "upscale/DAY/same one-2.png"} <= runs.bench.tree("outbox")
    failed = {f"upscale/again{number}.png{ending}" for number in ("", "-2") for ending in ("", ".error.txt")}
    assert failed <= runs.bench.tree("failed")
    assert (runs.bench.root / "failed/upscale/again.png").read_bytes() == b"no picture"
    assert (runs.bench.root / "failed/upscale/again-2.png").read_bytes() == b"no picture again"


def test_higher_priority_goes_first(runs: Runs) -> None:
    assert [name for name in runs.order if name in {"0", "1", "2", "3"}] == ["3", "1", "0", "2"]
    assert runs.order[:2] == ["3", "1"]
    assert runs.order.index("2") > runs.order.index("several_01")


def test_each_document_is_a_job_on_the_same_picture(runs: Runs) -> None:
    assert states(runs, "upscale/several.png") == ["done"] * 3
    outbox = runs.bench.workspace.outbox
    sizes = {name: Image.open(next(outbox.glob(f"upscale/*/{name}"))).size
             for name in ("several_01.png", "half_size.png", "several_03.webp")}  # fmt: skip
    assert sizes == {"several_01.png": (80, 40), "half_size.png": (20, 10), "several_03.webp": (40, 20)}


def test_a_caption_or_history_beside_a_picture_is_no_job(runs: Runs) -> None:
    for name, other in (("caption.png", "caption.txt"), ("history.png", "history.job.yaml")):
        assert [(job["state"], job["kind"]) for job in runs.first[f"upscale/{name}"]] == [("done", "upscale")]
        assert {f"upscale/{name}", f"upscale/{other}"} <= runs.first_trees["done"]


def test_two_job_files_for_a_picture_are_refused_and_kept(runs: Runs) -> None:
    assert states(runs, "upscale/both.png") == ["failed"]
    files = {"upscale/both.png", "upscale/both.yaml", "upscale/both.png.yaml", "upscale/both.png.error.txt"}
    assert files <= runs.first_trees["failed"]
    text = (runs.bench.root / "failed/upscale/both.png.error.txt").read_text()
    assert "both.png.yaml and both.yaml are both job files of both.png; keep one" in text
    assert "move all 3 files of this job back into inbox/upscale/." in text


def test_a_broken_document_does_not_keep_its_neighbours(runs: Runs) -> None:
    name = "upscale/good and bad.png"
    assert states(runs, name) == ["done", "failed", "done"]
    assert {name, f"{name}.yaml", f"{name}.error.txt"} <= runs.first_trees["failed"]
    assert {"upscale/DAY/good and bad_01.png", "upscale/DAY/good and bad_03.png"} <= runs.first_trees["outbox"]
    (bad,) = [job for job in runs.first[name] if job["state"] == "failed"]
    assert bad["error"] == "good and bad.png.yaml, line 4: unknown key `factr`; did you mean `factor`?"


def test_a_mended_job_put_back_runs_only_what_was_not_done(runs: Runs) -> None:
    later = [
        job
        for job in runs.bench.jobs("upscale/good and bad.png")
        if job["id"] > runs.first["upscale/good and bad.png"][-1]["id"]
    ]
    assert [(job["state"], job["attempts"]) for job in later] == [("done", 0), ("done", 1), ("done", 0)]
    made = {name for name in runs.bench.tree("outbox") if "good and bad" in name and name.endswith(".png")}
    assert made == {f"upscale/DAY/good and bad_0{number}.png" for number in (1, 2, 3)}
    assert {"upscale/good and bad.png", "upscale/good and bad.png.yaml"} <= runs.bench.tree("done")


def test_a_picture_that_two_jobs_name_serves_both(runs: Runs) -> None:
    for name in ("one", "two"):
        assert runs.bench.states(f"upscale/names {name}.yaml") == ["done"]
    assert runs.bench.input_hashes().count(digest(runs.data["upscale/named.png"])) == 2
    assert "upscale/named.png" in runs.bench.tree("done")


def test_a_picture_with_a_caption_serves_the_job_that_names_it(runs: Runs) -> None:
    assert runs.bench.states("upscale/names three.yaml") == ["done"]
    assert "upscale/captioned and named.txt" in runs.bench.tree("done")


def test_a_job_may_name_its_own_kind(runs: Runs) -> None:
    (job,) = runs.first["upscale/other kind.png"]
    assert (job["kind"], job["state"], json.loads(job["spec"])["options"]) == ("upscale", "done", {"factor": 2.0})


def test_a_finished_jobs_file_alone_makes_the_same_picture_again(runs: Runs) -> None:
    (job,) = runs.bench.jobs("upscale/rerun.job.yaml")
    assert (job["state"], job["source_path"]) == ("done", "done/upscale/several.png")
    outbox = runs.bench.workspace.outbox
    first, again = (Image.open(next(outbox.glob(f"upscale/*/{name}.png"))) for name in ("several_01", "rerun"))
    assert first.tobytes() == again.tobytes()


def test_a_finished_jobs_file_whose_picture_is_nowhere_waits_for_it(runs: Runs) -> None:
    assert runs.bench.reason("upscale/lost.job.yaml") == (
        "waits for the picture `done/upscale/renamed away.png`, which is not there"
    )


def test_every_dropped_file_is_kept_whole(runs: Runs) -> None:
    kept = {digest(path.read_bytes()) for base in ("done", "failed") for path in (runs.bench.root / base).rglob("*")
            if path.is_file()}  # fmt: skip
    mended = "upscale/good and bad.png.yaml"
    assert {name for name, data in runs.data.items() if digest(data) not in kept} <= {mended}
    assert runs.first_trees["inbox"] == set()
    assert runs.bench.tree("inbox") == {"upscale/lost.job.yaml"}
    assert verify.verify(runs.bench.workspace) == []
