"""How a model fits this machine: a pure function of what the machine has, what the profile wants and how large it is.

Of all ways to put a model there, fastest first, the first one whose peak fits is taken; one that the profile forbids is
passed over. What fits no way waits with a sentence.

**Source** of the figures: FLUX.1 at 1024x1024 on an H100 reserved 4.7 GB above its weights at its peak, the VAE's
decoding, in bf16 and in NF4 alike (huggingface.co/blog/diffusers-quantization); that grows with the pixels
(unslothai/unsloth, issues 8081 and 8188: a flat allowance ran out of memory at 1088x1920). A step in NF4 takes 6 %
longer than one in bf16 (0.563 s and 0.532 s on an L40S, the benchmarks of the diffusers project), while a step whose
23.8 GB of bf16 weights are streamed over PCIe 4.0 x16 (25 GB/s) takes a second at least: so NF4 in memory is taken
before bf16 with offload. Apple's GPUs may use two thirds of the memory up to 36 GB and three quarters above (Metal's
recommendedMaxWorkingSetSize, as reported for M1 to M3).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hotfolder.errors import NotYet
from hotfolder.models.entries import ModelEntry
from hotfolder.models.parts import Part, parts
from hotfolder.models.placement import Machine, Offload, Placement, Precision

WORK_BYTES = 1_600_000_000
"""What a captioner or an upscaler takes above its weights: a tile of 512x512 in Real-ESRGAN's three widest tensors."""

SMALL_BYTES = 4_000_000_000
"""Weights up to this size need no choice: they are in memory whole wherever they run, on processors too."""

MEGAPIXEL = 1024 * 1024
HEADROOM_BYTES = 4_700_000_000
"""What a picture of 1024x1024 takes above the weights; a larger one takes more, in proportion."""

TILED_BYTES = 1_000_000_000
"""What each further megapixel takes when the VAE decodes in tiles of one: the activations of the denoiser alone,
4,096 tokens of about twenty tensors 3,072 wide in 16 bits (0.5 GB), twice."""

TILE_ABOVE_PX = 1_500_000
ENCODING_BYTES = 300_000_000
"""Activations of the text encoders."""

STREAMED: Mapping[Offload, int] = {"group": 1_200_000_000, "sequential": 300_000_000}
"""What a part takes that is streamed, in bytes: block by block two blocks in bf16, or NF4's scales, which stay; or
layer by layer."""

SPARE = 0.05
"""The part of a device's memory that is left to the driver and to fragmentation."""

WINDOWS_BYTES = 500_000_000
"""Left free on Windows besides, where a card that is full does not say so but pages, and grows slow."""

SYSTEM_BYTES = 4_000_000_000
"""Main memory left to the system and to hotfolder itself."""

PAINTING = {"generate", "edit", "inpaint", "outpaint"}
"""The kinds whose models paint whole pictures."""

SHOWN: Mapping[Precision, str] = {"bf16": "bf16", "fp16": "fp16", "fp32": "fp32", "nf4": "NF4"}


@dataclass(frozen=True)
class Wish:
    """What a profile or a job asks for; None and False leave it to the machine."""

    precision: Precision | None = None
    text_precision: Precision | None = None
    offload: Offload | None = None
    by_name: bool = False
    """The job names the model: a processor then runs even a large one, if its memory holds it."""


@dataclass(frozen=True)
class Need:
    """What a large model takes when it is placed in a certain way, in bytes of the device and of main memory."""

    weights: int
    encoding: int
    sampling: int
    ram: int

    @property
    def peak(self) -> int:
        return max(self.encoding, self.sampling)


def usable_bytes(machine: Machine) -> int:
    """Return how much of the device's memory models may take."""
    most = _sensible_bytes(machine)
    return most if machine.limit_bytes is None else min(most, machine.limit_bytes)


def _sensible_bytes(machine: Machine) -> int:
    if machine.device == "cuda":
        most = min(machine.free_bytes, round(machine.device_bytes * (1 - SPARE)))
        return most - (WINDOWS_BYTES if machine.windows else 0)
    if machine.device == "mps":
        return machine.ram_bytes * 2 // 3 if machine.ram_bytes <= 36 * 2**30 else machine.ram_bytes * 3 // 4
    return max(machine.ram_bytes - SYSTEM_BYTES, 0)


def describe(machine: Machine) -> str:
    """Say what a machine computes with: "NVIDIA GeForce RTX 4090, 25.8 GB, of which models may take 24.5 GB"."""
    size = gb(machine.device_bytes if machine.device == "cuda" else machine.ram_bytes)
    return f"{machine.name}, {size} of memory, of which models may take {gb(usable_bytes(machine))}"


def headroom_bytes(pixels: int, tiled: bool) -> int:
    """Return what a picture takes above the weights at its peak."""
    if not tiled:
        return HEADROOM_BYTES * pixels // MEGAPIXEL
    return (HEADROOM_BYTES * min(pixels, MEGAPIXEL) + TILED_BYTES * max(pixels - MEGAPIXEL, 0)) // MEGAPIXEL


