"""cutout on the shipped miniature: an ONNX file that rembg runs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hotfolder.capabilities.base import Context, Result
from hotfolder.capabilities.cutout import Cutout
from hotfolder.errors import NotYet, RejectedInput
from hotfolder.miniatures import path as miniature
from hotfolder.miniatures.world import Painting, Scene, Thing, paint
from hotfolder.models.complete import is_there
from hotfolder.models.entries import entries, weights_folder
from hotfolder.models.families.birefnet import Network
from hotfolder.models.placement import Placement
from hotfolder.models.pool import BoundPool, ModelPool
from hotfolder.spec import JobSpec, Planned

MODEL = "birefnet-general-miniature"
CPU = Placement(device="cpu", precision="fp32", text_precision="fp32")
ONNX = miniature("birefnet-general") / "birefnet-general.onnx"


@pytest.fixture(scope="module")
def pool() -> BoundPool:
    return BoundPool(ModelPool(Path("none")), CPU)


@pytest.fixture(scope="module")
def painting() -> Painting:
    return paint(Scene("yellow", (Thing("purple", "tree", "large", "left"),)), 160)


def cut(pool: BoundPool, image: Image.Image, pictures: dict[str, Image.Image] | None = None, **keys: Any) -> Result:
    format = keys.pop("format", "png")
    spec, planned = JobSpec(kind="cutout", format=format), (Planned(seed=1, seed_locked=False),)
    options = Cutout.Options(**keys)
    context = Context(spec, options, planned, MODEL, pool, lambda step, of: None, image=image, pictures=pictures or {})
    (result,) = Cutout().run(context)
    return result


def outside(painting: Painting) -> np.ndarray:
    return np.asarray(painting.masks[0]) == 0


def test_what_the_picture_is_of_stays_and_the_ground_is_transparent(pool: BoundPool, painting: Painting) -> None:
    made = cut(pool, painting.image).image
    assert made and (made.mode, made.size) == ("RGBA", painting.image.size)
    alpha, mask = (np.asarray(one, dtype=float) for one in (made.getchannel("A"), painting.masks[0]))
    assert np.minimum(alpha, mask).sum() / np.maximum(alpha, mask).sum() >= 0.95
    assert (np.asarray(made.convert("RGB")) == np.asarray(painting.image)).all(), "colours are not touched"


@pytest.mark.parametrize(("background", "colour"), [("white", (255, 255, 255)), ("#00ff00", (0, 255, 0))])
def test_a_colour_behind_it(pool: BoundPool, painting: Painting, background: str, colour: tuple[int, ...]) -> None:
    made = cut(pool, painting.image, background=background).image
    assert made and made.mode == "RGB"
    away = np.abs(np.asarray(made, dtype=int) - colour).max(-1)[outside(painting)]
    assert np.percentile(away, 97) <= 8


def test_another_picture_behind_it_is_cut_to_fit(pool: BoundPool, painting: Painting) -> None:
    spec, options = JobSpec(kind="cutout"), Cutout.Options(background="done/beach.png")
    assert Cutout.pictures(spec, options) == {"background": "done/beach.png"}
    assert Cutout.pictures(spec, Cutout.Options(background="blur")) == {}
    behind = Image.new("RGB", (300, 50), (9, 8, 7))
    made = cut(pool, painting.image, {"background": behind}, background="done/beach.png").image
    assert made and np.abs(np.asarray(made)[0, 159].astype(int) - (9, 8, 7)).max() <= 4


def test_soft_edges_worked_out(pool: BoundPool, painting: Painting) -> None:
    made = cut(pool, painting.image, matting=True, background="blur").image
    assert made and (made.mode, made.size) == ("RGB", painting.image.size)
    with pytest.raises(RejectedInput, match=r"up to 4 megapixels, not 12\.0"):
        Cutout.check(JobSpec(kind="cutout"), Cutout.Options(matting=True), (4000, 3000))


def test_jpeg_says_that_it_knows_no_transparency(pool: BoundPool, painting: Painting) -> None:
    result = cut(pool, painting.image, format="jpeg")
    assert result.image and result.image.mode == "RGB" and result.image.getpixel((159, 0)) >= (250, 250, 250)
    assert "JPEG knows no transparency" in result.facts["notes"][0]


def test_transparency_that_was_there_stays(pool: BoundPool, painting: Painting) -> None:
    given = painting.image.convert("RGBA")
    given.paste((0, 0, 0, 0), (0, 0, 50, 160))
    made = cut(pool, given).image
    assert made
    alpha = np.asarray(made.getchannel("A"))
    assert alpha[:, :50].max() == 0 and alpha[:, 50:].max() > 240


def test_a_picture_of_nothing(pool: BoundPool) -> None:
    with pytest.raises(RejectedInput, match="nothing was found that stands out"):
        cut(pool, Image.new("RGB", (64, 40), "red"))


def test_torch_keeps_its_threads_and_so_its_sums() -> None:
    """A job's pixels are the same whether a cutout was made before it or not."""
    program = f"import torch\nfrom hotfolder.models.families.birefnet import Network\nNetwork(Path({str(ONNX)!r}))"
    run = [sys.executable, "-c", f"from pathlib import Path\n{program}\nprint(torch.get_num_threads())"]
    made = subprocess.run(run, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert made.stdout.split()[-1] == "1"


def test_rembg_fetches_no_model_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "u2net"))
    monkeypatch.setattr("socket.socket.connect", None)
    assert Network.from_pretrained(ONNX).alpha(Image.new("RGB", (40, 30))).size == (40, 30)
    assert not (tmp_path / "u2net").exists()


def test_weights_are_taken_from_the_workspace_and_from_where_rembg_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, models = entries()["birefnet-general"], tmp_path / "models"
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "u2net"))
    with pytest.raises(NotYet, match=r"download https://github\.com/danielgatis/rembg/.* into models/checkpoints/"):
        weights_folder(entry, models)
    places = [
        tmp_path / "u2net" / "birefnet-general.onnx",
        tmp_path / "u2net" / "models" / "birefnet-general" / "birefnet-general.onnx",
        models / "checkpoints" / "BiRefNet-general-epoch_244.onnx",
        models / "checkpoints" / "birefnet-general" / "BiRefNet-general-epoch_244.onnx",
    ]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(ONNX.read_bytes())
        assert weights_folder(entry, models) == place
    places[-1].write_bytes(ONNX.read_bytes()[:-100])
    assert not is_there(places[-1])
    assert weights_folder(entry, models) == places[-2], "one that is cut short is passed over"
