"""Single questions to the admission: what it says about one group, at one moment."""

import os
import random
from pathlib import Path

import pytest

from hotfolder import machine
from hotfolder.intake.admit import Admission, Admitter
from hotfolder.intake.pairing import Group, pair
from hotfolder.intake.presets import Presets
from hotfolder.intake.scan import scan
from tests.intake.bench import Bench, picture


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "w")


def group_of(bench: Bench, origin: str) -> Group:
    groups, _ = pair(scan(bench.inbox))
    return next(group for group in groups if group.primary.path == origin)


def admit(bench: Bench, group: Group | str) -> Admission:
    group = group_of(bench, group) if isinstance(group, str) else group
    return Admitter(bench.workspace, Presets(bench.inbox), lambda sha256: None, random.Random(1), machine.facts).admit(
        group
    )


def test_a_picture_that_came_after_the_look_is_not_worked_on_before_it_has_settled(bench: Bench) -> None:
    bench.put("upscale/job.yaml", "image: photo.png\n")
    seen = group_of(bench, "upscale/job.yaml")
    bench.put("upscale/photo.png", picture()[:40])  # half of it so far
    (draft,) = admit(bench, seen).drafts
    assert draft.wait == "waits for the picture `photo.png`, which is still on its way through the inbox"


def test_wrong_settings_fail_no_photograph(bench: Bench) -> None:
    bench = Bench(bench.root, "profile: fastest\n")
    bench.put("upscale/a.png")
    (draft,) = admit(bench, "upscale/a.png").drafts
    assert draft.error is None
    assert draft.wait is not None
    assert "the settings have to be mended: no profile `fastest`" in draft.wait


def test_a_profile_that_the_job_names_wrongly_is_the_jobs_fault(bench: Bench) -> None:
    bench.put("upscale/a.png")
    bench.put("upscale/a.png.yaml", "factor: 2\nprofile: fastest\n")
    (draft,) = admit(bench, "upscale/a.png").drafts
    assert draft.error is not None
    assert draft.error.startswith("a.png.yaml, line 2: no profile `fastest`")


def test_an_alias_is_pointed_at_where_it_is_written(bench: Bench) -> None:
    bench.put("upscale/a.png")
    bench.put("upscale/a.png.yaml", "\n\ncheckpoint: lancsos\n")
    (draft,) = admit(bench, "upscale/a.png").drafts
    assert draft.error == "a.png.yaml, line 3: no model `lancsos` for upscale; did you mean `lanczos`?"


def test_an_upscaler_that_is_none_is_pointed_at(bench: Bench) -> None:
    bench.put("inpaint/a.png")
    bench.put("inpaint/a.png.yaml", "profile: miniature\nprompt: a fox\nmask_prompt: dog\nupscaler: lancsos\n")
    (draft,) = admit(bench, "inpaint/a.png").drafts
    assert draft.error == "a.png.yaml, line 4: no model `lancsos` for upscale; did you mean `lanczos`?"


def test_what_is_wrong_with_a_companion_names_it(bench: Bench) -> None:
    bench.put("edit/a.png")
    bench.put("edit/a.prompt.txt", "red " * 5_000)
    bench.put("upscale/b.png")
    bench.put("upscale/b.mask.png")
    said = [admit(bench, origin).drafts[0].error for origin in ("edit/a.png", "upscale/b.png")]
    assert said == [
        "a.prompt.txt: `prompt` is 19,999 characters long, more than 16,384",
        "b.mask.png: `mask` means nothing to `upscale`; take it out",
    ]


def test_what_works_on_words_alone_takes_text_files_and_no_picture(bench: Bench) -> None:
    bench.put("expand/short.txt", "a red circle\n\na fox\n")
    drafts = admit(bench, "expand/short.txt").drafts
    assert [(one.name, one.spec.kind, one.spec.prompt) for one in drafts] == [
        ("short_001", "expand", "a red circle"),
        ("short_002", "expand", "a fox"),
    ]
    bench.put("expand/a.png")
    (draft,) = admit(bench, "expand/a.png").drafts
    assert draft.error == "a.png: `expand` takes no picture; drop it into the folder of another kind"


def test_every_refusal_names_its_file(bench: Bench) -> None:
    bench.put("upscale/wide.png", picture(size=(900, 900)))
    bench.put("upscale/wide.png.yaml", "factor: 60\n")
    bench.put("expand/a.png")
    for origin in ("upscale/wide.png", "expand/a.png"):
        (draft,) = admit(bench, origin).drafts
        assert draft.error is not None
        assert draft.error.startswith(f"{origin.rpartition('/')[2]}: ")