def need(entry: ModelEntry, placement: Placement, pixels: int, lora_bytes: int = 0) -> Need:
    """Return what a large model takes, placed so, for a picture of `pixels`; `lora_bytes` are those of its LoRAs."""
    known = parts()
    texts = {name: known[part] for name, part in entry.parts.items() if name.startswith("text_encoder")}
    text = sum(part.bytes(_text_precision(part, placement)) for part in texts.values())
    denoiser = known[entry.parts["transformer"]].bytes(placement.precision) + lora_bytes
    vae = known[entry.parts["vae"]].bytes(placement.precision)
    headroom = headroom_bytes(pixels, placement.tile_vae)
    weights = text + denoiser + vae
    match placement.offload:
        case "none":
            sampling = denoiser + vae + headroom + (0 if placement.encoders_leave else text)
            encoding = weights + ENCODING_BYTES
            ram = text if placement.encoders_leave else 0
        case "model":
            sampling, encoding, ram = denoiser + headroom, text + ENCODING_BYTES, weights
        case "group":
            loading = denoiser if placement.precision == "nf4" else 0  # bitsandbytes quantises on the card
            sampling, encoding, ram = STREAMED["group"] + vae + headroom, max(text + ENCODING_BYTES, loading), weights
        case "sequential":
            sampling, encoding, ram = STREAMED["sequential"] + headroom, STREAMED["sequential"], weights
    on_device = placement.device == "cuda"
    return Need(weights, encoding, sampling, ram + SYSTEM_BYTES if on_device else max(sampling, encoding))


def place(
    entry: ModelEntry,
    weights_bytes: int | None,
    wish: Wish,
    machine: Machine,
    pixels: int | None = None,
    lora_bytes: int = 0,
) -> Placement:
    """Return how a model is put on a machine.

    Args:
        entry: the model.
        weights_bytes: the size of its files on this disk, None for that of the published ones.
        wish: what the profile and the job ask for.
        machine: what there is.
        pixels: of the picture wanted, None for the model's own size. Precision and offload do not depend on it, so
            that pictures of many sizes share one loaded model; tiling and whether the encoders leave do.
        lora_bytes: what the LoRAs of the profile take.

    Raises:
        NotYet: it cannot run here; the text says what is missing.
    """
    own = entry.defaults.edge_px**2
    size = weights_bytes if weights_bytes is not None else entry.bytes or 0
    if size <= SMALL_BYTES or "transformer" not in entry.parts:
        return _small(entry, wish, machine, pixels or own)
    _refuse_hopeless(entry, wish, machine)
    usable, candidates = usable_bytes(machine), list(_candidates(wish, machine))
    for candidate in candidates:
        needed = need(entry, candidate, own, lora_bytes)
        if needed.peak <= usable and needed.ram <= machine.ram_bytes:
            return _for_size(entry, candidate, machine, pixels or own, lora_bytes)
    if wish.offload and candidates:  # asked for in so many words: its user may know better
        return _for_size(entry, candidates[-1], machine, pixels or own, lora_bytes)
    raise NotYet(_what_is_missing(entry, wish, machine, lora_bytes))


def _text_precision(part: Part, placement: Placement) -> Precision:
    """Only an encoder that can be quantised, T5, has a precision of its own."""
    return placement.text_precision if part.kept is not None else "bf16"


def _small(entry: ModelEntry, wish: Wish, machine: Machine, pixels: int) -> Placement:
    """Return how a small model is placed: whole, in the half precision it likes where the device computes in that."""
    half: Precision = entry.half if machine.capability is None or machine.capability >= (8, 0) else "fp16"
    wanted: Precision = wish.precision if wish.precision in ("bf16", "fp16", "fp32") else half
    precision: Precision = "fp32" if machine.device == "cpu" else wanted
    tiled = pixels > TILE_ABOVE_PX
    return Placement(
        device=machine.device,
        precision=precision,
        text_precision=precision,
        tile_vae=tiled,
        budget_bytes=usable_bytes(machine),
        headroom_bytes=headroom_bytes(pixels, tiled) if PAINTING & set(entry.kinds) else WORK_BYTES,
    )


def _candidates(wish: Wish, machine: Machine) -> Iterator[Placement]:
    """Yield the ways to place a large model that the wish allows, the fastest first."""
    if machine.device == "cuda":
        whole: list[tuple[Offload, bool]] = [("none", False), ("none", True)]
        moved: list[tuple[Offload, bool]] = [("model", False), ("group", False), ("sequential", False)]
        ways = [("bf16", "bf16", *way) for way in whole] + [("bf16", "nf4", *way) for way in whole]
        ways += [("nf4", "nf4", *way) for way in [*whole, *moved[:2]]] + [("bf16", "bf16", *way) for way in moved]
    else:  # one memory: nothing can leave it, and NF4 needs CUDA
        ways = [("bf16", "bf16", "none", False)]
    for precision, text, offload, leave in ways:
        given = (wish.precision, wish.text_precision, wish.offload)
        if all(asked in (None, found) for asked, found in zip(given, (precision, text, offload), strict=True)):
            yield Placement(
                device=machine.device,
                precision=precision,
                text_precision=text,
                offload=offload,
                encoders_leave=leave,
                budget_bytes=usable_bytes(machine),
            )


