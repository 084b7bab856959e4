"""`make prove`: the long proof that no crash loses or repeats a job, that what hands do in outbox is followed, and that
the proof itself can fail.

Its figures can be written to docs/proof.md (--write). A failure names its seed and the command that plays it again.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.outbox.playing import play  # noqa: E402
from tests.prove import audit, flood, kills, mutants, scenes  # noqa: E402
from tests.prove.crashes import crash_run  # noqa: E402
from tests.prove.report import Row, machine, table, updated  # noqa: E402
from tests.prove.trial import crash_points  # noqa: E402

FLOOD_FILES = 20_000
SCENES = [
    scenes.quiet, scenes.slow_writer, scenes.open_writer, scenes.unseen_file, scenes.two_services, scenes.poison,
    scenes.rule_of_five, scenes.chain, scenes.torn_disk, scenes.foreign_in_outbox, scenes.foreign_in_done,
]  # fmt: skip


class Proof:
    """Runs the parts and gathers their figures; a failure is kept and the rest goes on."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rows: list[Row] = []
        self.failures: list[str] = []

    def attempt(self, what: str, replay: str, run: Callable[[Path], object]) -> object:
        """Run one thing in a new folder; returns what it returns, None when it failed."""
        with tempfile.TemporaryDirectory(prefix="hotfolder-prove-", ignore_cleanup_errors=True) as folder:
            try:
                return run(Path(folder) / "w")
            except Exception as error:  # a broken promise and a broken harness both fail the proof
                again = f".venv/bin/python tests/prove/run.py {replay}"
                message = f"{what}: {type(error).__name__}: {error}\n  again: {again}"
                self.failures.append(message)
                print(f"FAILED {message}", flush=True)
                return None

    def side_by_side(self, runs: Iterable[tuple[str, str, Callable[[Path], object]]]) -> list[object]:
        with ThreadPoolExecutor(self.options.jobs) as pool:
            return [future.result() for future in [pool.submit(self.attempt, *one) for one in runs]]

    def crashes(self) -> None:
        """A kill at each marked step, with many seeds."""
        points = [self.options.point] if self.options.point else crash_points()
        seeds = range(self.options.seed, self.options.seed + self.options.seeds)

        def one(point: str, seed: int) -> tuple[str, str, Callable[[Path], object]]:
            replay = f"crashes --point {point} --seed {seed} --seeds 1"
            return f"a kill at {point}, seed {seed}", replay, lambda folder: crash_run(folder, point, seed)

        struck = self.side_by_side(one(point, seed) for seed in seeds for point in points)
        good = [int(str(kills)) for kills in struck if kills is not None]
        span = f"{seeds[0]} to {seeds[-1]}"
        self.rows += [
            Row("A kill at each marked step", "steps", len(points)),
            Row("A kill at each marked step", f"runs (seeds {span})", len(struck)),
            Row("A kill at each marked step", "SIGKILLs that struck", sum(good)),
            Row("A kill at each marked step", "runs with a violation", len(struck) - len(good), 0),
        ]

    def kills(self) -> None:
        """Kills at random moments."""
        seed, wanted, files = self.options.seed, self.options.kills, self.options.files
        replay = f"kills --seed {seed} --kills {wanted} --files {files}"
        counted = self.attempt(
            f"random kills, seed {seed}", replay, lambda folder: kills.random_kills(folder, seed, wanted, files)
        )
        self.rows.append(Row("Random kills", "violations", int(counted is None), 0))
        if isinstance(counted, dict):
            self.rows += [Row("Random kills", name, number) for name, number in counted.items()]

    def hands(self) -> None:
        """A hundred random things that people do to pictures in outbox, with many seeds."""
        seeds = range(self.options.seed, self.options.seed + self.options.seeds)

        def one(seed: int) -> tuple[str, str, Callable[[Path], object]]:
            replay = f"hands --seed {seed} --seeds 1"
            return f"hands in outbox, seed {seed}", replay, lambda folder: play(folder, seed)

        done = self.side_by_side(map(one, seeds))
        part = "Hands in outbox, the service running, stopped and killed"
        self.rows += [
            Row(part, f"runs (seeds {seeds[0]} to {seeds[-1]})", len(done)),
            Row(part, "moves, renames, deletions, copies, stars, tags ...", sum(int(str(one or 0)) for one in done)),
            Row(part, "runs after which catalog and files differ", done.count(None), 0),
        ]

    def scenes(self) -> None:
        """Everything else that may happen, once each."""
        runs = [(scene.__name__, "scenes", lambda folder, scene=scene: (scene(folder, ""), 1)) for scene in SCENES]
        played = self.side_by_side(runs)
        self.rows.append(Row("Other events, once each", "played", len(played)))
        self.rows.append(Row("Other events, once each", "with a violation", played.count(None), 0))

    def mutants(self) -> None:
        """Every planted fault is noticed, for the right reason."""

        def one(mutant: mutants.Mutant) -> tuple[str, str, Callable[[Path], object]]:
            def play(folder: Path) -> bool:
                said = mutants.outcome(mutant, folder)
                assert mutants.is_caught(mutant, said), f"not noticed as `{mutant.says}`; the proof said: {said!r}"
                return True

            return f"the planted fault {mutant.fault}", f"mutants --fault {mutant.fault}", play

        chosen = [one for one in mutants.MUTANTS if self.options.fault in (None, one.fault)]
        caught = self.side_by_side(map(one, chosen))
        self.rows.append(Row("Planted faults", "planted", len(caught)))
        self.rows.append(Row("Planted faults", "not noticed", caught.count(None), 0))

    def audit(self) -> None:
        """What is flushed before what."""
        if not audit.is_possible():
            print("audit: left out, strace is not here or may not trace")
            self.rows.append(Row("The order of flushes (strace)", "left out: no strace here", 0))
            return
        for other_device in (False, True):
            where = "inbox on another disk" if other_device else "inbox on the same disk"
            found = self.attempt(f"audit, {where}", "audit", lambda folder, other=other_device: _clean(folder, other))
            self.rows.append(Row("The order of flushes (strace)", f"rules broken, {where}", int(found is None), 0))
            judged = sum(found.values()) if isinstance(found, dict) else 0
            self.rows.append(Row("The order of flushes (strace)", f"calls judged, {where}", judged))

        def one(missing: audit.Missing) -> tuple[str, str, Callable[[Path], object]]:
            return f"without a flush ({missing.planted})", "audit", lambda folder: _noticed(folder, missing)

        caught = self.side_by_side(map(one, audit.MISSING))
        self.rows.append(Row("The order of flushes (strace)", "flushes left out on purpose", len(caught)))
        self.rows.append(Row("The order of flushes (strace)", "of these not noticed", caught.count(None), 0))

    def flood(self) -> None:
        """Many files at once, while nobody listens."""
        found = self.attempt("flood", "flood", lambda folder: flood.flood(folder, FLOOD_FILES))
        if isinstance(found, flood.Flood):
            part = "A flood while the service is stopped (SIGSTOP)"
            self.rows += [
                Row(part, "files dropped", found.files),
                Row(part, "missed or taken twice", found.files - found.admitted, 0),
                Row(part, "taken in per second, every flush on", round(found.per_s), ">= 500"),
                Row(part, "first job's start after settling, s", round(found.first_start_s, 1), "<= 5"),
                Row(part, "peak memory of the service, MB", round(found.peak_mb), "< 300"),
            ]


