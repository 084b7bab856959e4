"""The shipped upscaler: spandrel knows it for what the real one is, and it is better than resampling."""

from __future__ import annotations

from hotfolder import miniatures
from hotfolder.miniatures import measure_upscaler
from hotfolder.miniatures.measure_upscaler import enlarge, heldout_pictures, lanczos, load, mean_psnr, psnr
from hotfolder.miniatures.split import sees_held_out
from hotfolder.miniatures.train_upscaler import FILE


def test_it_is_seen_as_real_esrgan_with_a_scale_of_four() -> None:
    network = load()
    assert (network.architecture.id, network.scale, network.purpose) == ("ESRGAN", 4, "SR")
    assert (network.input_channels, network.output_channels, network.supports_half) == (3, 3, True)
    assert (miniatures.path("realesrgan-x4plus") / FILE).stat().st_size < 3_000_000


def test_it_beats_lanczos_by_three_decibels_on_pictures_it_never_met() -> None:
    pictures, network = heldout_pictures(10), load()
    apart = mean_psnr(lambda image: enlarge(network, image), pictures) - mean_psnr(lanczos, pictures)
    assert apart >= 3, f"{apart:.2f} dB"


def test_the_yardstick_pictures_are_held_out_and_reproducible() -> None:
    assert all(map(sees_held_out, measure_upscaler.heldout_scenes(100, measure_upscaler.SEED)))
    assert psnr(heldout_pictures(1)[0], heldout_pictures(1)[0]) > 100
