"""``python -m hotfolder.miniatures.train NAME``: makes a miniature again, on one processor core.

``vae`` comes first (20 minutes), then ``flux`` (an hour); both write into ``weights/flux1-schnell``. The shipped
``flux`` came of two runs that this program's one run imitates: 1500 steps with 30 % pairs at the full rates, then, from
the average of their weights, 1175 steps with 65 % pairs at rates falling from 70 % to nothing. ``curves`` has the loss.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from . import train_flux, train_upscaler, train_vae
from .losslog import LossLog

_HERE = Path(__file__).parent
_CURVES = _HERE / "curves"
_FLUX = _HERE / "weights" / "flux1-schnell"


def _vae() -> None:
    train_vae.train(_FLUX / "vae", LossLog(_CURVES / "vae.csv", 50, ("loss", "levels")))


def _flux() -> None:
    vae = AutoencoderKL.from_pretrained(_FLUX / "vae", local_files_only=True).float()
    train_flux.train(vae, _FLUX, LossLog(_CURVES / "flux.csv", 50, ("loss",)))


def _upscaler() -> None:
    log = LossLog(_CURVES / "upscaler.csv", 25, ("loss", "psnr"))
    train_upscaler.train(_HERE / "weights" / "realesrgan-x4plus", log)


MAKERS = {"vae": _vae, "flux": _flux, "upscaler": _upscaler}


def main() -> None:
    """Makes the named miniature."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=MAKERS)
    name = parser.parse_args().name
    torch.set_num_threads(1)
    _CURVES.mkdir(exist_ok=True)
    MAKERS[name]()


if __name__ == "__main__":
    main()
