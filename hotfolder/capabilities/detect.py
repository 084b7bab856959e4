"""Find things in a picture: their labels and boxes as JSON, as rows, as keywords in a copy of the picture's own file,
and drawn over it."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Detection, Result
from hotfolder.errors import RejectedInput
from hotfolder.images import overlays, sought
from hotfolder.spec import JobSpec, Options, Unit

Guess = tuple[str, float, tuple[float, float, float, float]]
"""Label, score 0..1, box in pixels."""


class DetectOptions(Options):
    """What only detect knows. `threshold` is a score, 0..1."""

    threshold: Annotated[
        Unit | None, Field(description="score from which something counts as found; default the model's")
    ] = None
    max: Annotated[int, Field(ge=1, le=1000, description="how many things are kept, the surest")] = 100


class Detect(Capability):
    kind = "detect"
    aliases = ("detr", "owl", "owlv2", "detection")
    uses = frozenset({"image", "prompt"})
    needs = frozenset({"image"})
    ignores = frozenset({"format", "quality", "keep_exif"})
    source_type = ""

    Options = DetectOptions

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        for prompt in [spec.prompt] if isinstance(spec.prompt, str) else spec.prompt or ():
            if not sought.phrases(prompt):
                raise RejectedInput(f"`prompt: {prompt}` has no words to look for")

    @classmethod
    def variant(cls, spec: JobSpec, options: Any) -> str | None:
        return "words" if spec.prompt else None

    def run(self, context: Context) -> Iterator[Result]:
        """Find everything, or what the prompt's words say; things that nobody asked for by name may be none."""
        assert context.image
        image, options = context.image, context.options
        for planned in context.planned:
            words = sought.phrases(planned.prompt)

            def look(family: Any, words: list[str] = words) -> tuple[list[Guess], float]:
                usual = family.entry.defaults.threshold if options.threshold is None else options.threshold
                return family.detect(image, words), usual

            guesses, threshold = context.pool.attempt(context.model, look)
            best = {label: score for label, score, _ in reversed(guesses)}
            missed = sought.missed(words, [best.get(word, 0.0) for word in words], threshold)
            if words and len(missed) == len(words):
                raise RejectedInput("; ".join(missed))
            sure = [one for one in guesses if one[1] >= threshold]
            clipped = [(label, score, _clipped(box, image.size)) for label, score, box in sure]
            found = [one for one in clipped if one[2][0] < one[2][2] and one[2][1] < one[2][3]][: options.max]
            facts: dict[str, Any] = {"tags": tuple(dict.fromkeys(label for label, *_ in found))}
            if missed:
                facts["notes"] = tuple(missed)
            yield Result(
                None,
                planned,
                facts,
                texts={".json": _written(found, image.size, context.model, threshold)},
                pictures={".overlay.png": overlays.boxes(image, found)},
                detections=tuple(Detection(*one) for one in found),
            )


def _clipped(box: tuple[float, ...], size: tuple[int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        round(min(max(value, 0.0), float(edge)), 1) for value, edge in zip(box, (*size, *size), strict=True)
    )
    return left, top, right, bottom


def _written(found: list[Guess], size: tuple[int, int], model: str, threshold: float) -> str:
    """Return the JSON beside the picture; boxes are [x0, y0, x1, y1] in pixels of the upright picture."""
    things = [{"label": label, "score": round(score, 4), "box": list(box)} for label, score, box in found]
    head = {"width": size[0], "height": size[1], "model": model, "threshold": threshold}
    lines = ",\n".join(f"  {json.dumps(thing, ensure_ascii=False)}" for thing in things)
    body = f"[\n{lines}\n]" if things else "[]"
    return f'{json.dumps(head)[:-1]}, "detections": {body}}}\n'
