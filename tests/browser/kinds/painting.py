"""A kind for tests: draws hills under a sun in milliseconds; with `paced` it waits for the test before each step."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.spec import Options

DEADLINE_S = 120
MODEL = "watercolour"


class PaintingOptions(Options):
    """`paced`: step n begins once the file that HOTFOLDER_TEST_PACE names holds a number of at least n."""

    paced: bool = False


class Painting(Capability):
    kind = "painting"
    uses = frozenset("prompt negative_prompt seed variants width height steps guidance sampler".split())
    needs = frozenset({"prompt"})
    source_type = "trainedAlgorithmicMedia"
    Options: Any = PaintingOptions

    def run(self, context: Context) -> Iterator[Result]:
        steps, size = context.spec.steps or 4, (context.spec.width or 96, context.spec.height or 64)
        for planned in context.planned:
            for step in range(1, steps + 1):
                if context.options.paced:
                    _wait_for(step)
                context.progress(step, steps)
            facts = {
                "model": MODEL, "steps": steps, "guidance": context.spec.guidance or 3.5, "sampler": "Euler",
                "prompt_tokens": len((planned.prompt or "").split()), "peak_vram_mb": 612.0,
            }  # fmt: skip
            yield Result(_hills(planned.seed, *size), planned, facts)


def _wait_for(step: int) -> None:
    pace, until = Path(os.environ["HOTFOLDER_TEST_PACE"]), time.monotonic() + DEADLINE_S
    while int(pace.read_text() or 0) < step:
        assert time.monotonic() < until, "the test never let this step begin"
        time.sleep(0.02)


def _hills(seed: int | None, width: int, height: int) -> Image.Image:
    dice = random.Random(seed)
    sky, sun = dice.choice([("#f3c998", "#fff4d0"), ("#9fc4e0", "#ffe27a"), ("#3b4a73", "#f4f1e0")])
    image = Image.new("RGB", (width, height), sky)
    draw = ImageDraw.Draw(image)
    x, y, radius = dice.random() * width, dice.random() * height / 2, height / 8
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=sun)
    for layer in range(3):
        green = dice.randrange(40, 120) // (layer + 1)
        tops = [height * (0.45 + 0.15 * layer + 0.12 * dice.random()) for _ in range(6)]
        ridge = [(width * place / 5, top) for place, top in enumerate(tops)]
        draw.polygon([(0, height), *ridge, (width, height)], fill=(green // 2, green, green // 2 + 20))
    return image
