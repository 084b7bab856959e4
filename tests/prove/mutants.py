"""Which planted fault is noticed in which scene, and by which words: an error for another reason proves nothing."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.prove import scenes
from tests.prove.scenes import Scene, crash_at


@dataclass(frozen=True)
class Mutant:
    """A fault of planted/faults.py, the scene that must notice it, and a pattern of what it says then."""

    fault: str
    scene: Scene
    says: str


LOST, TWICE, STRAY = r"is in 0 places", r"is in 2 places", r"is not what was intended"

MUTANTS = [
    Mutant("settle_skipped", scenes.slow_writer, "before it had settled"),
    Mutant("writers_ignored", scenes.open_writer, "while it was being written"),
    Mutant("rescan_skipped", scenes.unseen_file, "without an event was not done"),
    Mutant("intent_skipped", crash_at("claim_flushed"), "left in work"),
    Mutant("copied_in", crash_at("claim_file"), TWICE),
    Mutant("lock_removed", scenes.two_services, "two services worked"),
    Mutant("strikes_uncounted", scenes.poison, "strikes did not end"),
    Mutant("requeues_uncounted", scenes.rule_of_five, "was tried once more"),
    Mutant("followers_forgotten", scenes.chain, "step 2 was never recorded|left in work"),
    Mutant("chains_begun_again", scenes.chain, f"{STRAY}|after step"),
    Mutant("stage_unchecked", scenes.torn_disk, "torn picture"),
    Mutant("published_before_intended", crash_at("linked"), STRAY),
    Mutant("recorded_before_published", crash_at("recorded"), "gave 0 pictures|left in work"),  # a chain waits for it
    Mutant("linked_by_replace", scenes.foreign_in_outbox, "was overwritten"),
    Mutant("foreign_taken_for_ours", scenes.foreign_in_outbox, "differs|gave 0 pictures"),
    Mutant("written_directly", crash_at("linked"), f"torn picture|{STRAY}"),
    Mutant("filed_by_replace", scenes.foreign_in_done, "was overwritten"),
    Mutant("filed_before_moved", crash_at("places_reserved"), LOST),
    Mutant("files_left_behind", scenes.quiet, LOST),
    Mutant("kept_before_its_job", crash_at("follow_recorded"), "gave 1 pictures, not 2"),
    Mutant("kept_twice", crash_at("follow_jobs_put"), "gave 3 pictures, not 2"),
    Mutant("recover_skipped", crash_at("claim_flushed"), "left in work"),
    Mutant("give_back_skipped", crash_at("claim_flushed"), "left in work"),
    Mutant("requeue_skipped", crash_at("job_claimed"), "left in work"),
    Mutant("intended_forgotten", crash_at("intended"), "left in work"),
    Mutant("intended_run_again", crash_at("published"), "is not in the catalog|" + STRAY),
    Mutant("leftovers_kept", crash_at("filed"), "left in work"),
    Mutant("everything_cleared", crash_at("job_claimed"), LOST),
]


def outcome(mutant: Mutant, folder: Path) -> str:
    """Play the mutant's scene with its fault; returns what the proof said, "" when it noticed nothing."""
    try:
        mutant.scene(folder, mutant.fault)
    except AssertionError as error:
        return str(error) or "an assertion without words"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ""


def is_caught(mutant: Mutant, said: str) -> bool:
    return re.search(mutant.says, said) is not None
