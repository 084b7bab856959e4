"""What goes on, in the words that the terminal, `outbox/STATUS.html` and the queue page share."""

from typing import Any

from hotfolder import names
from hotfolder.status import Status

ORDER = "running publishing queued waiting done failed cancelled".split()
_CUT_SHORT = {"running": "interrupted", "publishing": "interrupted"}
"""What jobs are that a service had when it went away; its next start heals them."""


def safe(text: str) -> str:
    """Return text that came from outside for people: line by line, control and bidi characters visible."""
    return "\n".join(names.display(line) for line in text.split("\n"))


def headline(found: Status) -> str:
    """Return whether it runs, in one sentence without a full stop."""
    if not found.running:
        return "hotfolder is not running"
    return "hotfolder is running, but starts nothing new" if found.paused else "hotfolder is running"


def counted(found: Status) -> list[tuple[str, int, str]]:
    """Return how many jobs there are in each state that has any: the state, the number, and how it is called."""
    words = {} if found.running else _CUT_SHORT
    return [(state, found.counts[state], words.get(state, state)) for state in ORDER if found.counts.get(state)]


def step(found: Status) -> str:
    """Return how far the running job is: `picture 2 of 8, step 3 of 20`; empty before its first step."""
    at = found.progress
    return f"picture {at['picture']} of {at['pictures']}, step {at['step']} of {at['of']}" if at else ""


def doing(found: Status) -> str:
    """Return how far the running job is, or what it does before its first step."""
    model = found.job and found.job["model"]
    return step(found) or ("its model is being loaded" if model else "it begins")


def share(found: Status) -> float | None:
    """Return how much of the running job is done, from 0 to 1; None before its first step."""
    at = found.progress
    return (at["picture"] - 1 + at["step"] / at["of"]) / at["pictures"] if at else None


def about(seconds: float) -> str:
    """Return an estimate as one says it: `about 40 s`, `about 12 min`, `about 3 h 20 min`."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"about {hours} h{f' {rest} min' if rest else ''}"


def several(number: int, noun: str) -> str:
    """Return `1 job`, `1,200 jobs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def card(found: Status) -> str:
    """Return why there is nothing to show of the graphics card; empty where there is something."""
    if not found.running:
        return "The graphics card is measured while hotfolder runs"
    if found.gpu is None:
        return "Nothing is known of the graphics card yet"
    if found.gpu["why_not"]:
        why_not = str(found.gpu["why_not"])
        return why_not[0].upper() + why_not[1:]
    return "" if found.gpu["samples"] else "The graphics card is measured while a job runs"


def figures(sample: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the card says in one sample, each with its name; what it does not tell is left out."""
    told = []
    if (used := sample["memory_used_mb"]) is not None:
        total = sample["memory_total_mb"]
        of = "" if total is None else f" of {total / 1000:.1f}"
        told.append(("memory", f"{used / 1000:.1f}{of} GB"))
    for name, key, unit in (
        ("utilisation", "utilisation_percent", "%"), ("temperature", "temperature_c", "°C"), ("power", "power_w", "W"),
    ):  # fmt: skip
        if sample[key] is not None:
            told.append((name, f"{sample[key]:.0f} {unit}"))
    return told


def today(found: Status) -> str:
    """Return what was made since midnight: `12 pictures, 8.1 Wh`."""
    energy, cost = found.today["energy_wh"], found.today["cost"]
    said = [several(found.today["pictures"], "picture")]
    if energy is not None:
        said.append(f"{energy / 1000:.2f} kWh" if energy >= 1000 else f"{energy:.1f} Wh")
    if cost is not None:
        said.append(f"{cost:.2f} of electricity")
    return ", ".join(said)