def _clean(folder: Path, other_device: bool) -> dict[str, int]:
    broken, seen = audit.audit(folder, other_device=other_device)
    assert not broken, "; ".join(broken)
    return seen


def _noticed(folder: Path, missing: audit.Missing) -> bool:
    broken, _ = audit.audit(folder, missing.planted, missing.other_device)
    assert any(missing.says in sentence for sentence in broken), f"not noticed as `{missing.says}`: {broken}"
    return True


PARTS = ["audit", "scenes", "mutants", "flood", "crashes", "hands", "kills"]


def main() -> int:
    """Run the parts asked for; returns 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of: {' '.join(PARTS)}; default all")
    parser.add_argument("--seed", type=int, help="the first seed; default 1 for crashes, else a new one")
    parser.add_argument("--seeds", type=int, default=10, help="how many runs for each step, and of hands (default 10)")
    parser.add_argument("--point", choices=crash_points(), help="only this step")
    parser.add_argument("--fault", help="only this planted fault")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--files", type=int, default=450)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs side by side")
    parser.add_argument("--write", action="store_true", help="write the figures to docs/proof.md, part by part")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    if options.seed is None:
        options.seed = 1 if options.parts == ["crashes"] else random.randrange(10**6)
    print(f"seed {options.seed}", flush=True)
    proof = Proof(options)
    command = " ".join(["make prove" if not sys.argv[1:] else "tests/prove/run.py", *sys.argv[1:]])
    page = ROOT / "docs" / "proof.md"
    for part in options.parts or PARTS:
        began, known = time.monotonic(), len(proof.rows)
        getattr(proof, part)()
        facts = machine(command, options.seed, time.monotonic() - began)
        print(f"{part}:", *facts, sep="\n", flush=True)
        if options.write:
            before = page.read_text(encoding="utf-8") if page.exists() else ""
            page.write_text(updated(before, proof.rows[known:], facts), encoding="utf-8")
    print(table(proof.rows))
    missed = [row for row in proof.rows if not row.is_met]
    for row in missed:
        print(f"not as it should be: {row.part}, {row.what}: {row.value} instead of {row.goal}")
    return 1 if proof.failures or missed else 0


if __name__ == "__main__":
    sys.exit(main())
