"""What `auto` does with each machine, checked against the bytes of the models at full size."""

import pytest

from hotfolder.errors import NotYet
from hotfolder.models import fit
from hotfolder.models.entries import entries
from hotfolder.models.fit import Wish
from hotfolder.models.parts import parts
from hotfolder.models.placement import Machine, Placement

SCHNELL, DEV = entries()["flux1-schnell"], entries()["flux1-dev"]
MEGAPIXEL = 1024 * 1024
CARDS = (8, 12, 16, 24, 32, 48, 80, 141)


def card(gigabytes: float, ram: float = 64, **other: object) -> Machine:
    size = round(gigabytes * 2**30)
    given = {"device_bytes": size, "free_bytes": size, "capability": (8, 9), "name": f"a {gigabytes} GB card", **other}
    return Machine(device="cuda", ram_bytes=round(ram * 2**30), **given)


def mac(ram: float) -> Machine:
    size = round(ram * 2**30)
    return Machine(device="mps", name="Apple's GPU", device_bytes=size, free_bytes=size, ram_bytes=size)


def processor(ram: float) -> Machine:
    size = round(ram * 2**30)
    return Machine(device="cpu", name="the processor", device_bytes=size, free_bytes=size, ram_bytes=size)


def shown(placement: Placement) -> str:
    leave = " leave" if placement.encoders_leave else ""
    return f"{placement.precision}/{placement.text_precision} {placement.offload}{leave}"


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (card(8), "nf4/nf4 group"),
        (card(12), "nf4/nf4 none leave"),
        (card(16), "nf4/nf4 none"),
        (card(24), "nf4/nf4 none"),
        (card(32), "bf16/nf4 none leave"),
        (card(48), "bf16/bf16 none"),
        (card(141), "bf16/bf16 none"),
        (mac(64), "bf16/bf16 none"),
        (card(6), "bf16/bf16 sequential"),
        (card(16, windows=True), "nf4/nf4 none leave"),
        (card(24, free_bytes=12 * 10**9), "nf4/nf4 none leave"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.name}-{value.free_bytes // 10**9}",
)
def test_auto(machine: Machine, expected: str) -> None:
    for model in (SCHNELL, DEV):
        found = fit.place(model, None, Wish(), machine)
        assert (shown(found), found.device) == (expected, machine.device)
        assert found.budget_bytes == fit.usable_bytes(machine) < machine.device_bytes


@pytest.mark.parametrize("gigabytes", CARDS)
@pytest.mark.parametrize("wish", [Wish(), Wish("nf4"), Wish("bf16", "bf16")], ids=["auto", "fast", "quality"])
def test_what_is_chosen_fits_the_card_with_the_headroom_of_a_picture(gigabytes: int, wish: Wish) -> None:
    """Counted here anew, from the bytes of the parts: at no moment is more in the card than it has."""
    machine = card(gigabytes)
    found = fit.place(SCHNELL, None, wish, machine)
    known = parts()
    denoiser = known["flux1-schnell-transformer"].bytes(found.precision)
    text = known["t5-xxl"].bytes(found.text_precision) + known["clip-l"].bytes("bf16")
    vae, picture = known["flux1-vae"].bytes("bf16"), 4_700_000_000
    moments = {
        ("none", False): [denoiser + text + vae + picture],
        ("none", True): [denoiser + vae + picture, denoiser + text + vae],
        ("model", False): [denoiser + picture, text],
        ("group", False): [vae + picture, text],
        ("sequential", False): [picture],
    }[found.offload, found.encoders_leave]
    assert max(moments) < 0.95 * machine.device_bytes
    assert wish.precision in (None, found.precision)


def test_nothing_slower_is_chosen_than_needed() -> None:
    """The larger the card, the less leaves it, and never in fewer bits."""
    order = ["sequential", "group", "model", "none"]
    ranks = []
    for gigabytes in CARDS:
        found = fit.place(DEV, None, Wish(), card(gigabytes))
        ranks.append((found.precision == "bf16", order.index(found.offload), found.text_precision == "bf16"))
    assert ranks == sorted(ranks)
    quality = [fit.place(DEV, None, Wish("bf16", "bf16"), card(size)).offload for size in CARDS]
    assert quality == ["sequential", *["group"] * 3, "model", *["none"] * 3]


def test_bf16_of_24_gb_would_have_to_be_streamed_so_nf4_in_memory_is_taken() -> None:
    assert fit.place(SCHNELL, None, Wish("bf16"), card(24)).offload == "group"
    assert fit.place(SCHNELL, None, Wish(), card(24)).precision == "nf4"


def test_the_vae_is_tiled_for_large_pictures_and_where_little_is_left() -> None:
    def tiled(gigabytes: float, pixels: int) -> bool:
        return fit.place(SCHNELL, None, Wish(), card(gigabytes), pixels).tile_vae

    assert [tiled(size, MEGAPIXEL) for size in (12, 16, 24, 48, 141)] == [True, True, False, False, False]
    assert tiled(141, 1_600_000)
    assert not tiled(141, 1_400_000)


