"""The judge reads painted pictures right, and finds nothing in the wrong ones."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from hotfolder.miniatures.judge import judge, verdict
from hotfolder.miniatures.split import training_scene
from hotfolder.miniatures.world import Scene, Thing, paint

FIELDS = ("ground", "colour", "shape", "size", "place")


def _marks(scenes: list[Scene], images: list[Image.Image]) -> Counter[str]:
    right: Counter[str] = Counter()
    for scene, image in zip(scenes, images, strict=True):
        right.update(field for field, mark in verdict(scene, image).items() if mark)
    return right


def _painted(pairs: float, seed: int, n: int = 100) -> tuple[list[Scene], list[Image.Image]]:
    rng = np.random.default_rng(seed)
    scenes = [training_scene(rng, pairs) for _ in range(n)]
    return scenes, [paint(scene, 128, rng).image for scene in scenes]


@pytest.mark.parametrize("pairs", [0.0, 1.0])
def test_reads_99_of_100_painted_pictures_right(pairs: float) -> None:
    right = _marks(*_painted(pairs, seed=11))
    assert all(right[field] >= 99 for field in (*FIELDS, "all")), right


def test_shuffled_prompts_score_as_chance_does() -> None:
    scenes, images = _painted(0.0, seed=12)
    right = _marks(scenes[1:] + scenes[:1], images)
    assert right["ground"] <= 22  # one in ten by chance
    assert right["colour"] <= 22
    assert right["shape"] <= 27  # one in seven
    assert right["size"] <= 50  # one in three
    assert right["place"] <= 35  # one in five
    assert right["all"] == 0


def test_outlines_are_told_from_filled_shapes() -> None:
    rng = np.random.default_rng(13)
    scenes = []
    for _ in range(30):
        scene = training_scene(rng, pairs=0.0)
        scenes.append(Scene(scene.ground, (dataclasses.replace(scene.things[0], filled=False),)))
    right = _marks(scenes, [paint(scene, 128, rng).image for scene in scenes])
    assert right["all"] >= 29, right


def test_pictures_of_another_size_and_noisy_ones() -> None:
    scene = Scene("yellow", (Thing("purple", "heart", "small", "top"),))
    image = paint(scene, 512, np.random.default_rng(1)).image
    noise = np.random.default_rng(2).normal(0, 8, (512, 512, 3))
    noisy = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    assert verdict(scene, noisy)["all"]


def test_an_empty_ground_and_a_blob_are_not_taken_for_shapes() -> None:
    assert judge(Image.new("RGB", (128, 128), (50, 100, 210))).things == ()
    picture = Image.new("RGB", (128, 128), (50, 100, 210))
    picture.paste((214, 40, 40), (20, 60, 110, 68))
    (thing,) = judge(picture).things
    assert thing.colour == "red"
    assert thing.shape is None
