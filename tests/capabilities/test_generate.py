"""Generating, by the path of the real weights: the sidecar's words reach the model, and the same job gives the same."""

import json
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from hotfolder import images
from hotfolder.metadata import read
from hotfolder.status import Status
from tests.capabilities.conftest import LATE, Early
from tests.models.lorafiles import as_diffusers, matrices, write
from tests.service.living import Living, at_once, picture, poll

MOST = 2**64 - 1

JOBS = {
    "locked": "prompt: a red circle\nseed: 7\ntags: [one, two]\nnote: a remark\n",
    "variants": "prompt: 'a {red|green|blue} __animal__'\nseed: 40\nvariants: 3\nformat: jpeg\nquality: 80\n",
    "several": "prompt: [a house, a tree]\nseed: 3\nformat: webp\n",
    "free": "prompt: a red circle\nvariants: 2\nsize: 32\n",
    "odd": "prompt: x\nsize: 79x50\nseed: 1\n",
    "most": f"prompt: x\nseed: {MOST}\nsize: 32\nvariants: 2\n",
    "steps": "prompt: x\nsteps: 2\nguidance: 1.5\nsampler: euler\nseed: 0\nsize: 32\n",
    "literal": "prompt: 'a \\{curly\\} __animal__'\nseed: 5\nsize: 32\n",
    "solved": "prompt: x\nseed: 1\nsize: 32\nsampler: dpmpp_2m_karras\n",
    "styled": "prompt: 'x <lora:Inks:0.5>'\nseed: 1\nsize: 32\nloras: [{name: chalk, weight: -1}]\n",
    "unstyled": "prompt: x\nseed: 1\nsize: 32\n",
}


@pytest.fixture(scope="module")
def made(painter: Living) -> dict[str, list[dict[str, Any]]]:
    """Drop every job, and give the rows of the pictures that came of them."""
    for number, name in enumerate(("inks", "chalk")):
        write(painter.workspace.models / "loras" / f"{name}.safetensors", as_diffusers(*matrices(number)))
    sdxl = {"lora_unet_input_blocks_4_1_attn2_to_k.lora_down.weight": torch.zeros(4, 2048)}
    write(painter.workspace.models / "loras" / "sdxl.safetensors", sdxl)
    (painter.workspace.models / "loras" / "page.safetensors").write_text("<html>Log in</html>")
    for name, text in JOBS.items():
        painter.drop(f"generate/{name}.yaml", text)
    for name in JOBS:
        assert painter.job(name, deadline_s=120)["error"] is None
    return {name: painter.images(name) for name in JOBS}


