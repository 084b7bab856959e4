"""What a picture of 50 megapixels costs: the worker's memory and the seconds of each kind of job.

    .venv/bin/python -m bench.large [--only KIND ...] [--megapixels 50] [--write]

A real service gets each job twice: on a small picture, which loads the models that ship, then on a large one. What the
worker then has more in memory at its peak is what the picture takes. Linux alone tells that.
"""

import argparse
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from bench.run import LARGE
from hotfolder.metadata import png
from tests.capabilities import photographs
from tests.prove.report import aligned, machine
from tests.service.living import Living, living

ROOT = Path(__file__).parents[1]

INTRO = """How much more the worker has in memory at its peak, while it does one job on a picture of {megapixels}
megapixels, than with the models alone; they are the small ones that ship. A decoded picture takes 4 bytes a pixel. The
goal is less than {goal:,} MB. Seconds are from the start of the job until it is recorded.
"""
GOAL_MB = 2500
DEADLINE_S = 300
SMALL = (320, 240)
FORMS = {"JPEG, RGB": "jpg", "PNG, RGBA": "png"}
CASES = {
    # case: (folder, keys, whether a mask lies beside the RGB picture)
    "edit": ("edit", "prompt: make the background blue\nsteps: 2\n", False),
    "inpaint": ("inpaint", "prompt: a red circle\nsteps: 2\n", True),
    "outpaint": ("outpaint", "prompt: a meadow\nextend: 10%\nsteps: 2\n", False),
    "mask": ("mask", "prompt: a red circle\nthreshold: 0\nsoft: true\nmask_grow: 20\nmask_blur: 20\n", False),
    "detect": ("detect", "threshold: 0\nmax: 20\n", False),
    "cutout": ("cutout", "", False),
    "cutout, blurred": ("cutout", "background: blur\n", False),
    "caption": ("caption", "existing: overwrite\n", False),
    "caption, deep": ("caption", "existing: overwrite\nmode: deep\nobjects: true\n", False),
    "upscale": ("upscale", "model: lanczos\nfactor: 2\n", False),
    "generate": ("generate", "prompt: a red circle\nstrength: 0.6\nsteps: 2\n", False),
    "chain": (
        "pipeline",
        "pipeline: [{kind: cutout}, {kind: outpaint, extend: 5%}, {kind: upscale, model: lanczos, factor: 1.2}]",
        False,
    ),
}


def main() -> int:
    """Measure the kinds asked for; returns 1 when one took too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, help="default all")
    parser.add_argument("--megapixels", type=float, default=50)
    parser.add_argument("--write", action="store_true", help="write the table to docs/bench.md")
    options = parser.parse_args()
    began = time.monotonic()
    cells: list[tuple[str, ...]] = [("kind", "picture", "made", "MB", "s")]
    missed = 0
    for case, form, made, more_mb, took_s in measured(options.only or list(CASES), options.megapixels):
        cells.append((case, form, made, f"{more_mb:,.0f}", f"{took_s:.0f}"))
        print(*cells[-1], sep=" | ", flush=True)
        missed += more_mb > GOAL_MB
    command = " ".join([".venv/bin/python -m bench.large", *sys.argv[1:]])
    facts = machine(command, None, time.monotonic() - began)
    intro = INTRO.format(megapixels=f"{options.megapixels:g}", goal=GOAL_MB)
    section = "\n".join([LARGE, "", intro, *facts, "", aligned(cells)]) + "\n"
    print(section)
    if options.write:
        path = ROOT / "docs" / "bench.md"
        before, _, mine = path.read_text(encoding="utf-8").partition(LARGE)
        _, heading, others = mine.partition("\n## ")
        path.write_text(f"{before.rstrip()}\n\n{section}{heading}{others}", encoding="utf-8")
    return 1 if missed else 0


def measured(cases: list[str], megapixels: float) -> Iterator[tuple[str, str, str, float, float]]:
    """Yield case, form, the results' sizes, megabytes and seconds of each job."""
    high = round((megapixels * 1e6 * 2 / 3) ** 0.5)
    size = round(megapixels * 1e6 / high), high
    sent = {form: (written(form, SMALL), written(form, size)) for form in FORMS}
    masks = (mask(SMALL), mask(size))
    with tempfile.TemporaryDirectory(prefix="hotfolder-large-", ignore_cleanup_errors=True) as name:
        for place in living(Path(name) / "w", "profile: miniature\n"):
            place.start()
            for number, (case, form) in enumerate((case, form) for case in cases for form in FORMS):
                beside = masks if CASES[case][2] and form == "JPEG, RGB" else (None, None)
                pictures = sent[form]
                job(place, f"small{number}", case, form, pictures[0], beside[0])
                pid = place.worker()
                before_mb = memory_mb(pid, "VmRSS")
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is what it has now
                row = job(place, f"large{number}", case, form, pictures[1], beside[1])
                assert place.worker() == pid, "the worker died on the way"
                made = place.images(str(row["name"]))
                sizes = ", ".join(f"{one['width']} x {one['height']}" for one in made)
                yield case, form, sizes, memory_mb(pid, "VmHWM") - before_mb, float(str(row["took_s"]))
            place.end()


