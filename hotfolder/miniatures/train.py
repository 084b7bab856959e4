"""``python -m hotfolder.miniatures.train NAME``: makes a miniature again, on one processor core.

The generator comes of ``vae`` (20 minutes), ``text`` (3 minutes) and ``flux`` (80 minutes), in this order, and then its
LoRA of ``lora`` (10 minutes); the others stand alone. ``curves`` has each one's loss. ``--steps 200 --into FOLDER``
makes only so many steps, writes into a copy of the weights and says how far its loss is from the committed curve.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from . import (
    train_captioner,
    train_cutout,
    train_detect,
    train_expander,
    train_fill,
    train_flux,
    train_kontext,
    train_lora,
    train_mask,
    train_text,
    train_upscaler,
    train_vae,
)
from .losslog import Enough, LossLog

HERE = Path(__file__).parent


def _vae(weights: Path, log: LossLog) -> None:
    train_vae.train(weights / "flux1-schnell" / "vae", log)


def _text(weights: Path, log: LossLog) -> None:
    train_text.train(weights / "flux1-schnell", log)


def _flux(weights: Path, log: LossLog) -> None:
    train_flux.train(weights / "flux1-schnell", log)


def _lora(weights: Path, log: LossLog) -> None:
    train_lora.train(weights / "flux1-schnell", weights / "loras" / "outlines.safetensors", log)


def _kontext(weights: Path, log: LossLog) -> None:
    train_kontext.train(weights / "flux1-schnell", weights / "flux1-kontext-dev", log)


def _fill(weights: Path, log: LossLog) -> None:
    train_fill.train(weights / "flux1-schnell", weights / "flux1-fill-dev", log)


def _upscaler(weights: Path, log: LossLog) -> None:
    train_upscaler.train(weights / "realesrgan-x4plus", log)


def _captioner(weights: Path, log: LossLog) -> None:
    train_captioner.train(weights / "blip-large", log)


def _cutout(weights: Path, log: LossLog) -> None:
    train_cutout.train(weights / "birefnet-general", log)


def _expander(weights: Path, log: LossLog) -> None:
    train_expander.train(weights / "qwen2.5-1.5b-instruct", log)


def _masker(weights: Path, log: LossLog) -> None:
    train_mask.train(weights / "flux1-schnell", weights / "blip-large", weights / "clipseg-rd64-refined", log)


def _detector(weights: Path, log: LossLog) -> None:
    train_detect.train(weights / "detr-resnet-50", log)


MAKERS: dict[str, tuple[Callable[[Path, LossLog], None], int, tuple[str, ...]]] = {
    "vae": (_vae, 50, ("loss", "levels")),
    "text": (_text, 50, ("loss", "words", "wholes")),
    "flux": (_flux, 50, ("loss",)),
    "lora": (_lora, 20, ("loss",)),
    "kontext": (_kontext, 50, ("loss",)),
    "fill": (_fill, 50, ("loss",)),
    "upscaler": (_upscaler, 25, ("loss", "psnr")),
    "captioner": (_captioner, 25, ("loss", "hint")),
    "cutout": (_cutout, 25, ("loss", "overlap")),
    "expander": (_expander, 25, ("loss", "whole")),
    "masker": (_masker, 25, ("loss", "hint")),
    "detector": (_detector, 25, ("named", "boxed", "hint")),
}
"""Name -> what makes it, steps a line of its curve, and the curve's columns."""


def difference(made: Path, committed: Path) -> float:
    """Largest difference of the first logged value between the lines of a curve and those of another."""
    rows = [list(csv.reader(path.open()))[1:] for path in (made, committed)]
    return max(abs(float(one[2]) - float(other[2])) for one, other in zip(*rows, strict=False))


def main() -> None:
    """Makes the named miniature."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=MAKERS)
    parser.add_argument("--steps", type=int, default=None, help="stop after so many steps, a multiple of 100")
    parser.add_argument("--into", type=Path, default=HERE, help="folder with `weights` and `curves` to write into")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make, every, columns = MAKERS[arguments.name]
    curve = arguments.into / "curves" / f"{arguments.name}.csv"
    curve.parent.mkdir(parents=True, exist_ok=True)
    if arguments.into != HERE:  # what builds on others finds them there
        shutil.copytree(HERE / "weights", arguments.into / "weights", dirs_exist_ok=True)
    try:
        make(arguments.into / "weights", LossLog(curve, every, columns, arguments.steps))
    except Enough:
        print(f"largest difference to the committed curve: {difference(curve, HERE / 'curves' / curve.name):.5f}")


if __name__ == "__main__":
    main()
