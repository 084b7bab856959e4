"""From a job to its pictures: each with its prompt expanded and its seed. And text files with a prompt a line."""

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hotfolder.errors import BadSpec, Problem
from hotfolder.intake import texts
from hotfolder.spec import JobSpec, Planned

if TYPE_CHECKING:
    from hotfolder.intake.expansion import Expander

MAX_PICTURES = 10_000
"""Pictures of one job, and lines of one file of prompts."""
MAX_FILE_MARKS = 10_000
"""`{`, `|` and `__` in one file of prompts: expanding them takes 0.3 to 0.6 ms each, in the service."""


def plan(spec: JobSpec, wildcards: Path, draw: random.Random) -> tuple[Planned, ...]:
    """Return the pictures a job will make: for each of its prompts `variants` of them, with successive seeds.

    A seed that is given counts for the first picture of every prompt, so that prompts can be compared; without one,
    `draw` gives each prompt its own, below 2**32. Those of a job with a `variation` keep one seed, and the seeds follow
    each other that its noise is moved towards. What `{red|blue}` and `__name__` become depends on the picture's
    seed alone (and on its number, for `@` and `!`).

    Args:
        wildcards: the folder of text files for `__name__`.

    Raises:
        BadSpec: a prompt cannot be expanded, or there are more than 10,000 pictures.
    """
    prompts = spec.prompt if isinstance(spec.prompt, tuple) else (spec.prompt,)
    total = len(prompts) * spec.variants
    if total > MAX_PICTURES:
        message = f"{len(prompts):,} prompts times {spec.variants:,} variants are {total:,} pictures"
        raise BadSpec([Problem("the job", None, "variants", f"{message}; a job makes at most {MAX_PICTURES:,}")])
    varies = bool(spec.options.get("variation"))
    expander = _expander(wildcards, *prompts, spec.negative_prompt)
    pictures = []
    for prompt in prompts:
        first = draw.randrange(2**32 - spec.variants) if spec.seed is None else spec.seed
        towards: int = spec.options.get("variation_seed") or 0
        if varies and "variation_seed" not in spec.options:
            towards = draw.randrange(2**32 - spec.variants)
        for number in range(spec.variants):
            seed = (first + (0 if varies else number)) % 2**64
            texts = [_expanded(text, expander, seed, number) for text in (prompt, spec.negative_prompt)]
            pictures.append(
                Planned(
                    prompt=texts[0],
                    negative_prompt=texts[1],
                    template=prompt if prompt != texts[0] else None,
                    seed=seed,
                    seed_locked=spec.seed is not None,
                    variation_seed=(towards + number) % 2**64 if varies else None,
                )
            )
    return tuple(pictures)


def _expander(wildcards: Path, *texts: str | None) -> "Expander | None":
    """Return an Expander where a text wants one. dynamicprompts costs 60 ms to import: not at the service's start."""
    if not any(text and ("{" in text or "__" in text) for text in texts):
        return None
    from hotfolder.intake.expansion import Expander

    return Expander(wildcards)


def _expanded(text: str | None, expander: "Expander | None", seed: int, number: int) -> str | None:
    if expander is None or not text:
        return text
    return expander.expand(text, random.Random(str(seed)), number)  # a text is hashed: neighbours differ


def prompt_lines(data: bytes, name: str) -> list[tuple[int, str]]:
    """Return the lines of a file of prompts that are not empty, each with its number from 1.

    Args:
        data: UTF-8, or UTF-16 with a byte order mark, at most 1 MiB.
        name: what messages call the file.

    Raises:
        BadSpec: it is no text, too large, or has more than 10,000 prompts.
    """
    text = texts.decode(data, name)
    lines = [(number, line.strip()) for number, line in enumerate(re.split("\r\n|\r|\n", text), 1) if line.strip()]
    if len(lines) > MAX_PICTURES:
        raise BadSpec([Problem(name, None, None, f"{len(lines):,} prompts; one file holds at most {MAX_PICTURES:,}")])
    if sum(map(text.count, ("{", "|", "__"))) > MAX_FILE_MARKS:
        message = f"there are more than {MAX_FILE_MARKS:,} choices and wildcards; cut the file in several"
        raise BadSpec([Problem(name, None, None, message)])
    return lines
