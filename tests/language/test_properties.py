"""Whatever is written, the answer is a JobSpec or a sentence; and what is dumped is read back as it was."""

from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotfolder import yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.errors import BadSpec, Unsupported
from hotfolder.intake import language
from hotfolder.intake.words import KEY_ALIASES
from hotfolder.spec import IntakeKeys, JobSpec

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], include_characters="\n\t\r\x85"), max_size=40)
KEYS = st.sampled_from([*JobSpec.model_fields, *KEY_ALIASES, *IntakeKeys.model_fields, "size", "factor"]) | TEXT
SCALARS = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | TEXT
WORDS = st.sampled_from(["generate", "upscale", "edit", "canny", "1024x768", "png", "tarot", "{red|blue}", "__x__"])
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.just("name"), inner, max_size=3),
    max_leaves=8,
)


def answer(documents: list[yamlfile.Document], kind: str | None) -> JobSpec | None:
    try:
        return language.resolve(documents, kind)
    except (BadSpec, Unsupported):
        return None


@settings(max_examples=200)
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=6), max_size=3), st.sampled_from([None, "generate", "upscale"]))
def test_mappings(layers: list[dict[str, Any]], kind: str | None) -> None:
    names = ["folder.yaml"] * (len(layers) - 1) + ["job.yaml"]
    read: list[yamlfile.Document] = []
    for values, name in zip(layers, names):
        text = yaml.safe_dump(values, allow_unicode=True)
        try:
            read += yamlfile.parse(text.encode(), name)
        except BadSpec:
            continue
    spec = answer(read, kind)
    if spec is not None:
        assert language.resolve(yamlfile.parse(language.dump(spec).encode(), "again"), None) == spec


@settings(max_examples=500)
@given(st.binary(max_size=200) | TEXT.map(str.encode))
@example(b"? ")
@example(b"%YAML 1.1\n---\n- ")
def test_bytes(data: bytes) -> None:
    try:
        documents = yamlfile.parse(data, "job.yaml")
    except BadSpec:
        return
    for document in documents:
        answer([document], "generate")


@settings(max_examples=500)
@given(st.lists(st.sampled_from("prompt: a\n|>-?{}[]!&*#'\",%@` \t~<.3xe"), max_size=40).map("".join))
def test_yaml_s_own_characters(text: str) -> None:
    test_bytes.hypothesis.inner_test(text.encode())  # type: ignore[attr-defined]


PLAIN = st.fixed_dictionaries(
    {"kind": st.just("generate")},
    optional={
        "prompt": TEXT | st.lists(TEXT, min_size=1, max_size=4).map(tuple),
        "negative_prompt": TEXT,
        "seed": st.integers(0, 2**64 - 1),
        "variants": st.integers(1, 1000),
        "width": st.integers(16, 65_535),
        "height": st.integers(16, 65_535),
        "steps": st.integers(1, 1000),
        "guidance": st.floats(0, 100),
        "sampler": TEXT,
        "model": TEXT,
        "profile": TEXT,
        "image_sha256": st.from_regex("[0-9a-f]{64}", fullmatch=True),
        "format": st.sampled_from(["png", "jpeg", "webp"]),
        "quality": st.integers(1, 100),
        "name": TEXT,
        "keep_exif": st.booleans(),
        "priority": st.integers(-1000, 1000),
        "tags": st.lists(TEXT, max_size=3).map(tuple),
        "note": TEXT,
    },
)
LARGER = st.fixed_dictionaries(
    {"kind": st.just("upscale")},
    optional={
        "options": st.fixed_dictionaries({"factor": st.floats(0.01, 64)}),
        "image": TEXT,
        "note": st.sampled_from(
            ["NO", "1e3", ".5", "0x1F", "- a", "a: b", "# a", "'", '"', "|", "\n", " a", "a ", "&a"]
        ),
    },
)


@settings(max_examples=300)
@given((PLAIN | LARGER).map(lambda values: JobSpec(**values)))
@example(JobSpec(kind="generate", prompt="a\n\nb\n"))
@example(JobSpec(kind="generate", prompt="a\n b\n\n"))
@example(JobSpec(kind="generate", prompt="---\na", note="...\n---"))
@example(JobSpec(kind="generate", prompt="\n", tags=("",)))
def test_dump_and_back(spec: JobSpec) -> None:
    text = language.dump(spec)
    (document,) = yamlfile.parse(text.encode(), "job.yaml")
    assert language.resolve([document], None) == spec
    assert language.dump(language.resolve([document], None)) == text


def test_the_kinds_here_are_known() -> None:
    assert {"generate", "upscale"} <= set(CAPABILITIES)