def test_one_picture_has_all_its_facts(painter: Living, made: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = made["locked"]
    expected = {
        "kind": "generate", "prompt": "a red circle", "negative_prompt": None, "seed": "7", "seed_locked": 1,
        "width": 64, "height": 48, "steps": 4, "guidance": 0.0, "sampler": "Euler", "model": "flux1-schnell",
        "profile": "auto", "format": "png", "tags": "one, two", "parent_path": None, "caption": None,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["prompt_tokens"] > 3
    path = painter.workspace.absolute(row["path"])
    assert images.pixel_sha256(images.open_picture(path, 10**6).image) == row["pixel_sha256"]
    found = read.read(path)
    assert (found.image_id, found.tags) == (row["id"], ("one", "two"))
    assert found.parameters_text and "Seed: 7" in found.parameters_text and "Size: 64x48" in found.parameters_text
    job = painter.job("locked")
    assert (job["model"], job["attempts"]) == ("flux1-schnell", 1) and job["run_s"] > 0
    loads = painter.rows("select id from jobs where model = 'flux1-schnell' and load_s > 0")
    assert len(loads) == 1, "the weights are loaded once for all jobs"


def test_variants_take_successive_seeds_and_wildcards_their_words(made: dict[str, list[dict[str, Any]]]) -> None:
    rows = made["variants"]
    assert [row["seed"] for row in rows] == ["40", "41", "42"]
    assert [row["path"].rpartition("/")[2] for row in rows] == [f"variants_0{n}.jpg" for n in (1, 2, 3)]
    for row in rows:
        colour, animal = row["prompt"].removeprefix("a ").split()
        assert colour in ("red", "green", "blue") and animal in ("cat", "dog", "owl", "fox", "bear")
    assert len({row["pixel_sha256"] for row in rows}) == 3


def test_several_prompts_share_a_seed_so_that_they_compare(made: dict[str, list[dict[str, Any]]]) -> None:
    rows = made["several"]
    assert [(row["prompt"], row["seed"], row["format"]) for row in rows] == [
        ("a house", "3", "webp"),
        ("a tree", "3", "webp"),
    ]


def test_without_a_seed_each_job_has_its_own_and_says_that_it_was_drawn(made: dict[str, list[dict[str, Any]]]) -> None:
    first, second = made["free"]
    assert int(second["seed"]) == int(first["seed"]) + 1 < 2**32
    assert first["seed_locked"] == second["seed_locked"] == 0


def test_seeds_go_to_the_last_of_64_bits_and_round(made: dict[str, list[dict[str, Any]]]) -> None:
    assert [row["seed"] for row in made["most"]] == [str(MOST), "0"]


def test_sizes_snap_down_to_sixteen(painter: Living, made: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = made["odd"]
    assert (row["width"], row["height"]) == (64, 48)
    with Image.open(painter.workspace.absolute(row["path"])) as image:
        assert image.size == (64, 48)


def test_steps_and_guidance_are_what_the_job_says(made: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = made["steps"]
    assert (row["steps"], row["guidance"], row["seed"]) == (2, 1.5, "0")


def test_words_seed_and_steps_change_the_picture(made: dict[str, list[dict[str, Any]]]) -> None:
    pixels = [row["pixel_sha256"] for rows in made.values() for row in rows]
    assert len(set(pixels)) == len(pixels)


@pytest.mark.parametrize(("name", "number"), [("locked", 0), ("variants", 1), ("several", 1), ("free", 1),
                                              ("most", 0), ("steps", 0), ("literal", 0), ("solved", 0),
                                              ("styled", 0), ("unstyled", 0)])  # fmt: skip
def test_a_job_file_dropped_again_gives_the_same_pixels(
    painter: Living, made: dict[str, list[dict[str, Any]]], name: str, number: int
) -> None:
    row = made[name][number]
    path = painter.workspace.absolute(row["path"])
    beside = path.with_suffix(".job.yaml")
    again = f"again-{name}"
    painter.drop(f"generate/{again}.job.yaml", beside.read_bytes())
    assert painter.job(again)["error"] is None
    (copy,) = painter.images(again)
    for same in ("prompt", "seed", "steps", "guidance", "width", "height", "model", "profile", "tags", "format"):
        assert copy[same] == row[same], same
    assert copy["pixel_sha256"] == row["pixel_sha256"]
    assert copy["seed_locked"] == 1
    assert read.read(path).job == yaml.safe_load(beside.read_text()), "the picture embeds the job beside it"


def test_a_text_of_prompts_makes_one_picture_a_line(painter: Living) -> None:
    painter.drop("generate/lines.txt", "first thing\n\n  second thing  \r\nthird thing\n")
    for number, line in enumerate(["first thing", "second thing", "third thing"], start=1):
        painter.job(f"lines_{number:03}", "done")
        assert [row["prompt"] for row in painter.images(f"lines_{number:03}")] == [line]
    assert painter.filed("lines.txt", "done")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model: flux1-schnel\n", "line 2: no model `flux1-schnel` for generate; did you mean `flux1-schnell`?"),
        ("model: lanczos\n", "no model `lanczos` for generate"),
        ("model: flux1-schnell-miniature\n", "use `profile: miniature`"),
        ("profile: fastest\n", "no profile `fastest`"),
        ("sampler: Euler a\n", "line 2: `Euler a` does not fit flow models such as FLUX; there are Euler, DPM++ 2M, "),
        ("prompt: a <lora:inks:much> b\n", "`<lora:inks:much>` must be like <lora:name:0.8>"),
        ("prompt: 'a {<lora:inks:1>|b}'\n", "outside of { }"),
        ("prompt: [a <lora:inks>, b]\n", "name them with `loras:`"),
        ("loras: [sdxl]\n", "the LoRA `sdxl` is for Stable Diffusion XL and does not fit flux1-schnell (FLUX.1)"),
        ("loras: [page]\n", "page.safetensors is a web page, no weights"),
        ("negative_prompt: people\n", "`guidance` above 1"),
        ("size: 4096\n", "up to 2048 pixels"),
        ("seed: 18446744073709551616\n", "`seed`"),
        ("variants: 0\n", "`variants`"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(painter: Living, text: str, says: str) -> None:
    name = f"wrong-{''.join(filter(str.isalnum, text))[:40]}"
    painter.drop(f"generate/{name}.yaml", text if text.startswith("prompt:") else f"prompt: x\n{text}")
    row = painter.job(name, "failed")
    assert says in row["error"], row["error"]
    assert row["strikes"] == 0, "what is wrong with a job is no strike against its worker"
    assert says in painter.filed(f"{name}.yaml.error.txt", "failed").read_text()


def test_a_negative_prompt_works_by_guidance(painter: Living) -> None:
    text = "prompt: x\nseed: 1\nguidance: 3\nsize: 32\n"
    painter.drop("generate/plain.yaml", text)
    painter.drop("generate/negated.yaml", f"{text}negative_prompt: people\n")
    for name in ("plain", "negated"):
        assert painter.job(name, deadline_s=120)["error"] is None
    (plain,), (negated,) = painter.images("plain"), painter.images("negated")
    assert negated["negative_prompt"] == "people"
    assert plain["pixel_sha256"] != negated["pixel_sha256"]


def test_samplers_of_other_programs_are_understood_and_their_name_recorded(
    painter: Living, made: dict[str, list[dict[str, Any]]]
) -> None:
    (row,) = made["solved"]
    assert row["sampler"] == "DPM++ 2M Karras"
    text = read.read(painter.workspace.absolute(row["path"])).parameters_text
    assert text and "Sampler: DPM++ 2M Karras" in text


def test_loras_act_and_are_recorded_wherever_people_look(
    painter: Living, made: dict[str, list[dict[str, Any]]]
) -> None:
    (styled,), (plain,) = made["styled"], made["unstyled"]
    assert styled["pixel_sha256"] != plain["pixel_sha256"]
    assert (plain["loras"], styled["prompt"]) == (None, "x")
    used = json.loads(styled["loras"])
    assert [(lora["name"], lora["weight"]) for lora in used] == [("chalk", -1.0), ("Inks", 0.5)]
    path = painter.workspace.absolute(styled["path"])
    text = read.read(path).parameters_text
    assert text and text.startswith("x <lora:chalk:-1> <lora:Inks:0.5>\n")
    hashes = ", ".join(f"{lora['name']}: {lora['hash']}" for lora in used)
    assert f'Lora hashes: "{hashes}"' in text and 'Lora weights: "chalk: -1, Inks: 0.5"' in text
    job = yaml.safe_load(path.with_suffix(".job.yaml").read_text())
    assert job["loras"] == [{"name": "chalk", "weight": -1.0}, {"name": "Inks", "weight": 0.5}]


def test_a_job_waits_for_its_lora(painter: Living) -> None:
    painter.drop("generate/inked.yaml", "prompt: x\nloras: [pencil]\nsize: 32\nseed: 1\n")
    row = painter.job("inked", "waiting")
    assert "waits for the LoRA `pencil`: put it into models/loras/ as pencil.safetensors" in row["wait_reason"]
    write(painter.workspace.models / "loras" / "part" / "pencil.tmp", as_diffusers(*matrices(5)))
    (painter.workspace.models / "loras" / "part" / "pencil.tmp").rename(
        painter.workspace.models / "loras" / "part" / "pencil.safetensors"
    )
    assert painter.job("inked", "done")["error"] is None


def test_a_picture_waits_for_its_prompt_and_is_then_begun_with(painter: Living) -> None:
    painter.drop("generate/photo.png", picture(60, 31))
    assert "put it into photo.prompt.txt beside it" in painter.job("photo", "waiting")["wait_reason"]
    painter.drop("generate/photo.prompt.txt", "a red circle\n")
    assert painter.job("photo", "done")["error"] is None
    (row,) = painter.images("photo")
    assert (row["width"], row["height"], row["prompt"]) == (64, 48, "a red circle"), (
        "the folder's preset says how large"
    )
    assert row["parent_path"] or row["kind"] == "generate"
    text = read.read(painter.workspace.absolute(row["path"])).parameters_text
    assert text and "Denoising strength: 0.6" in text
    beside = painter.workspace.absolute(row["path"]).with_suffix(".job.yaml").read_text()
    assert "# 31% of the picture was cut off" in beside


def test_strength_says_how_much_of_a_picture_is_changed(painter: Living) -> None:
    painter.drop("generate/grey.png", picture(64, 64, (128, 128, 128)))
    (painter.workspace.inbox / "generate" / "grey.prompt.txt").write_text("x")
    painter.job("grey", "done")
    made = {}
    for name, more in (
        ("least", "strength: 0.1"),
        ("little", "strength: 0.3"),
        ("nearly", "strength: 1"),
        ("solver", "strength: 1\nsampler: unipc"),
    ):
        text = f"prompt: x\nseed: 4\nsize: 32\nsteps: 4\nimage: done/generate/grey.png\n{more}\n"
        painter.drop(f"generate/{name}.yaml", text)
        assert painter.job(name, deadline_s=120)["error"] is None
        (made[name],) = painter.images(name)
    assert len({row["pixel_sha256"] for row in made.values()}) == 4
    least, beside = (
        painter.workspace.absolute(made[one]["path"]).with_suffix(".job.yaml") for one in ("least", "little")
    )
    assert "# `strength: 0.1` acted as 0.25: of 4 steps one is made at least; take more `steps`" in least.read_text()
    assert "\nsampler: Euler\n" in beside.read_text(), "what the job left open is filled in"
    painter.drop("generate/again-little.job.yaml", beside.read_bytes())
    assert painter.job("again-little")["error"] is None
    assert painter.images("again-little")[0]["pixel_sha256"] == made["little"]["pixel_sha256"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("strength: 0\n", "`strength: 0` would change nothing"), ("sampler: heun\n", "Heun cannot begin with a picture")],
)
def test_what_cannot_be_done_with_a_picture_is_said(painter: Living, text: str, says: str) -> None:
    name = f"no-{''.join(filter(str.isalnum, text))}"
    with at_once(painter):
        painter.drop(f"generate/{name}.yaml", f"prompt: x\n{text}")
        painter.drop(f"generate/{name}.png", picture())
    assert says in painter.job(name, "failed")["error"]


def test_what_was_done_otherwise_than_asked_is_told_and_written_beside_the_picture(painter: Living) -> None:
    painter.drop("generate/long.yaml", f"prompt: {'x' * 300} END\nsize: 50x40\nseed: 1\nguidance: 2\nstrength: 0.5\n")
    painter.job("long", "done")
    (row,) = painter.images("long")
    assert row["prompt_tokens"] > 300
    text = painter.workspace.absolute(row["path"]).with_suffix(".job.yaml").read_text()
    notes = [line[2:] for line in text.splitlines() if line.startswith("# ")]
    assert notes[0] == "50x40 became 48x32: edges of flux1-schnell are multiples of 16 pixels"
    assert notes[1].startswith("`strength` changed nothing") and notes[2].startswith("`guidance` changed nothing")
    assert f"the prompt has {row['prompt_tokens']} tokens, of which flux1-schnell reads 256; it was cut" in notes[3]
    assert notes[3].endswith('END"') and len(notes) == 4
    poll(lambda: notes[3] in painter.told(), "the service tells it")


def test_a_job_waits_for_its_weights_and_starts_when_they_are_all_there(studio: Living, early: Early) -> None:
    missing, incomplete, cut_short = early.rows
    for words in ("33.7 GB", "black-forest-labs/FLUX.1-schnell", "models/checkpoints/flux1-schnell/", "miniature"):
        assert words in str(missing["wait_reason"])
    assert early.was_in_inbox, "its file stays in the inbox while it waits"
    assert "not complete: transformer/*.safetensors is missing" in str(incomplete["wait_reason"])
    assert f"not complete: {LATE} is missing or cut short" in str(cut_short["wait_reason"])
    (row,) = poll(lambda: studio.rows("select * from jobs where name='early' and state='done'"), "early job", 120)
    assert row["id"] == missing["id"], "the same job, that waited"
    assert (row["wait_reason"], row["attempts"]) == (None, 1)


def test_progress_and_time_to_go_are_told_while_it_works(painter: Living) -> None:
    of, pictures = 700, 4  # some ten seconds: whoever looks only each other second sees it all the same
    painter.drop("generate/lasting.yaml", f"prompt: x\nsteps: {of}\nvariants: {pictures}\nsize: 64\nseed: 1\n")
    seen: list[Status] = []

    def look() -> bool:
        now = painter.status()
        is_new = now.progress and now.progress not in [one.progress for one in seen]
        if now.job and now.job["name"] == "lasting" and is_new:
            seen.append(now)
            assert all((painter.workspace.thumbs / f"{number}.webp").is_file() for number in now.made)
        return bool(painter.rows("select 1 from jobs where name='lasting' and state='done'"))

    poll(look, "end of the long job", 170)
    assert len(seen) >= 2
    for now in seen:
        assert (now.progress["pictures"], now.progress["of"], now.model) == (pictures, of, "flux1-schnell")
    early = {number for now in seen for number in now.made}
    assert early and early <= {row["id"] for row in painter.images("lasting")}, "what is made is told before the end"
    walked = [now.progress["picture"] - 1 + now.progress["step"] / of for now in seen]
    assert walked == sorted(walked)
    runs = [now.job["running_s"] for now in seen if now.job]
    assert runs == sorted(runs) and runs[-1] > 0
    told = [one for one in zip([now.eta_s for now in seen], runs, walked, strict=True) if one[0] is not None]
    assert told
    for eta_s, run_s, done in told:  # seconds are told with one decimal
        most_s = (run_s + 0.1) / (done - 1 / of) * (pictures - done) + 0.1
        assert 0 <= eta_s <= most_s, "what is left needs no longer than what is done did, with all that came before it"
    poll(lambda: painter.status().job is None and painter.status().progress == {}, "end of progress")