@pytest.mark.parametrize(
    ("origin", "label"),
    [("upscale/a.b.png", "a.b"), ("upscale/a.png.yaml", "a"), ("upscale/a.yaml", "a"), ("upscale/a.job.yaml", "a"),
     ("upscale/CON.png", "_CON"), ("upscale/\u202e.png", "job")],
)  # fmt: skip
def test_a_job_is_named_after_its_picture(bench: Bench, origin: str, label: str) -> None:
    bench.put(origin, picture() if origin.endswith(".png") else "image: jobs/x.png\n")
    assert [draft.name for draft in admit(bench, origin).drafts] == [label]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [("m.txt", "\na fox\n\n\n<lora:outlines:1>\n", "m.txt, line 5: "),
     ("n.yaml", "prompt: x\n---\nprompt:\n", "n.yaml, line 3: ")],
)  # fmt: skip
def test_of_several_jobs_one_without_a_prompt_fails(bench: Bench, name: str, text: str, says: str) -> None:
    bench.put(f"generate/{name}", text)
    first, last = admit(bench, f"generate/{name}").drafts
    assert first.error is None
    assert (last.error, last.wait) == (f"{says}this job needs a prompt", None)


def test_a_prompt_file_without_a_word_is_said_to_be_empty(bench: Bench) -> None:
    bench.put("generate/r.png")
    bench.put("generate/r.prompt.txt", "\n")
    (draft,) = admit(bench, "generate/r.png").drafts
    assert draft.wait == "r.prompt.txt is empty; waits for its content"


def test_a_prompt_file_is_read_as_lists_of_prompts_are(bench: Bench) -> None:
    bench.put("generate/u.png")
    bench.put("generate/u.prompt.txt", "caf\xe9".encode("utf-16"))
    (draft,) = admit(bench, "generate/u.png").drafts
    assert (draft.error, draft.spec.prompt) == (None, "caf\xe9")
    bench.put("generate/l.png")
    bench.put("generate/l.prompt.txt", "caf\xe9".encode("latin-1"))
    (draft,) = admit(bench, "generate/l.png").drafts
    assert draft.error == "l.prompt.txt, line 1: this is not UTF-8 text; save the file as UTF-8"


def test_a_preset_that_is_a_pipe_is_not_opened(bench: Bench) -> None:
    bench.put("own/a.png")
    os.mkfifo(bench.inbox / "own/folder.yaml")  # reading it would never return
    (draft,) = admit(bench, "own/a.png").drafts
    assert draft.wait == "own/folder.yaml cannot be read: it is no file"


@pytest.mark.parametrize(
    ("preset", "says"),
    [
        ("kind: upscale\n---\nkind: generate\n", "own/folder.yaml holds several documents; a preset is one"),
        ("kind: shrink\n", "own/folder.yaml, line 1: unknown kind `shrink`"),
        ("kind: upscale\nfactor: 100\n", "own/folder.yaml, line 2: `factor` must be a number"),
        ("kind: upscale\nsettle_s: -1\n", "own/folder.yaml, line 2: `settle_s` must be a number"),
        ("kind: upscale\nimage: ../../../etc/passwd\n", "own/folder.yaml, line 2"),
        ("- kind: upscale\n", "own/folder.yaml, line 1"),
        ("\x00", "own/folder.yaml, line 1"),
        ("#" * 70_000, "own/folder.yaml: the file is 65,537 bytes long; at most 65,536 are read"),
        ("kind:\n", "has no kind of job"),
    ],
)
def test_a_broken_preset_makes_its_pictures_wait_with_file_and_line(bench: Bench, preset: str, says: str) -> None:
    bench.put("own/folder.yaml", preset)
    bench.put("own/job.yaml", "note: x\n")
    bench.put("own/a.png")
    (draft,) = admit(bench, "own/a.png").drafts
    if "image" in preset:  # a picture that the preset names is not asked for where each file is a picture
        assert draft.wait is None
        (draft,) = admit(bench, "own/job.yaml").drafts
    assert draft.error is None
    assert draft.wait is not None
    assert says in draft.wait


def test_a_job_file_named_after_a_picture_waits_for_it_also_where_words_would_do(bench: Bench) -> None:
    bench.put("generate/fox.png.yaml", "prompt: a fox\nprofile: miniature\n")
    (draft,) = admit(bench, "generate/fox.png.yaml").drafts
    assert draft.wait == "waits for fox.png beside it, or for `image:` in it"


def test_a_picture_that_was_replaced_is_not_taken_for_the_one_a_job_was_made_of(bench: Bench) -> None:
    bench.put("upscale/again.yaml", f"factor: 2\nimage: done/upscale/a.png\nimage_sha256: {'0' * 64}\n")
    (bench.workspace.done / "upscale").mkdir(parents=True)
    (bench.workspace.done / "upscale/a.png").write_bytes(picture())
    (draft,) = admit(bench, "upscale/again.yaml").drafts
    assert draft.wait and "it has changed since this job was written" in draft.wait
