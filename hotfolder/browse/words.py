"""Times, durations and sizes as people read them."""

from datetime import datetime


def when(moment: str | None) -> str:
    """Return a time of the catalog on this machine's clock, to the minute; what is no time comes back as it is."""
    try:
        return datetime.fromisoformat(moment or "").astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return moment or ""


def duration(seconds: float) -> str:
    """Return seconds in two words at most: `0.14 s`, `12 s`, `3 min 20 s`, `1 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if whole < 60:
        return f"{whole} s"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def number(value: float) -> str:
    """Return a number without zeros that say nothing: `3.5`, `30`, `0.025`."""
    return f"{value:.6g}"
