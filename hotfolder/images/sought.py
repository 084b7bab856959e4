"""Words that are looked for in a picture: several phrases in one text, and what is said of those that are not there."""

import re
from collections.abc import Sequence


def phrases(prompt: str | None) -> list[str]:
    """Return the phrases of a prompt, which commas or line breaks part; each one once."""
    found = (" ".join(one.split()) for one in re.split(r"[,;\n]", prompt or ""))
    return list(dict.fromkeys(one for one in found if one))


def missed(phrases: Sequence[str], best: Sequence[float], threshold: float) -> list[str]:
    """Return a sentence on each phrase whose best score, 0..1, does not reach the threshold."""
    return [
        f"found no `{phrase}`; best score {score:.2f}"
        for phrase, score in zip(phrases, best, strict=True)
        if score < threshold
    ]
