"""Editors, tiny, in the file layout of the real repositories: what they are given, and what they give back."""

import re
from typing import Any

import pytest
from PIL import Image

from hotfolder.errors import RejectedInput
from hotfolder.models import fit
from hotfolder.models.entries import entries
from hotfolder.models.families import flux1_kontext, qwen_image_edit
from hotfolder.models.placement import Machine, Placement
from hotfolder.models.pool import ModelPool
from hotfolder.spec import JobSpec, Planned
from tests.models import tinyeditors

CPU = Placement(device="cpu", precision="fp32", text_precision="fp32")
RED = Image.new("RGB", (90, 60), "red")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("editors")
    makers = {
        "flux1-kontext-dev": tinyeditors.save_kontext,
        "qwen-image-edit": lambda folder: tinyeditors.save_qwen(folder, "QwenImageEditPipeline"),
        "qwen-image-edit-2509": lambda folder: tinyeditors.save_qwen(folder, "QwenImageEditPlusPipeline"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(root / "hub"))
        for name, save in makers.items():
            save(root / name)
            entry = entries()[name]
            assert [one for one in entry.files if not list((root / name).glob(one))] == [], "the files that are wanted"
            assert entry.repo
            tinyeditors.cached(root / name, root / "hub", entry.repo)
        yield ModelPool(root / "models")


def edit(family: Any, image: Image.Image = RED, prompt: str = "make it blue", **keys: Any) -> Any:
    negative = keys.pop("negative_prompt", None)
    told: list[tuple[int, int]] = []
    planned = Planned(seed=5, seed_locked=True, prompt=prompt, negative_prompt=negative)
    made, facts = family.edit(image, planned, JobSpec(kind="edit", **keys), lambda *step: told.append(step))
    return made, facts, told


def test_kontext_is_given_the_picture_at_a_preferred_size(pool: ModelPool, monkeypatch: pytest.MonkeyPatch) -> None:
    family = pool.use("flux1-kontext-dev", CPU)
    given: dict[str, Any] = {}
    monkeypatch.setattr(family, "paint", lambda *_, **keys: (given.update(keys), ({}, {}))[1])
    edit(family, Image.new("RGBA", (6000, 4000)))
    assert given["image"].size == (given["width"], given["height"]) == (1248, 832)
    assert given["image"].getpixel((5, 5)) == (255, 255, 255), "what is transparent counts as white"
    assert (given["max_area"], given["_auto_resize"]) == (1248 * 832, False)


@pytest.mark.parametrize(
    ("size", "edge", "worked"),
    [((600, 600), 1024, (1024, 1024)), ((1920, 1080), 1024, (1392, 752)), ((1080, 1920), 1024, (752, 1392)),
     ((3000, 1000), 1024, (1776, 592)), ((128, 128), 128, (128, 128)), ((300, 200), 128, (160, 96)),
     ((64, 16), 128, (256, 64))],
)  # fmt: skip
def test_the_size_that_kontext_works_at(size: tuple[int, int], edge: int, worked: tuple[int, int]) -> None:
    assert flux1_kontext.work_size(size, edge) == worked


def test_kontexts_preferred_sizes_are_those_of_its_pipeline() -> None:
    from diffusers.pipelines.flux.pipeline_flux_kontext import PREFERRED_KONTEXT_RESOLUTIONS

    ours = {flux1_kontext.work_size(size, 1024) for size in PREFERRED_KONTEXT_RESOLUTIONS}
    assert ours == set(PREFERRED_KONTEXT_RESOLUTIONS)


def test_kontext_works_at_the_size_of_its_entry(pool: ModelPool) -> None:
    family = pool.use("flux1-kontext-dev", CPU)
    small = family.entry.model_copy(
        update={"defaults": family.entry.defaults.model_copy(update={"edge_px": 64, "steps": 2})}
    )
    family.entry = small
    made, facts, told = edit(family)
    assert (made.size, made.mode, told) == ((80, 48), "RGB", [(1, 2), (2, 2)])
    assert (facts["guidance"], facts["steps"], facts["sampler"], facts["notes"]) == (2.5, 2, "Euler", ())
    again, _, _ = edit(family)
    with_negative, _, _ = edit(family, negative_prompt="red")
    assert again.tobytes() == made.tobytes() != with_negative.tobytes()
    with pytest.raises(RejectedInput, match="works by `guidance` above 1"):
        edit(family, negative_prompt="red", guidance=1)
    _, facts, _ = edit(family, prompt="x" * 600)
    assert re.match(
        r"the prompt has \d+ tokens, of which flux1-kontext-dev reads 512; it was cut before", facts["notes"][0]
    )


@pytest.mark.parametrize("name", ["qwen-image-edit", "qwen-image-edit-2509"])
def test_qwen_edits_with_true_guidance(pool: ModelPool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = pool.use(name, CPU)
    calls: list[bool] = []
    forward = family.pipeline.transformer.forward
    monkeypatch.setattr(family.pipeline.transformer, "forward", lambda **keys: (calls.append(True), forward(**keys))[1])
    family.entry = family.entry.model_copy(
        update={"defaults": family.entry.defaults.model_copy(update={"edge_px": 64, "max_tokens": 100})}
    )
    made, facts, told = edit(family, prompt="word " * 30 + "END", steps=2)
    assert (made.size, made.mode, told) == ((64, 64), "RGB", [(1, 2), (2, 2)])
    assert len(calls) == 4, "without a negative prompt diffusers would leave true guidance out in silence"
    assert (facts["guidance"], facts["prompt_tokens"] > 100) == (4.0, True)
    (note,) = facts["notes"]
    assert f"of which {name} reads 100; it was cut before" in note and note.endswith('END"')
    whole, _, _ = edit(family, prompt="word " * 30 + "END" * 9, steps=2)
    assert whole.tobytes() == made.tobytes(), "what is cut off, which the pipeline would read, counts for nothing"
    with pytest.raises(RejectedInput, match="it takes 2 at least"):
        edit(family, steps=1)


@pytest.mark.parametrize(("size", "worked"), [((600, 600), (1024, 1024)), ((6000, 4000), (1248, 832))])
def test_the_size_that_qwen_works_at_is_its_pipelines(size: tuple[int, int], worked: tuple[int, int]) -> None:
    from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit import calculate_dimensions

    assert qwen_image_edit.work_size(size, 1024) == worked == calculate_dimensions(1024**2, size[0] / size[1])[:2]


@pytest.mark.parametrize(
    ("card_gb", "says"),
    [(24, "in NF4 (11.5 GB), the text encoder in NF4 (5.5 GB); all of it"),
     (48, "in bf16 (40.9 GB), the text encoder in NF4 (5.5 GB); the text encoders leave"),
     (80, "in bf16 (40.9 GB), the text encoder in bf16 (16.6 GB); all of it")],
)  # fmt: skip
def test_how_qwen_fits_a_card(card_gb: int, says: str) -> None:
    size = card_gb * 2**30
    machine = Machine(device="cuda", name="a card", device_bytes=size, free_bytes=size, ram_bytes=64 * 2**30)
    entry = entries()["qwen-image-edit-2509"]
    assert fit.explain(entry, fit.place(entry, None, fit.Wish(), machine), machine).startswith(says)
