"""Upscaling by a network: every size, mode and factor; tiles that do not show; weights that cannot be used."""

import functools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.SwinIR import SwinIR

from hotfolder import miniatures
from hotfolder.capabilities.base import Context
from hotfolder.capabilities.upscale import Upscale
from hotfolder.errors import JobError, OutOfMemory, RejectedInput
from hotfolder.models.entries import ModelEntry
from hotfolder.models.families.esrgan import Esrgan
from hotfolder.models.superres import Network
from hotfolder.spec import JobSpec, Planned
from hotfolder.tiling import SMALLEST
from tests.capabilities import photographs
from tests.service.living import Living, at_once, picture, poll

COFFEE = photographs.photograph("coffee.png")


def network(source: Path, dtype: torch.dtype = torch.float32) -> Any:
    entry = ModelEntry(name="mine", family="esrgan", kinds=("upscale",), licence="?")
    return Esrgan(entry, {"network": Network.from_pretrained(source, dtype)})


@pytest.fixture
def miniature() -> Any:
    return network(miniatures.path("realesrgan-x4plus"))


class Only:
    """A pool that has one network."""

    def __init__(self, only: Any) -> None:
        self.only = only

    def attempt(self, name: str, work: Any) -> Any:
        return work(self.only)


def made(only: Any, image: Image.Image, factor: float | None = None, told: list[Any] | None = None) -> Image.Image:
    context = Context(
        JobSpec(kind="upscale"), Upscale.Options(factor=factor), (Planned(seed=0, seed_locked=False),), "mine",
        pool=Only(only), progress=lambda done, of: None if told is None else told.append((done, of)), image=image,
    )  # fmt: skip
    (result,) = Upscale().run(context)
    assert result.image
    return result.image


def saved(net: torch.nn.Module, folder: Path, name: str = "net.safetensors") -> Path:
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, folder / name)
    return folder / name


def compact(**options: Any) -> torch.nn.Module:
    torch.manual_seed(1)
    return Compact(num_feat=8, num_conv=2, **options)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (70, 9)])
@pytest.mark.parametrize("factor", [None, 0.5, 1, 1.7, 3, 4, 6])
def test_any_picture_and_any_factor_gives_the_exact_size(
    miniature: Any, mode: str, size: tuple[int, int], factor: float | None
) -> None:
    image = Image.new(mode, size, {"L": 90, "RGB": (200, 10, 90), "RGBA": (200, 10, 90, 128)}[mode])
    result = made(miniature, image, factor)
    used = 4 if factor is None else factor
    assert result.size == (max(1, round(size[0] * used)), max(1, round(size[1] * used)))
    assert result.mode == mode
    assert np.abs(np.asarray(result).astype(int) - np.asarray(image)[0, 0]).max() <= 2, "one colour stays one colour"


def test_a_network_runs_as_often_as_its_scale_goes_into_the_factor(miniature: Any) -> None:
    sizes: list[tuple[int, ...]] = []
    enlarge = miniature.enlarge
    miniature.enlarge = lambda pixels, progress: sizes.append(pixels.shape[:2]) or enlarge(pixels, progress)
    for factor in (0.3, 1, 2, 8, 15.9, 16):
        made(miniature, Image.new("RGB", (10, 6)), factor)
    assert sizes == [(6, 10), (6, 10), (6, 10), (6, 10), (24, 40)]


def test_it_is_sharper_than_lanczos_and_true_to_the_picture(miniature: Any) -> None:
    small = COFFEE.resize((COFFEE.width // 4, COFFEE.height // 4), Image.Resampling.BICUBIC)
    large = made(miniature, small)
    again = large.resize(small.size, Image.Resampling.BICUBIC)
    mean, _ = photographs.difference(again, small)
    assert mean < 3
    edges = [np.abs(np.diff(np.asarray(one.convert("L")).astype(int))) for one in (large, small.resize(large.size, 1))]
    assert np.percentile(edges[0], 99.5) > np.percentile(edges[1], 99.5)


@pytest.mark.parametrize("what", ["photograph", "gradient"])
def test_tiles_do_not_show(miniature: Any, what: str) -> None:
    if what == "gradient":
        y, x = np.mgrid[0:44, 0:110]
        image = Image.fromarray(np.stack([2 * x, 3 * y, x + y], axis=2).astype(np.uint8))
    else:
        image = COFFEE.crop((200, 100, 310, 144))
    miniature.tile_px = 1000
    whole = made(miniature, image)
    miniature.tile_px = SMALLEST
    told: list[tuple[int, int]] = []
    pieces = made(miniature, image, told=told)
    assert told[-1] == (len(told), len(told)) and len(told) >= 8
    mean, greatest = photographs.difference(pieces, whole)
    assert greatest <= 1 if what == "gradient" else mean < 0.05, f"{mean}, {greatest}"


def test_what_is_transparent_lends_no_colour(miniature: Any) -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 230, 0, 255), (10, 10, 30, 30))
    pixels = np.asarray(made(miniature, image)).astype(int)
    seen = pixels[..., 3] > 16
    assert 6000 < seen.sum() < 6900
    assert (pixels[seen][:, :3] >= (245, 220, 0)).all() and (pixels[seen][:, 2] <= 10).all(), "a dark fringe"
    assert pixels[80, 80, 3] >= 254 and pixels[2, 2, 3] <= 1


