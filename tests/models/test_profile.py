"""Profiles as they ship, as people write them, and what they make of a job."""

from pathlib import Path

import pytest

from hotfolder.errors import BadSpec, ConfigError
from hotfolder.models.entries import HERE, entries
from hotfolder.models.profile import Choice, Serving, choose, profile
from hotfolder.spec import JobSpec, LoraUse

SHIPPED = sorted(path.stem for path in (HERE / "profiles").glob("*.yaml"))
HYPER = LoraUse(name="hyper-flux1-dev-8steps", weight=0.125)


def chosen(own: Path, name: str, has_card: bool = True, **job: object) -> Choice:
    found = choose(JobSpec.model_validate({"kind": "generate", **job}), name, own, own / "models", "job.yaml", has_card)
    assert found
    return found


def refusal(own: Path, text: str) -> list[str]:
    (own / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        profile("mine", own)
    return str(error.value).removeprefix("the profile `mine` cannot be used: ").splitlines()


def test_the_shipped_profiles_are_these_and_can_be_used(tmp_path: Path) -> None:
    assert SHIPPED == ["auto", "fast", "hyper", "miniature", "quality"]
    for name in SHIPPED:
        table = profile(name, tmp_path)
        assert set(table) >= {"generate", "upscale"}
        miniature = [entries()[row.model].is_miniature for row in table.values() if entries()[row.model].is_loaded]
        assert miniature == [name == "miniature"] * len(miniature), "never mixed"


def test_auto_leaves_the_choice_to_the_machine_and_the_others_name_it(tmp_path: Path) -> None:
    rows = {name: profile(name, tmp_path)["generate"] for name in SHIPPED}
    assert rows["auto"] == Serving(model="flux1-schnell")
    assert rows["fast"] == Serving(model="flux1-schnell", precision="nf4")
    assert rows["quality"] == Serving(model="flux1-dev", precision="bf16", text_precision="bf16")
    assert rows["hyper"] == Serving(model="flux1-dev", precision="nf4", loras=(HYPER,), steps=8, guidance=3.5)


def test_without_a_card_upscaling_is_lanczos(tmp_path: Path) -> None:
    assert chosen(tmp_path, "auto", kind="upscale").entry.name == "realesrgan-x4plus"
    assert chosen(tmp_path, "auto", has_card=False, kind="upscale").entry.name == "lanczos"
    named = chosen(tmp_path, "auto", has_card=False, kind="upscale", model="realesrgan-x4plus")
    assert (named.entry.name, named.by_name) == ("realesrgan-x4plus", True)


def test_a_job_gets_the_steps_guidance_and_loras_of_its_profile(tmp_path: Path) -> None:
    filled = chosen(tmp_path, "hyper").filled(JobSpec(kind="generate"))
    assert (filled.steps, filled.guidance, filled.loras) == (8, 3.5, (HYPER,))
    assert chosen(tmp_path, "hyper").lora_bytes == 695_000_000
    again = chosen(tmp_path, "hyper", **filled.model_dump(exclude_none=True))
    assert again.filled(filled) == filled, "the same job again gets nothing twice"


def test_what_the_job_says_comes_before_the_profile(tmp_path: Path) -> None:
    own = (LoraUse(name=HYPER.name, weight=0.1), LoraUse(name="ink"))
    filled = chosen(tmp_path, "hyper").filled(JobSpec(kind="generate", steps=12, guidance=0, loras=own))
    assert (filled.steps, filled.guidance, filled.loras) == (12, 0, own)


def test_another_model_than_the_profiles_keeps_its_precision_but_not_its_loras(tmp_path: Path) -> None:
    other = chosen(tmp_path, "hyper", model="flux1-schnell")
    assert other.serving == Serving(model="flux1-schnell", precision="nf4")
    assert other.lora_bytes == 0
    assert chosen(tmp_path, "hyper", model="flux1-dev").serving.loras == (HYPER,)


def test_a_profile_of_ones_own_comes_before_the_shipped(tmp_path: Path) -> None:
    (tmp_path / "fast.yaml").write_text("upscale: lanczos\ngenerate:\n  model: flux1-dev\n  offload: group\n")
    table = profile("fast", tmp_path)
    assert table == {"upscale": Serving(model="lanczos"), "generate": Serving(model="flux1-dev", offload="group")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "generate:\n  model: flux1-dev\n  step: 4\n",
            "line 3: unknown key `step` in `generate`; did you mean `steps`?",
        ),
        ("generate:\n  steps: 4\n", "line 1: `generate` needs `model`"),
        ("generate: 7\n", "line 1: `generate` must be a mapping"),
        ("generate: flux1-shnell\n", "line 1: no model `flux1-shnell` for generate; did you mean `flux1-schnell`?"),
        ("\nupscale: flux1-dev\n", "line 2: no model `flux1-dev` for upscale"),
        ("upscale:\n  model: realesrgan-x4plus\n  on_cpu: lancos\n", "line 3: no model `lancos` for upscale; did you"),
        ("generate: {model: flux1-dev, precision: int3}\n", "line 1: `generate.precision` must be one of `bf16`,"),
        ("generate: {model: flux1-dev, steps: 0}\n", "line 1: `generate.steps` must be a whole number from 1 to 1000"),
        (
            "generate:\n  model: flux1-schnell\n  loras:\n  - {name: hyper-flux1-dev-8steps}\n",
            "line 4: no LoRA `hyper-flux1-dev-8steps` for flux1-schnell",
        ),
        ("generate: flux1-dev\n---\nupscale: lanczos\n", "line 3: a profile is one mapping"),
        ("generate: [flux1-dev\n", "line 1: a `{` or `[` is not closed"),
    ],
)
def test_what_is_wrong_in_a_profile_is_said_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    (said,) = refusal(tmp_path, text)
    assert said.startswith("profiles/mine.yaml, ")
    assert expected in said


