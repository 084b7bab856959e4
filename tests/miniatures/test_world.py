"""The painted world: descriptions read back, masks and boxes are true, held-out combinations stay out."""

from __future__ import annotations

import numpy as np
import pytest

from hotfolder.miniatures.shapes import SHAPES
from hotfolder.miniatures.split import held_out, heldout_prompts, pair_prompts, sees_held_out, training_scene
from hotfolder.miniatures.world import COLOURS, RELATIONS, Scene, Thing, paint, parse


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (Scene("blue", (Thing("red", "circle", "large"),)), "a large red circle on a blue background"),
        (
            Scene("white", (Thing("green", "star", "small", "left"),)),
            "a small green star at the left on a white background",
        ),
        (
            Scene("black", (Thing("red", "heart"), Thing("yellow", "house")), "left of"),
            "a red heart left of a yellow house on a black background",
        ),
        (Scene("orange", (Thing("pink", "tree", filled=False),)), "a pink tree outline on an orange background"),
    ],
)
def test_description_and_back(scene: Scene, words: str) -> None:
    assert scene.describe() == words
    assert parse(words) == scene


def test_every_sampled_scene_reads_back() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        scene = training_scene(rng)
        assert parse(scene.describe()) == scene


@pytest.mark.parametrize("words", ["", "a photo of a cat", "a red circle on a red background", "a red circle"])
def test_other_words_are_no_scene(words: str) -> None:
    assert parse(words) is None


def test_place_may_be_said_though_it_is_the_centre() -> None:
    assert parse("A red circle at the center on a blue background") == parse("a red circle on a blue background")


def test_masks_and_boxes_tell_where_the_colour_is() -> None:
    scene = Scene("white", (Thing("blue", "square"), Thing("red", "star")), "right of")
    painting = paint(scene, 128, np.random.default_rng(1))
    pixels = np.asarray(painting.image)
    for thing, mask, box in zip(scene.things, painting.masks, painting.boxes, strict=True):
        covered = np.asarray(mask) == 255
        assert (pixels[covered] == COLOURS[thing.colour]).all()
        rows, columns = np.nonzero(np.asarray(mask) > 127)
        assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert painting.boxes[0][0] > painting.boxes[1][2]  # the square is right of the star


def test_same_seed_same_picture_other_seed_another() -> None:
    scene = Scene("white", (Thing("blue", "heart"),))
    one, same, other = (np.asarray(paint(scene, 96, np.random.default_rng(seed)).image) for seed in (3, 3, 4))
    assert one.shape == (96, 96, 3)
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", ["left", "right", "top", "bottom"])
def test_nothing_is_cut_off_by_much(shape: str, place: str) -> None:
    scene = Scene("white", (Thing("blue", shape, "large", place),))
    whole = np.asarray(paint(Scene("white", (Thing("blue", shape, "large"),))).masks[0]).sum()
    for seed in range(5):
        assert np.asarray(paint(scene, rng=np.random.default_rng(seed)).masks[0]).sum() > 0.85 * whole


def test_training_never_yields_a_held_out_combination() -> None:
    rng = np.random.default_rng(5)
    for _ in range(3000):
        scene = training_scene(rng)
        assert not any((thing.colour, thing.shape, scene.ground) in held_out() for thing in scene.things)


def test_held_out_prompts_are_all_held_out_and_every_word_is_trained() -> None:
    for prompt in (*heldout_prompts(100, 0), *pair_prompts(30, 0)):
        scene = parse(prompt)
        assert scene is not None
        assert sees_held_out(scene)
    assert len(held_out()) == 94
    for position, words in enumerate((COLOURS, SHAPES, COLOURS)):
        uses = [sum(c[position] == word for c in held_out()) for word in words]
        assert max(uses) - min(uses) <= 2


def test_relations_tell_the_same_picture_both_ways() -> None:
    things = (Thing("red", "heart"), Thing("blue", "tree"))
    for relation, opposite in zip(RELATIONS[::2], RELATIONS[1::2], strict=True):
        assert Scene("white", things, relation).ordered() == Scene("white", things[::-1], opposite).ordered()
