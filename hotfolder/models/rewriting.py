"""What a language model makes of a prompt, checked: no word of the prompt may be lost."""

import re
from collections import Counter

WORDS = 60
"""About how many words a rewritten prompt gets."""

FILLING = frozenset("a an the of and or in on at to with by for from is are as it its into".split())
"""Words that a prompt may lose: they name nothing."""

LABEL = re.compile(r"^(?:(?:here is|here's)[^:]*|prompt|rewritten prompt|detailed prompt)\s*:\s*", re.IGNORECASE)
QUOTES = "\"'“”‘’`*"


def checked(prompt: str, said: str) -> tuple[str, str | None]:
    """Return the prompt to go on with, and a sentence where it is not what the model said.

    A model that lost a word of the prompt, or said one less often, gets it back: the prompt itself comes first then,
    and what was said after it. One that said nothing leaves the prompt as it was.
    """
    text = LABEL.sub("", said.strip()).strip().strip(QUOTES).strip()
    if not text or text.casefold() == prompt.strip().casefold():
        return prompt, "the language model said nothing new; the prompt stays as it was"
    lost = missing(prompt, text)
    if not lost:
        return text, None
    words = ", ".join(f"`{word}`" for word in lost)
    return f"{prompt.strip().rstrip('.,;')}, {text}", f"the language model left out {words}; the prompt stands first"


def missing(prompt: str, text: str) -> list[str]:
    """Return the words of a prompt that a text has less often, in the prompt's order; `circle` is in `circles`."""
    asked, found = Counter(_words(prompt)), _words(text)
    return [word for word, count in asked.items() if sum(one.startswith(word) for one in found) < count]


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.casefold()) if word not in FILLING]