def test_a_picture_larger_than_the_profile_allows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("generate: {model: flux1-schnell, max_edge_px: 1536}\n")
    assert chosen(tmp_path, "mine", width=1536, height=64).serving.max_edge_px == 1536
    with pytest.raises(BadSpec, match=r"job\.yaml: the profile `mine` works on edges of up to 1536 pixels, not 2048"):
        chosen(tmp_path, "mine", width=64, height=2048)


def test_the_registry_names_files_licences_and_sizes_of_what_it_would_fetch() -> None:
    for entry in entries().values():
        if entry.repo:
            assert entry.files and entry.bytes, entry.name
            assert not [pattern for pattern in entry.files if pattern in ("*", "**")], "never a whole repository"
            if "model_index.json" in entry.files:
                assert [one for one in entry.files if "/" not in one] == ["model_index.json"], "the weights, twice"
        assert entry.is_loaded or entry.name == "lanczos"
        assert all(name in entries() for name in entry.lora_for)
    restricted = {entry.name for entry in entries().values() if not entry.commercial}
    dev = {"flux1-dev", "flux1-kontext-dev", "flux1-fill-dev"}
    assert restricted == dev | {"hyper-flux1-dev-8steps", "blip2-opt-2.7b"}
    assert {entry.name for entry in entries().values() if entry.gated} == dev | {"flux1-schnell"}


@pytest.mark.parametrize(("kind", "folder"), [("upscale", "models/upscalers/"), ("generate", "models/checkpoints/")])
def test_a_model_that_is_not_known_may_be_a_file_not_put_there_yet(tmp_path: Path, kind: str, folder: str) -> None:
    with pytest.raises(BadSpec, match=f"no model `4x-sharp` for {kind}; known for .*; or put its file into {folder}"):
        chosen(tmp_path, "auto", kind=kind, model="4x-sharp")
