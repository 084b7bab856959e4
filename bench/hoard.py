"""A catalog as it looks after years: 100,000 pictures of 20,000 jobs, with prompts, models, LoRAs and tags."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hotfolder.catalog import pictures
from hotfolder.catalog.store import Catalog

NOW = datetime(2026, 11, 21, 12, 0, 0)
KINDS = {"generate": 62, "upscale": 12, "edit": 8, "vary": 5, "inpaint": 4, "caption": 4, "cutout": 3, "detect": 2}
MODELS = {
    "generate": ["flux1-schnell", "flux1-dev", "flux1-krea-dev", "sdxl-base"],
    "upscale": ["realesrgan-x4plus", "4x-ultrasharp"],
    "edit": ["flux1-kontext-dev", "qwen-image-edit"],
    "vary": ["flux1-schnell"],
    "inpaint": ["flux1-fill-dev"],
    "caption": ["blip-large"],
    "cutout": ["birefnet-general"],
    "detect": ["detr-resnet-50"],
}
LORAS = ["tarot", "koda", "realism", "anime", "ghibli", "watercolour", "pixel-art", "film-grain"]
_SUBJECTS = (
    "lighthouse knight fox cottage dragon sailor garden robot violin mountain cathedral orchard wolf harbour".split()
)
_LOOKS = "obsidian weathered golden misty neon ancient quiet stormy velvet crystalline rusted moonlit".split()
_PLACES = "in a storm|at dusk|under the northern lights|on a cliff|in a crowded market|by the sea|in deep snow".split(
    "|"
)
_STYLES = (
    "35 mm photograph, shallow depth of field|oil painting, thick brush strokes|studio light, high detail, sharp focus|"
    "watercolour on rough paper|cinematic, volumetric light, film grain|pencil sketch, cross hatching"
).split("|")
_TAGS = "wedding print client portfolio favourite draft poster book cover autumn winter night people animals".split()
_RARE = [f"commission-{number}" for number in range(400)]
RARE_WORD = "kaleidoscopic"
"""Stands in one prompt of a thousand."""


def fill(path: Path, images: int = 100_000, jobs: int = 20_000) -> None:
    """Write a catalog at `path`, always the same, through the code that writes real ones."""
    chance = random.Random(1)
    catalog = Catalog(path)
    catalog.connection.execute("pragma synchronous=off")
    with catalog.transaction():
        for job in range(1, jobs + 1):
            _put_job(catalog, job, NOW - timedelta(minutes=30 * (jobs - job)), chance)
        for number in range(images):
            _put_image(
                catalog, number, 1 + number * jobs // images, NOW - timedelta(minutes=6 * (images - number)), chance
            )
    catalog.close()


def _put_job(catalog: Catalog, job: int, at: datetime, chance: random.Random) -> None:
    (kind,) = chance.choices(list(KINDS), KINDS.values())
    state, error = ("failed", "no such mask; name one") if chance.random() < 0.02 else ("done", None)
    drop, when = f"d{job}", _text(at)
    catalog.rows(
        "insert into drops(id, hot_folder, name, state, files, created_at) values(?, ?, ?, ?, '[]', ?)",
        drop, kind, f"night-{job}.txt", state, when,
    )  # fmt: skip
    catalog.rows(
        "insert into jobs(id, drop_id, state, kind, hot_folder, name, spec, planned, model, position, attempts, "
        "created_at, started_at, finished_at, run_s, load_s, error) "
        "values(?, ?, ?, ?, ?, ?, ?, '[]', ?, ?, 1, ?, ?, ?, ?, 0, ?)",
        job, drop, state, kind, kind, f"night-{job}", json.dumps({"kind": kind, "prompt": _prompt(chance)}),
        MODELS[kind][0], job, when, when, when, chance.uniform(2, 40), error,
    )  # fmt: skip


def _put_image(catalog: Catalog, number: int, job: int, at: datetime, chance: random.Random) -> None:
    (kind,) = chance.choices(list(KINDS), KINDS.values())
    width, height = chance.choice([(1024, 1024), (1216, 832), (832, 1216), (1344, 768), (768, 1344)])
    tags = chance.sample(_TAGS, chance.choice([0, 0, 1, 2, 3]))
    if chance.random() < 0.03:
        tags.append(chance.choice(_RARE))
    loras = chance.sample(LORAS, 1) if kind == "generate" and chance.random() < 0.4 else []
    facts: dict[str, Any] = {
        "id": f"{chance.getrandbits(128):032x}",
        "pixel_sha256": f"{chance.getrandbits(256):064x}",
        "width": width,
        "height": height,
        "format": "png",
        "kind": kind,
        "prompt": _prompt(chance) if kind != "upscale" else None,
        "caption": f"a picture of a {chance.choice(_SUBJECTS)} on a wall" if kind == "caption" else None,
        "tags": tags,
        "loras": [{"name": name, "weight": 0.8, "hash": f"{chance.getrandbits(40):010x}"} for name in loras],
        "seed": chance.getrandbits(32),
        "seed_locked": int(chance.random() < 0.15),
        "model": chance.choice(MODELS[kind]),
        "profile": "auto",
        "steps": 4,
        "guidance": 3.5,
        "rating": chance.choices([None, 1, 2, 3, 4, 5], [80, 2, 3, 6, 6, 3])[0],
        "energy_wh": chance.uniform(0.1, 2),
        "created_at": _text(at),
    }
    output = {
        "path": f"outbox/{kind}/{at:%Y-%m-%d}/night-{job}_{number:06}.png",
        "sha256": f"{chance.getrandbits(256):064x}",
        "job_id": job,
        "hot_folder": kind if chance.random() < 0.8 else "posters",
    }
    pictures.put_image(catalog, facts, output, facts["created_at"])
    if chance.random() < 0.15:
        review = chance.choice(["keep", "reject"])
        catalog.rows("update images set review=? where id=?", review, facts["id"])


def _prompt(chance: random.Random) -> str:
    words = f"a {chance.choice(_LOOKS)} {chance.choice(_SUBJECTS)} {chance.choice(_PLACES)}, {chance.choice(_STYLES)}"
    rare = f", {RARE_WORD}" if chance.random() < 0.001 else ""
    return (
        f"{words}, number {chance.randrange(10_000)}, {chance.choice(_LOOKS)} colours, {chance.choice(_STYLES)}{rare}"
    )


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds") + "Z"
