"""Which files belong together: names in, groups out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotfolder.intake.pairing import Group, pair
from hotfolder.intake.scan import Entry, Signature

SEEN = Signature(1, 1, 1, 1, 1)


def groups(*paths: str) -> dict[str, Group]:
    found, _ = pair(Entry(path, SEEN) for path in paths)
    assert len({group.primary.path for group in found}) == len(found)
    return {group.primary.path: group for group in found}


def members(*paths: str) -> dict[str, dict[str, str]]:
    return {
        primary: {role: entry.path for role, entry in group.members.items()}
        for primary, group in groups(*paths).items()
    }


PAIRS: dict[str, tuple[list[str], dict[str, dict[str, str]]]] = {
    "a picture": (["a.png"], {"a.png": {"picture": "a.png"}}),
    "any picture": (["a.JPG", "b.heic"], {"a.JPG": {"picture": "a.JPG"}, "b.heic": {"picture": "b.heic"}}),
    "its job by full name": (["a.png", "a.png.yaml"], {"a.png": {"picture": "a.png", "job": "a.png.yaml"}}),
    "its job by stem": (["a.png", "a.yaml"], {"a.png": {"picture": "a.png", "job": "a.yaml"}}),
    "its job as .yml": (["a.png", "a.yml"], {"a.png": {"picture": "a.png", "job": "a.yml"}}),
    "a job alone": (["a.yaml"], {"a.yaml": {"job": "a.yaml"}}),
    "prompts": (["a.txt"], {"a.txt": {"prompts": "a.txt"}}),
    "a caption": (["a.png", "a.txt"], {"a.png": {"picture": "a.png", "caption": "a.txt"}}),
    "its history": (["a.png", "a.job.yaml"], {"a.png": {"picture": "a.png", "history": "a.job.yaml"}}),
    "history and job": (
        ["a.png", "a.job.yaml", "a.yaml"],
        {"a.png": {"picture": "a.png", "history": "a.job.yaml", "job": "a.yaml"}},
    ),
    "a .job.yaml alone": (["a.job.yaml"], {"a.job.yaml": {"job": "a.job.yaml"}}),
    "its prompt": (["a.png", "a.prompt.txt"], {"a.png": {"picture": "a.png", "prompt": "a.prompt.txt"}}),
    "companions": (
        ["a.png", "a.mask.png", "a.control.jpg", "a.style.png", "a.face.webp", "a.prompt.txt"],
        {"a.png": {"picture": "a.png", "mask": "a.mask.png", "control": "a.control.jpg", "style": "a.style.png",
                   "face": "a.face.webp", "prompt": "a.prompt.txt"}},
    ),
    "a mask with capitals": (["a.png", "a.MASK.PNG"], {"a.png": {"picture": "a.png", "mask": "a.MASK.PNG"}}),
    "a mask alone": (["a.mask.png"], {"a.mask.png": {"mask": "a.mask.png"}}),
    "no companion": (["a.png", "a.old.png"], {"a.png": {"picture": "a.png"}, "a.old.png": {"picture": "a.old.png"}}),
    "twins": (["a.jpg", "a.png"], {"a.jpg": {"picture": "a.jpg"}, "a.png": {"picture": "a.png"}}),
    "twins, each with its own job": (
        ["a.jpg", "a.png", "a.jpg.yaml", "a.png.yaml"],
        {"a.jpg": {"picture": "a.jpg", "job": "a.jpg.yaml"}, "a.png": {"picture": "a.png", "job": "a.png.yaml"}},
    ),
    "other folders": (["a.png", "sub/a.yaml"], {"a.png": {"picture": "a.png"}, "sub/a.yaml": {"job": "sub/a.yaml"}}),
    "presets": (["x/folder.yaml", "folder.yaml", "x/a.png"], {"x/a.png": {"picture": "x/a.png"}}),
    "pause": (["PAUSE", "pause.txt", "Pause.TXT"], {}),
    "a pause that is none": (["x/pause.txt"], {"x/pause.txt": {"prompts": "x/pause.txt"}}),
}  # fmt: skip


@pytest.mark.parametrize(("dropped", "expected"), PAIRS.values(), ids=PAIRS)
def test_files_are_grouped(dropped: list[str], expected: dict[str, dict[str, str]]) -> None:
    assert members(*dropped) == expected
    assert members(*reversed(dropped)) == expected


@pytest.mark.parametrize(
    ("dropped", "primary", "says", "together"),
    [
        (["a.png", "a.yaml", "a.png.yaml"], "a.png", "a.png.yaml and a.yaml are both job files of a.png; keep one", 3),
        (["a.png", "a.yaml", "a.yml"], "a.png", "a.yaml and a.yml are both job files of a.png; keep one", 3),
        (["a.jpg", "a.png", "a.yaml"], "a.jpg", "a.yaml could belong to a.jpg or a.png; name it after one", 3),
        (["a.png", "a.mask.png", "a.mask.jpg"], "a.png", "are both the mask of a.png; keep one", 3),
    ],
)  # fmt: skip
def test_what_is_ambiguous_is_refused_with_all_its_files(
    dropped: list[str], primary: str, says: str, together: int
) -> None:
    found = groups(*dropped)
    assert list(found) == [primary]
    assert says in (found[primary].refusal or "")
    assert len(found[primary].members) == together


def test_a_companion_waits_for_its_picture() -> None:
    assert groups("a.mask.png")["a.mask.png"].waits_for == "a.png"


@pytest.mark.parametrize(
    ("job", "pictures"),
    [("a.png.yaml", ("a.png",)), ("a.JPG.yml", ("a.JPG",)), ("a.job.yaml", ())],
)
def test_a_job_file_alone_knows_which_picture_it_may_be_late_for(job: str, pictures: tuple[str, ...]) -> None:
    assert groups(job)[job].late_for == pictures


def test_a_job_file_named_by_stem_may_be_late_for_any_format() -> None:
    assert {"a.png", "a.jpg", "a.tif", "a.heic"} <= set(groups("a.yaml")["a.yaml"].late_for)


def test_files_of_unknown_kinds_are_nobodys() -> None:
    found, strangers = pair([Entry("x/archive.zip", SEEN), Entry("x/README", SEEN), Entry("x/a.png", SEEN)])
    assert [group.primary.path for group in found] == ["x/a.png"]
    assert [entry.path for entry in strangers] == ["x/archive.zip", "x/README"]


STEMS = st.sampled_from(["a", "b", "a.mask", "a.job", "a.png", "folder", ".mask", "a.prompt", "a.mask.mask", "pause"])
ENDINGS = st.sampled_from([".png", ".jpg", ".yaml", ".yml", ".txt", ".zip", ""])
PATHS = st.builds("{}{}{}".format, st.sampled_from(["", "x/", "x/y/"]), STEMS, ENDINGS)


@given(st.lists(PATHS, unique=True, max_size=12))
def test_every_file_is_in_one_place_only(dropped: list[str]) -> None:
    found, strangers = pair(Entry(path, SEEN) for path in dropped)
    placed = [entry.path for group in found for entry in group.members.values()] + [entry.path for entry in strangers]
    assert len(placed) == len(set(placed))
    rest = set(dropped) - set(placed)
    assert all(path.rpartition("/")[2] == "folder.yaml" or path.lower() in ("pause", "pause.txt") for path in rest)
    for group in found:
        assert group.primary in group.members.values()
        assert len({entry.folder for entry in group.members.values()}) == 1