def job(place: Living, name: str, case: str, form: str, data: bytes, beside: bytes | None) -> dict[str, object]:
    """Have one job done; returns its row with `took_s`, its seconds."""
    folder, keys, _ = CASES[case]
    own = f"{name}.{FORMS[form]}"
    files: dict[str, bytes] = {own: data, f"{own}.yaml": (keys or "{}\n").encode()}
    if beside:
        files[f"{name}.mask.png"] = beside
    asides = {place.workspace.inbox / folder / file: place.root / f"{file}.aside" for file in files}
    for content, aside in zip(files.values(), asides.values(), strict=True):
        aside.write_bytes(content)
    for path, aside in asides.items():  # all at once, however large they are
        aside.rename(path)
    row = place.job(name, deadline_s=DEADLINE_S)
    if row["state"] != "done":
        raise SystemExit(f"{case}, {form}: {row['state']}, {row['error'] or row['wait_reason']}")
    (took,) = place.rows(
        "select sum(julianday(finished_at) - julianday(started_at)) * 86400.0 s from jobs where drop_id=?",
        row["drop_id"],
    )
    return row | {"took_s": took["s"]}


def memory_mb(pid: int, key: str) -> float:
    """Return a figure of /proc/<pid>/status in 10**6 bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024 / 1e6


def written(form: str, size: tuple[int, int]) -> bytes:
    """Return a photograph enlarged to a size, with grain; as PNG, what is outside an ellipse is transparent, softly."""
    image = photographs.photograph("china.jpg").resize(size, Image.Resampling.BICUBIC)
    grain = Image.effect_noise((512, 512), 12).convert("RGB")
    for top in range(0, size[1], 512):
        for left in range(0, size[0], 512):
            place = (left, top, min(left + 512, size[0]), min(top + 512, size[1]))
            part = grain.crop((0, 0, place[2] - left, place[3] - top))
            image.paste(Image.blend(image.crop(place), part, 0.1), place)
    file = io.BytesIO()
    if form == "JPEG, RGB":
        image.save(file, "JPEG", quality=90)
    else:
        image.putalpha(ellipse(size))
        png.write(file, image, {}, None)
    return file.getvalue()


def ellipse(size: tuple[int, int]) -> Image.Image:
    small = Image.new("L", (600, 400))
    ImageDraw.Draw(small).ellipse((60, 40, 540, 360), fill=255)
    return small.filter(ImageFilter.GaussianBlur(8)).resize(size, Image.Resampling.BILINEAR)


def mask(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    png.write(file, ellipse(size), {}, None)
    return file.getvalue()


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main())
