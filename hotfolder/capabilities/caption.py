"""Say in words what a picture shows: into a `.txt` beside it, the catalog, and a copy of the picture's own file."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from PIL import Image
from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.spec import JobSpec, Options, Planned


class CaptionOptions(Options):
    """What only caption knows. `max_tokens` counts words or parts of them."""

    mode: Annotated[Literal["fast", "deep"], Field(description="`fast` looks once; `deep` asks a larger model")] = (
        "fast"
    )
    existing: Annotated[
        Literal["skip", "append", "overwrite"],
        Field(description="what becomes of the caption that a picture comes with: kept, continued or replaced"),
    ] = "skip"
    trigger: (
        Annotated[
            str, Field(min_length=1, max_length=200, description="a word to begin every caption with, for training")
        ]
        | None
    ) = None
    objects: Annotated[bool, Field(description="what a detector finds becomes tags: keywords in the picture")] = False
    max_tokens: Annotated[int, Field(ge=1, le=200, description="where a caption ends at the latest")] = 40


class Caption(Capability):
    kind = "caption"
    aliases = ("blip", "blip2", "describe", "interrogate")
    uses = frozenset({"image", "prompt"})
    needs = frozenset({"image"})
    ignores = frozenset({"format", "quality", "keep_exif"})
    hands_on = "prompt"
    source_type = ""

    Options = CaptionOptions

    @classmethod
    def variant(cls, spec: JobSpec, options: Any) -> str | None:
        return "deep" if options.mode == "deep" else None

    @classmethod
    def helpers(cls, spec: JobSpec, options: Any) -> tuple[str, ...]:
        return ("detect",) if options.objects else ()

    def run(self, context: Context) -> Iterator[Result]:
        """Caption the picture; the job's prompt is how the caption begins.

        A caption that is kept needs no model, and a model that says nothing new wrote none of it.
        """
        assert context.image
        image, options, own = context.image, context.options, context.caption
        found = context.ask("detect", lambda family: _labels(family, image)) if options.objects else ()
        for planned in context.planned:
            facts: dict[str, Any] = {"tags": found} if found else {}

            def say(family: Any, planned: Planned = planned) -> str:
                return str(family.caption(image, planned.prompt, options.max_tokens))

            if own and options.existing == "skip":
                caption, facts["model"] = own, None
            else:
                caption = context.pool.attempt(context.model, say)
                if own and options.existing == "append":
                    if _says(own, caption):
                        caption, facts["model"] = own, None
                    else:
                        caption = f"{own}, {caption}"
            trigger = options.trigger
            if trigger and caption.split(",")[0] != trigger:
                caption = f"{trigger}, {caption}"
            yield Result(None, planned, {**facts, "caption": caption}, {".txt": caption})


def _labels(family: Any, image: Image.Image) -> tuple[str, ...]:
    """Return what a detector is sure to have found, each word once, the surest first."""
    guesses = family.detect(image, [])
    sure = [label for label, score, _ in guesses if score >= family.entry.defaults.threshold]
    return tuple(dict.fromkeys(sure))


def _says(text: str, words: str) -> bool:
    """Say whether `text` has these words in it as a whole already, in any case of letters."""
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None