def test_a_larger_picture_changes_what_leaves_but_not_what_is_loaded() -> None:
    small, large = (fit.place(SCHNELL, None, Wish(), card(16), pixels) for pixels in (MEGAPIXEL, 2 * MEGAPIXEL))
    assert (small.precision, small.offload) == (large.precision, large.offload)
    assert (small.encoders_leave, large.encoders_leave) == (False, True)
    assert fit.headroom_bytes(2 * MEGAPIXEL, tiled=False) == 9_400_000_000
    assert fit.headroom_bytes(MEGAPIXEL, tiled=True) == fit.headroom_bytes(MEGAPIXEL, tiled=False)
    assert fit.headroom_bytes(4 * MEGAPIXEL, tiled=True) < fit.headroom_bytes(2 * MEGAPIXEL, tiled=False)


def test_a_placement_names_the_room_that_its_work_needs() -> None:
    for gigabytes in CARDS:
        for pixels in (MEGAPIXEL, 2 * MEGAPIXEL):
            found = fit.place(SCHNELL, None, Wish(), card(gigabytes), pixels)
            assert found.headroom_bytes == fit.headroom_bytes(pixels, found.tile_vae)
            assert found.encoding_bytes == 300_000_000
    assert fit.place(entries()["flux1-schnell-miniature"], None, Wish(), processor(8), 256 * 256).headroom_bytes == (
        4_700_000_000 // 16
    )
    assert fit.place(entries()["realesrgan-x4plus"], None, Wish(), card(8)).headroom_bytes == 1_600_000_000


def test_what_its_user_leaves_to_models_decides_like_a_smaller_card() -> None:
    limited = card(48).limited(15.2)
    assert fit.usable_bytes(limited) == 15_200_000_000
    assert card(48).limited(None) == card(48)
    assert fit.usable_bytes(card(16).limited(99)) == fit.usable_bytes(card(16))
    assert shown(fit.place(SCHNELL, None, Wish(), limited)) == "nf4/nf4 none leave"
    assert "models may take 15.2 GB" in fit.describe(limited)
    with pytest.raises(NotYet, match=r"3\.0 GB of a 48 GB card can be used"):
        fit.place(SCHNELL, None, Wish("nf4"), card(48).limited(3))


def test_loras_of_a_profile_take_their_room() -> None:
    assert shown(fit.place(DEV, None, Wish("nf4"), card(16))) == "nf4/nf4 none"
    assert shown(fit.place(DEV, None, Wish("nf4"), card(16), lora_bytes=695_000_000)) == "nf4/nf4 none leave"


@pytest.mark.parametrize(
    ("machine", "wish", "words"),
    [
        (processor(64), Wish(), "flux1-schnell needs a graphics card"),
        (processor(16), Wish(by_name=True), "flux1-schnell needs 38.4 GB of memory; 13.2 GB of the processor"),
        (processor(64), Wish("nf4", by_name=True), "in NF4 needs an NVIDIA card"),
        (mac(32), Wish(), "flux1-schnell needs 38.4 GB of memory; 22.9 GB of Apple's GPU can be used"),
        (mac(64), Wish("nf4"), "in NF4 needs an NVIDIA card"),
        (mac(64), Wish(offload="model"), "cannot be put on Apple's GPU in the way that the profile asks for"),
        (card(8, ram=8), Wish(), "flux1-schnell on a 8 GB card needs 15.4 GB of main memory; this machine has 8.6 GB"),
        (card(24, ram=16), Wish("bf16"), "flux1-schnell in bf16 on a 24 GB card needs 37.7 GB of main memory"),
        (card(4), Wish("nf4"), "flux1-schnell in NF4 needs 6.7 GB of the card's memory; 4.1 GB of a 4 GB card"),
    ],
)
def test_what_cannot_run_waits_with_what_is_missing(machine: Machine, wish: Wish, words: str) -> None:
    with pytest.raises(NotYet) as reason:
        fit.place(SCHNELL, None, wish, machine)
    assert words in str(reason.value)


def test_a_processor_runs_a_large_model_for_who_names_it_if_its_memory_holds_it() -> None:
    assert shown(fit.place(SCHNELL, None, Wish(by_name=True), processor(64))) == "bf16/bf16 none"


def test_an_offload_asked_for_in_so_many_words_is_obeyed() -> None:
    assert fit.place(SCHNELL, None, Wish("nf4", offload="none"), card(8)).encoders_leave
    assert fit.place(SCHNELL, None, Wish("bf16", offload="model"), card(141)).offload == "model"


@pytest.mark.parametrize(
    ("name", "machine", "precision"),
    [
        ("blip-large", processor(8), "fp32"),
        ("blip-large", card(8), "fp16"),
        ("realesrgan-x4plus", card(8), "fp16"),
        ("realesrgan-x4plus", mac(8), "fp16"),
        ("flux1-schnell-miniature", processor(4), "fp32"),
        ("flux1-schnell-miniature", card(8), "bf16"),
        ("flux1-schnell-miniature", card(8, capability=(7, 5)), "fp16"),
    ],
)
def test_small_models_are_in_memory_whole_wherever_they_run(name: str, machine: Machine, precision: str) -> None:
    found = fit.place(entries()[name], None, Wish("nf4"), machine)
    assert (found.device, found.precision, found.offload) == (machine.device, precision, "none")
    assert not found.encoders_leave


def test_what_lies_on_the_disk_decides_not_its_name() -> None:
    tiny = fit.place(SCHNELL, 300_000, Wish(), processor(4))
    assert (tiny.device, tiny.precision) == ("cpu", "fp32")
    assert fit.place(SCHNELL, SCHNELL.bytes, Wish(), card(24)) == fit.place(SCHNELL, None, Wish(), card(24))
