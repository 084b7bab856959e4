"""`make bench`: how fast hotfolder is around the models, as ratios and exact counters of one run.

    .venv/bin/python bench/run.py [--only PART ...] [--write]

`--write` puts the table into docs/bench.md; the part `browse` has a section of its own there and may be written alone.
Seconds depend on the machine and on what else runs on it: the load is printed with them.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench import browse, measures  # noqa: E402
from tests.prove.report import Row, machine, table, updated  # noqa: E402

PARTS = {
    "start": measures.starting,
    "flood": measures.taking_in,
    "job": measures.one_job,
    "planner": measures.planning,
    "png": measures.saving,
    "browse": browse.browsing,
}
INTRO = """# How fast it is around the models

`make bench` measures what hotfolder itself costs; what a model costs is the model's. Counters are exact and the same on
every machine; seconds are the least of several runs, beside whatever else the machine did: see its load average. What a
page takes is the median of nine requests over HTTP, by the clock.
"""

LARGE = "## Large pictures"
"""The section of docs/bench.md that bench.large writes."""


def main() -> int:
    """Measure the parts asked for; returns 1 when a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="default all")
    parser.add_argument("--write", action="store_true", help="write the table to docs/bench.md")
    options = parser.parse_args()
    chosen = options.only or list(PARTS)
    if options.write and chosen != ["browse"] and set(chosen) != set(PARTS):
        parser.error("--write needs all parts, which share a table; `--only browse` has one of its own")
    began = time.monotonic()
    rows: list[Row] = []
    for name in chosen:
        rows += PARTS[name]()
    command = " ".join(["make bench" if not sys.argv[1:] else "bench/run.py", *sys.argv[1:]])
    facts = machine(command, None, time.monotonic() - began)
    print(table(rows), *facts, sep="\n")
    if options.write:
        path = ROOT / "docs" / "bench.md"
        before = path.read_text(encoding="utf-8")
        shared = [row for row in rows if row.part != browse.PART]
        intro = (
            "\n".join([INTRO, *facts, "", table(shared), ""]) if shared else before.partition("## ")[0].rstrip() + "\n"
        )
        pages = [row for row in rows if row.part == browse.PART]
        path.write_text(updated(before, pages, facts, intro), encoding="utf-8")
    missed = [row for row in rows if not row.is_met]
    for row in missed:
        print(f"not as it should be: {row.part}, {row.what}: {row.value} instead of {row.goal}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
