"""Make a short prompt a long one: the text, and a job beside it that generates its picture."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.models import rewriting
from hotfolder.spec import Options, literal


class ExpandOptions(Options):
    """What only expand knows."""

    words: Annotated[int, Field(ge=10, le=200, description="about how many words the longer prompt gets")] = (
        rewriting.WORDS
    )


class Expand(Capability):
    kind = "expand"
    aliases = ("expand_prompt", "magic_prompt")
    uses = frozenset({"prompt", "seed", "variants"})
    needs = frozenset({"prompt"})
    ignores = frozenset({"format", "quality", "keep_exif", "image_sha256", "on_keep"})
    hands_on = "prompt"
    source_type = ""

    Options = ExpandOptions

    def run(self, context: Context) -> Iterator[Result]:
        """Rewrite each planned prompt by its seed; no word of it is lost."""
        for planned in context.planned:
            asked, seed = planned.prompt or "", planned.seed
            said = context.pool.attempt(context.model, partial(_rewrite, asked, context.options.words, seed))
            text, note = rewriting.checked(asked, said)
            job = [("kind", "generate"), ("prompt", literal(text)), ("seed", seed), ("profile", context.spec.profile)]
            lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in job if value is not None]
            facts: dict[str, Any] = {"notes": (note,)} if note else {}
            yield Result(None, planned, facts, {".txt": text + "\n", ".yaml": "".join(lines)}, job={"seed": seed})


def _rewrite(prompt: str, words: int, seed: int, family: Any) -> str:
    said: str = family.rewrite(prompt, words, seed)
    return said
