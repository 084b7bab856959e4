"""What a step gets of the one before it, read from rows and files as a run leaves them."""

import json
from pathlib import Path

import pytest

from hotfolder import workspace as places
from hotfolder.catalog import chains, queue
from hotfolder.catalog.queue import NewJob
from hotfolder.catalog.store import Catalog
from hotfolder.errors import NotYet
from hotfolder.intake import handover
from hotfolder.workspace import Workspace

PHOTO = "done/pipeline/photo.png"


class Rows:
    """A catalog with one chain in it, some of whose steps have been done."""

    def __init__(self, root: Path) -> None:
        self.workspace: Workspace = places.init(root)
        places.make_private(self.workspace)
        self.catalog = Catalog(self.workspace.catalog)

    def chain(self, *kinds: str, drop: str = "d1", first: str | None = PHOTO) -> list[int]:
        """Put a chain of these kinds into the queue; a kind may have keys behind it (`generate {"strength": 1}`)."""
        jobs = []
        for number, written in enumerate(kinds):
            kind, _, more = written.partition(" ")
            spec = json.dumps({"kind": kind, **json.loads(more or "{}")})
            source, after = (None, (number - 1,)) if number else (first, ())
            state = "waiting" if number else "queued"
            jobs.append(NewJob(f"x{number}", kind, 0, spec, "[]", "", source, state, after=after))
        with self.catalog.transaction():
            queue.put_drop(self.catalog, drop, "pipeline", f"{drop}.yaml", "claimed", [], jobs)
        return [row["id"] for row in self.catalog.rows("select id from jobs where drop_id=? order by id", drop)]

    def done(self, job: int, *files: tuple[str, str], source: str | None = None) -> None:
        """End a step that has published these files, each with its role."""
        with self.catalog.transaction():
            self.catalog.rows(
                "update jobs set state='done', source_path=coalesce(?, source_path) where id=?", source, job
            )
            for number, (path, role) in enumerate(files):
                self.catalog.rows(
                    "insert into outputs(job_id, idx, role, path, name_key, sha256, bytes, facts, published) "
                    "values(?, ?, ?, ?, ?, '', 0, '{}', 1)",
                    job, number, role, path, path,
                )  # fmt: skip
                place = self.workspace.absolute(path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text("a red {fox}\n")

    def given(self, job: int) -> handover.Given:
        row = self.catalog.row("select * from jobs where id=?", job)
        assert row
        return handover.given(self.workspace, self.catalog, row)

    def at(self, path: str) -> Path:
        return self.workspace.absolute(path)


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    return Rows(tmp_path / "w")


def test_a_mask_is_handed_on_with_the_picture_that_was_looked_at(rows: Rows) -> None:
    first, second, third = rows.chain("generate", "mask", "inpaint", first=None)
    rows.done(first, ("outbox/x0.png", "picture"))
    assert rows.given(second).image == rows.at("outbox/x0.png")
    rows.done(second, ("outbox/x1.png", "picture"), ("outbox/x1.overlay.png", "beside"), source="outbox/x0.png")
    given = rows.given(third)
    assert (given.image, given.pictures) == (rows.at("outbox/x0.png"), {"mask": rows.at("outbox/x1.png")})


def test_a_mask_is_a_picture_to_a_step_that_takes_none(rows: Rows) -> None:
    first, second = rows.chain("mask", "upscale")
    rows.done(first, ("outbox/x0.png", "picture"))
    assert rows.given(second) == handover.Given(rows.at("outbox/x0.png"))


@pytest.mark.parametrize(
    ("after", "prompt", "picture"),
    [
        ("generate", "a red {fox}", None),
        ('generate {"strength": 0.5}', "a red {fox}", "outbox/x0.png"),
        ('generate {"prompt": "own"}', None, "outbox/x0.png"),
        ("upscale", None, "outbox/x0.png"),
    ],
)
def test_words_become_the_prompt_of_a_step_that_needs_one(
    rows: Rows, after: str, prompt: str | None, picture: str | None
) -> None:
    first, second = rows.chain("caption", after)
    rows.done(first, ("outbox/x0.png", "picture"), ("outbox/x0.txt", "beside"))
    assert rows.given(second) == handover.Given(rows.at(picture) if picture else None, prompt=prompt)


def test_a_corrected_text_counts_and_one_taken_away_is_waited_for(rows: Rows) -> None:
    first, second = rows.chain("caption", "generate")
    rows.done(first, ("outbox/x0.png", "picture"), ("outbox/x0.txt", "beside"))
    rows.at("outbox/x0.txt").write_text("a blue owl")
    assert rows.given(second).prompt == "a blue owl"
    rows.at("outbox/x0.txt").unlink()
    with pytest.raises(NotYet, match=r"waits for the text `outbox/x0\.txt`, which is not there"):
        rows.given(second)


def test_what_was_done_in_an_earlier_try_is_found_there(rows: Rows) -> None:
    old, _, _ = rows.chain("upscale", "mask", "inpaint")
    rows.done(old, ("outbox/x0.png", "picture"))
    rows.done(old + 1, ("outbox/x1.png", "picture"), source="outbox/x0.png")
    new, second, third = rows.chain("upscale", "mask", "inpaint", drop="d2")
    rows.done(new)
    rows.done(second)
    rows.catalog.rows("update drops set superseded_by='d2' where id='d1'")
    given = rows.given(third)
    assert (given.image, given.pictures) == (rows.at("outbox/x0.png"), {"mask": rows.at("outbox/x1.png")})


def test_a_step_says_which_step_it_waits_for_and_which_one_broke(rows: Rows) -> None:
    first, second, third = rows.chain("upscale", "caption", "upscale")
    with pytest.raises(NotYet, match="waits for step 1 of 3, upscale"):
        rows.given(second)
    with rows.catalog.transaction():
        queue.put_end(rows.catalog, first, "failed", "too large")
    for job in (second, third):
        with pytest.raises(handover.Broken, match="step 1 of 3, upscale, failed: too large") as caught:
            rows.given(job)
        assert caught.value.ends_as == "failed"
        with rows.catalog.transaction():
            queue.put_end(rows.catalog, job, "failed", str(caught.value))
    row = rows.catalog.row("select * from jobs where id=?", third)
    assert row and [step["id"] for step in chains.steps_of(rows.catalog, row)] == [first, second, third]