def test_progress_counts_the_tiles_of_alpha_too(miniature: Any) -> None:
    told: list[tuple[int, int]] = []
    image = Image.new("RGBA", (40, 40))
    image.putpixel((3, 3), (1, 2, 3, 255))
    made(miniature, image, told=told)
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("net", "scale"),
    [
        (lambda: ESRGAN(num_filters=8, num_blocks=1, scale=2), 2),
        (lambda: ESRGAN(in_nc=12, num_filters=8, num_blocks=1, scale=4, shuffle_factor=2), 2),
        (lambda: compact(upscale=3), 3),
        (lambda: compact(upscale=2, num_in_ch=1, num_out_ch=1), 2),
        (
            lambda: SwinIR(embed_dim=12, depths=[2], num_heads=[2], window_size=8, upscale=2, upsampler="pixelshuffle"),
            2,
        ),
    ],
    ids=["ESRGAN x2", "ESRGAN x2 unshuffled", "Compact x3", "Compact x2 grey", "SwinIR x2"],
)
def test_networks_of_other_kinds_and_scales(tmp_path: Path, net: Any, scale: int) -> None:
    torch.manual_seed(0)
    other = network(saved(net(), tmp_path))
    other.tile_px = SMALLEST
    assert other.scale == scale
    assert made(other, COFFEE.crop((0, 0, 61, 83))).size == (61 * scale, 83 * scale)


def test_an_enlarged_picture_that_would_be_too_large_is_refused_by_the_networks_own_scale(tmp_path: Path) -> None:
    larger = network(saved(compact(upscale=8), tmp_path))
    with pytest.raises(RejectedInput, match="use `model: lanczos`"):
        made(larger, Image.new("RGB", (3000, 3000)), 2)


def test_memory_that_runs_out_makes_smaller_tiles(miniature: Any) -> None:
    """Stands for a device with little memory: it refuses every tile above a size."""
    run, most_px = miniature.network, 100
    refused: list[int] = []

    def refusing(tile: torch.Tensor) -> torch.Tensor:
        if tile.shape[-1] > most_px:
            refused.append(tile.shape[-1])
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(tile)

    image = COFFEE.crop((0, 0, 120, 30))
    whole = made(miniature, image)
    miniature.network = refusing
    assert photographs.difference(made(miniature, image), whole)[0] < 0.05
    assert (len(refused), miniature.tile_px) == (2, 64)
    most_px = 10
    with pytest.raises(OutOfMemory, match="smallest tiles"):
        made(miniature, image)


def test_half_precision_that_overflows_goes_on_in_full(miniature: Any) -> None:
    """Some cards and networks give nothing but NaN in half precision: a black picture, were it not noticed."""
    image = COFFEE.crop((0, 0, 20, 20))
    right = made(miniature, image)
    half = network(miniatures.path("realesrgan-x4plus"), torch.float16)
    first = half.network.net.model[0]
    assert photographs.difference(made(half, image), right)[0] < 0.2
    assert first.weight.dtype == torch.float16
    with torch.no_grad():
        first.weight[5] = 60_000.0
        first.weight[6] = -60_000.0
    assert np.asarray(made(half, image)).max() > 0
    assert first.weight.dtype == torch.float32


