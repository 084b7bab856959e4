"""FLUX.1 at full size with random weights, through hotfolder and through bare diffusers: for a machine with a GPU.

    .venv/bin/python bench/gpu.py [--precision bf16 nf4] [--edge 1024] [--steps 4] [--rounds 3] [--tiny]

The models are built on the device from their published configurations: no weights are needed, and what they take and
how long they take does not depend on their values (zeros would: they compute 13 % faster). Both make the same pictures
from the same modules in turns, so that what else the machine does meets both. `--tiny` does it with the miniature's
sizes, on a processor too: to see that it runs.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from hotfolder import miniatures  # noqa: E402
from hotfolder.miniatures.text import clip_tokenizer, t5_tokenizer  # noqa: E402
from hotfolder.models import entries, fit, nf4, parts  # noqa: E402
from hotfolder.models.families.flux1 import Flux1  # noqa: E402
from hotfolder.models.placement import Placement  # noqa: E402
from hotfolder.spec import JobSpec, Planned  # noqa: E402

PROMPT = "a large red circle on a blue background"
SPREAD = 0.02


def main() -> None:
    """Measure each precision and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", nargs="+", choices=("bf16", "nf4"), default=["bf16", "nf4"])
    parser.add_argument("--edge", type=int, default=1024, help="of the square picture, in pixels")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="pictures each way, after one to warm up")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not options.tiny:
        sys.exit("There is no GPU here; --tiny shows that it runs.")
    name = torch.cuda.get_device_name() if device == "cuda" else "processor"
    print(f"{name}, torch {torch.__version__}, {options.edge}x{options.edge}, {options.steps} steps")
    for precision in options.precision:
        measure(precision, device, options)


def measure(precision: str, device: str, options: argparse.Namespace) -> None:
    """Build the model, make pictures both ways in turns, print the figures; seconds are medians."""
    modules = build(precision, device, options.tiny)
    weights = torch.cuda.memory_allocated() if device == "cuda" else 0
    entry = entries.entries()["flux1-schnell-miniature" if options.tiny else "flux1-schnell"]
    family = Flux1(entry, modules)
    bare = FluxPipeline(**modules)
    bare.set_progress_bar_config(disable=True)
    spec = JobSpec(kind="generate", prompt=PROMPT, width=options.edge, height=options.edge, steps=options.steps)

    def ours(seed: int) -> Any:
        return family.generate(Planned(prompt=PROMPT, seed=seed, seed_locked=True), spec, lambda step, of: None)[0]

    def theirs(seed: int) -> Any:
        return bare(
            prompt=PROMPT,
            width=options.edge,
            height=options.edge,
            num_inference_steps=options.steps,
            guidance_scale=0.0,
            max_sequence_length=entry.defaults.max_tokens,
            generator=torch.Generator("cpu").manual_seed(seed),
        ).images[0]

    same = ours(0).tobytes() == theirs(0).tobytes()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times: dict[Callable[[int], Any], list[float]] = {ours: [], theirs: []}
    for seed in range(options.rounds):
        for make in (ours, theirs):
            times[make].append(seconds(make, seed))
    mine, bare_s = (statistics.median(times[make]) for make in (ours, theirs))
    step_s = statistics.median(step_seconds(bare, options, entry.defaults.max_tokens) for _ in range(options.rounds))
    print(f"{precision}: {mine:.3f} s a picture, bare diffusers {bare_s:.3f} s, ratio {mine / bare_s:.3f}")
    print(f"{precision}: {step_s:.4f} s a step of the denoiser; the same pixels both ways: {'yes' if same else 'NO'}")
    if device == "cuda":
        placement = Placement(device="cuda", precision=precision, text_precision=precision)
        planned = fit.need(entry, placement, options.edge**2)
        print(f"{precision}: weights {weights / 1e9:.2f} GB, planned {planned.weights / 1e9:.2f} GB")
        allocated, reserved = torch.cuda.max_memory_allocated() / 1e9, torch.cuda.max_memory_reserved() / 1e9
        print(f"{precision}: peak {allocated:.2f} GB, {reserved:.2f} GB reserved, planned {planned.peak / 1e9:.2f} GB")


def build(precision: str, device: str, tiny: bool) -> dict[str, Any]:
    """Return the parts of a pipeline with random weights, bfloat16 on the device; for NF4 the large ones quantised."""
    own = miniatures.path("flux1-schnell")

    def configuration(shipped: str, name: str) -> Path:
        return own / name if tiny else parts.CONFIGS / shipped

    made: dict[str, Any] = {"tokenizer": clip_tokenizer(), "tokenizer_2": t5_tokenizer()}
    scheduler = configuration("flux1-schnell-scheduler", "scheduler")
    made["scheduler"] = FlowMatchEulerDiscreteScheduler.from_config(
        FlowMatchEulerDiscreteScheduler.load_config(scheduler, local_files_only=True)
    )
    large: list[tuple[str, Any, str]] = [
        ("transformer", FluxTransformer2DModel, "flux1-schnell-transformer"),
        ("text_encoder_2", T5EncoderModel, "t5-xxl"),
        ("text_encoder", CLIPTextModel, "clip-l"),
        ("vae", AutoencoderKL, "flux1-vae"),
    ]
    for name, kind, shipped in large:
        folder = configuration(shipped, name)
        with torch.device(device):
            torch.set_default_dtype(torch.bfloat16)
            try:
                if kind in (T5EncoderModel, CLIPTextModel):
                    config = T5Config if kind is T5EncoderModel else CLIPTextConfig
                    module = kind(config.from_pretrained(folder, local_files_only=True))
                else:
                    module = kind.from_config(kind.load_config(folder, local_files_only=True))
            finally:
                torch.set_default_dtype(torch.float32)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.normal_(std=SPREAD)
        module.to(torch.bfloat16).eval().requires_grad_(False)
        if precision == "nf4" and name in ("transformer", "text_encoder_2"):
            nf4.quantise(module, device)
            module.to(device)
        made[name] = module
    return made


def seconds(make: Callable[[int], Any], seed: int) -> float:
    """Return how long a picture takes, the device's work included."""
    began = time.perf_counter()
    make(seed)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def step_seconds(pipeline: FluxPipeline, options: argparse.Namespace, tokens: int) -> float:
    """Return the median time between the ends of the denoiser's steps of one picture."""
    ends: list[float] = []

    def tell(pipe: Any, step: int, at: Any, kept: dict[str, Any]) -> dict[str, Any]:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        ends.append(time.perf_counter())
        return kept

    pipeline(
        prompt=PROMPT,
        width=options.edge,
        height=options.edge,
        num_inference_steps=max(options.steps, 2),
        guidance_scale=0.0,
        max_sequence_length=tokens,
        callback_on_step_end=tell,
    )
    return statistics.median(after - before for before, after in zip(ends, ends[1:], strict=False))


if __name__ == "__main__":
    main()