def _for_size(entry: ModelEntry, placement: Placement, machine: Machine, pixels: int, lora_bytes: int) -> Placement:
    """Return the placement with the VAE tiled and the encoders away as a picture of this size wants it."""
    usable = usable_bytes(machine)
    whole = need(entry, placement, pixels, lora_bytes).sampling
    tiled = pixels > TILE_ABOVE_PX or usable - whole < headroom_bytes(pixels, tiled=False) // 4
    room = {"encoding_bytes": ENCODING_BYTES, "headroom_bytes": headroom_bytes(pixels, tiled)}
    found = placement.model_copy(update={"tile_vae": tiled} | room)
    if machine.device == "cuda" and placement.offload == "none":
        crowded = need(entry, found, pixels, lora_bytes).sampling > usable
        found = found.model_copy(update={"encoders_leave": placement.encoders_leave or crowded})
    return found


def _refuse_hopeless(entry: ModelEntry, wish: Wish, machine: Machine) -> None:
    if machine.device != "cuda" and "nf4" in (wish.precision, wish.text_precision):
        raise NotYet(
            f"{entry.name} in NF4 needs an NVIDIA card, and none answers here; `profile: auto` takes what is here"
        )
    if machine.device == "cpu" and not wish.by_name:
        raise NotYet(
            f"{entry.name} needs a graphics card, NVIDIA's or Apple's, and none is here (a job that names it, `model: "
            f"{entry.name}`, runs on the processor, slowly)"
        )


def _what_is_missing(entry: ModelEntry, wish: Wish, machine: Machine, lora_bytes: int) -> str:
    own = entry.defaults.edge_px**2
    needs = [need(entry, candidate, own, lora_bytes) for candidate in _candidates(wish, machine)]
    asked = f" in {SHOWN[wish.precision]}" if wish.precision else ""
    if not needs:
        return f"{entry.name}{asked} cannot be put on {machine.name} in the way that the profile asks for"
    card, ram = usable_bytes(machine), machine.ram_bytes
    if machine.device != "cuda":
        return f"{entry.name}{asked} needs {gb(needs[0].peak)} of memory; {gb(card)} of {machine.name} can be used"
    if fitting := [one for one in needs if one.peak <= card]:
        least = min(one.ram for one in fitting)
        return f"{entry.name}{asked} on {machine.name} needs {gb(least)} of main memory; this machine has {gb(ram)}"
    least = min(one.peak for one in needs)
    return f"{entry.name}{asked} needs {gb(least)} of the card's memory; {gb(card)} of {machine.name} can be used"


def explain(entry: ModelEntry, placement: Placement, machine: Machine, lora_bytes: int = 0) -> str:
    """Say how a model is put on a machine, and what that takes: "in NF4 (6.7 GB), T5 in NF4 (4.3 GB), all ..."."""
    where = "the card's memory" if placement.device == "cuda" else "memory"
    if "transformer" not in entry.parts or placement.precision in ("fp32", "fp16"):
        return f"in {SHOWN[placement.precision]}, all of it in {where}"
    known, edge = parts(), entry.defaults.edge_px
    needed = need(entry, placement, edge**2, lora_bytes).peak
    denoiser = known[entry.parts["transformer"]].bytes(placement.precision)
    encoders = [known[part] for name, part in entry.parts.items() if name.startswith("text_encoder")]
    (reader,) = (part for part in encoders if part.kept is not None)
    read_by = "T5" if reader.name.startswith("t5") else "the text encoder"
    text = reader.bytes(placement.text_precision)
    ways: dict[Offload, str] = {
        "none": "the text encoders leave while it paints" if placement.encoders_leave else f"all of it in {where}",
        "model": "part by part, the others in main memory meanwhile",
        "group": "streamed block by block from main memory, which is slow",
        "sequential": "streamed layer by layer from main memory, which is very slow",
    }
    denoised, read = SHOWN[placement.precision], SHOWN[placement.text_precision]
    says = [
        f"in {denoised} ({gb(denoiser)}), {read_by} in {read} ({gb(text)})",
        ways[placement.offload] + (", the VAE works in tiles" if placement.tile_vae else ""),
        f"at most {gb(needed)} of {gb(usable_bytes(machine))} for a picture of {edge}x{edge}",
    ]
    if placement.precision == "nf4":
        whole = Placement(device="cuda", precision="bf16", text_precision="bf16")
        says.append(f"in bf16, all of it, {gb(need(entry, whole, edge**2, lora_bytes).peak)}")
    if machine.capability is not None and machine.capability < (8, 0):
        says.append("a card before Ampere computes bf16 slowly")
    return "; ".join(says)


def gb(number: float) -> str:
    return f"{number / 1e9:.1f} GB"