class Evil:
    """What a pickle can do: run a program when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (functools.partial(Path.write_text, self.mark), ("owned",))


def test_weights_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    whole = saved(compact(upscale=2), tmp_path, "whole.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-500])
    (tmp_path / "few.safetensors").write_bytes(whole[:5])
    (tmp_path / "none.safetensors").write_bytes(b"")
    (tmp_path / "page.safetensors").write_bytes(b"<!DOCTYPE html><title>404</title>")
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil(tmp_path / "mark")))
    save_file({"some.weight": torch.zeros(3, 3)}, tmp_path / "odd.safetensors")
    saved(DnCNN(in_nc=3, out_nc=3, nc=8, nb=5), tmp_path, "cleans.safetensors")
    wide = {key: value.repeat(2, *[1] * (value.dim() - 1)) for key, value in compact(upscale=2).state_dict().items()}
    save_file(wide, tmp_path / "wide.safetensors")
    for name, says in {
        "cut.safetensors": "cut short", "few.safetensors": "cut short", "none.safetensors": "cut short",
        "page.safetensors": "web page", "evil.pt": "pickle", "odd.safetensors": "no architecture",
        "cleans.safetensors": "enlarges none", "wide.safetensors": "do not belong together",
    }.items():  # fmt: skip
        with pytest.raises(JobError, match=says) as caught:
            network(tmp_path / name)
        assert name in str(caught.value)
    assert not (tmp_path / "mark").exists(), "a pickle was run"


def test_a_pickle_is_read_without_running_what_is_in_it(tmp_path: Path) -> None:
    torch.save({"params_ema": ESRGAN(num_filters=8, num_blocks=1, scale=4).state_dict()}, tmp_path / "net.pth")
    assert network(tmp_path / "net.pth").scale == 4
    for evil in (Evil(tmp_path / "mark"), {"params": Evil(tmp_path / "mark")}):
        torch.save(evil, tmp_path / "net.pth")
        with pytest.raises(JobError, match="cut short or holds no weights"):
            network(tmp_path / "net.pth")
    (tmp_path / "net.pth").write_bytes(pickle.dumps(evil))
    with pytest.raises(JobError, match="cut short or holds no weights"):
        network(tmp_path / "net.pth")
    assert not (tmp_path / "mark").exists(), "a pickle was run"


def test_the_miniature_serves_upscale_in_its_profile(studio: Living) -> None:
    with at_once(studio):
        studio.drop("upscale/world.png.yaml", "profile: miniature\n")
        studio.drop("upscale/world.png", photographs.written(COFFEE.crop((0, 0, 40, 30)), "PNG"))
    assert studio.job("world")["error"] is None
    (row,) = studio.images("world")
    assert (row["model"], row["width"], row["height"]) == ("realesrgan-x4plus-miniature", 160, 120)
    beside = studio.workspace.absolute(row["path"]).with_suffix(".job.yaml")
    assert "seed" not in beside.read_text() and "width" not in beside.read_text()
    studio.drop("upscale/world-again.job.yaml", beside.read_bytes())
    assert studio.job("world-again")["error"] is None
    (again,) = studio.images("world-again")
    assert again["pixel_sha256"] == row["pixel_sha256"]


def test_a_network_put_into_models_serves_at_once_by_its_files_name(studio: Living, tmp_path: Path) -> None:
    place = studio.workspace.models / "upscalers"
    place.mkdir(exist_ok=True)
    job, data = "model: 3x-mine\n", picture(20, 10)
    with at_once(studio):
        studio.drop("upscale/one.png.yaml", job)
        studio.drop("upscale/one.png", data)
    said = studio.job("one", "failed")["error"]
    assert "no model `3x-mine` for upscale" in said and "realesrgan-x4plus" in said and "lanczos" in said
    whole = saved(compact(upscale=3), tmp_path).read_bytes()
    (place / "3x-mine.pth").write_bytes(b"\x80")
    (place / "evil.safetensors").write_bytes(b"<html>")
    with at_once(studio):
        studio.drop("upscale/two.png.yaml", job)
        studio.drop("upscale/two.png", data)
    assert "is a pickle" in studio.job("two", "waiting")["wait_reason"]
    (place / "3x-mine.safetensors").write_bytes(whole[:-9])
    poll(lambda: "cut short" in studio.job("two", "waiting")["wait_reason"], "word of the unfinished file")
    (place / "3x-mine.safetensors").write_bytes(whole)
    assert studio.job("two", "done")["error"] is None
    (row,) = studio.images("two")
    assert (row["model"], row["width"], row["height"]) == ("3x-mine", 60, 30)
    with at_once(studio):
        studio.drop("upscale/three.png.yaml", "model: 3x-mien\n")
        studio.drop("upscale/three.png", data)
    assert "did you mean `3x-mine`?" in studio.job("three", "failed")["error"]
