"""A job out of what another tool's picture says: in our words, as far as there are any, and what had to be left out."""

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hotfolder import images, names, yamlfile
from hotfolder.errors import JobError, NotYet
from hotfolder.intake.completing import Completer
from hotfolder.metadata.foreign import MAX_LORAS, decimal
from hotfolder.metadata.text import cut
from hotfolder.models import entries, loras, samplers
from hotfolder.models.profile import Choice
from hotfolder.sentences import shown
from hotfolder.spec import JobSpec, LoraUse, literal
from hotfolder.yamlfile import Document

MAX_CHARACTERS = 16_384
"""Of a text in a job."""
_TAG = re.compile(r"[ \t]*<(?:lora|lyco):([^<>:]{1,200})(?::([^<>]{0,60}))?>")
_WEIGHTS = re.compile(
    r"[-_. (]*(quantized\)|fp8|fp16|bf16|f16|nf4|bnb|gguf|q\d(_\w+)?|e4m3fn|e5m2|scaled|fast|pruned|v\d)(?=$|[-_. ])"
)
"""What people's files are called behind the model's name, for how its numbers are kept."""


def translated(said: dict[str, Any], spec: JobSpec, picture: Path, completer: Completer) -> tuple[Document, list[str]]:
    """Return the job that comes nearest to what another tool did, without its seed, and what of it is not in there.

    Args:
        said: as in `read.Found.parameters`.
        spec: what its user wants otherwise: the model, the profile, guidance and negative prompt count here.
        picture: what says it.
        completer: knows which models and LoRAs are here.

    Raises:
        NotYet, JobError, ConfigError: there is no model for it.
    """
    told: list[str] = []
    name, model = names.display(picture.name), said.get("model")
    same = _known(model, spec.profile, completer) if model and not spec.model else None
    choice = same or completer.choose(JobSpec(kind="generate", model=spec.model, profile=spec.profile), name)
    assert choice
    if model and not same and not spec.model:
        told.append(f"the model {shown(model)} is not here, {choice.entry.name} made this")
    if "width" not in said or "height" not in said:
        seen = images.sniff(picture, int(completer.workspace.settings.max_megapixels * 1_000_000))
        said = {**said, "width": seen.width, "height": seen.height}
    prompt, uses = _without_tags(said.get("prompt") or "")
    uses += [LoraUse.model_construct(**lora) for lora in said.get("loras", ())]
    values = {
        **_texts({**said, "prompt": prompt}, spec, choice, same is not None, told),
        **_size(said, choice, told),
        "steps": said.get("steps"),
        "sampler": _sampler(said, told),
        "model": same and same.entry.name,
        "loras": _loras(uses, choice, completer, told),
    }
    kept = {key: value for key, value in values.items() if value and _fits(key, value, told)}
    if "strength" in said:
        told.append("it was begun from another picture, which is not in it")
    if "styles" in said:
        told.append(f"its styles {shown(said['styles'])} are not applied")
    return Document(f"what {name} says of itself", kept, {}), told


def _known(model: str, profile: str | None, completer: Completer) -> Choice | None:
    """Return what serves the model of that name, whatever its file is called; None unless it is here and can run."""
    for entry in entries.known(completer.workspace.models).values():
        called = (entry.name, *entry.single_files, entry.repo or "")
        if "generate" not in entry.kinds or _plain(model) not in map(_plain, called):
            continue
        wanted = JobSpec(kind="generate", model=entry.name, profile=profile)
        try:
            choice = completer.choose(wanted, entry.name)
            assert choice
            completer.refuse_what_cannot_run(choice, wanted)
        except (NotYet, JobError):
            continue
        return choice
    return None


def _plain(model: str) -> str:
    """Return a model's name without its folder, ending and kind of numbers: `Flux/flux1-dev-fp8.safetensors`,
    `FLUX Dev (Quantized)` and `black-forest-labs/FLUX.1-dev` are the same."""
    name = re.split(r"[\\/]", model)[-1].lower().removesuffix(".safetensors").removesuffix(".gguf")
    return re.sub(r"^flux(?=dev|schnell)", "flux1", re.sub(r"[-_. ]", "", _WEIGHTS.sub("", name)))


def _size(said: dict[str, Any], choice: Choice, told: list[str]) -> dict[str, int]:
    """Return width and height; smaller ones of the same shape where the model makes none so large."""
    width, height = said.get("width"), said.get("height")
    if not width or not height:
        return {}
    most = min(choice.entry.defaults.max_edge_px, choice.serving.max_edge_px or 1 << 30)
    scale = min(1, most / max(width, height))
    edges = {"width": max(round(width * scale), 1), "height": max(round(height * scale), 1)}
    if scale < 1:
        told.append(
            f"{width}x{height} became {edges['width']}x{edges['height']}, as large as {choice.entry.name} makes"
        )
    return edges


def _texts(said: dict[str, Any], spec: JobSpec, choice: Choice, is_same: bool, told: list[str]) -> dict[str, Any]:
    """Return prompt, negative prompt and guidance. A negative prompt acts by a guidance above 1; that of another model
    means nothing to this one."""
    negative, cfg = said.get("negative_prompt"), said.get("cfg", said.get("guidance"))
    acted = negative and (cfg is None or cfg > 1)
    own = cfg if acted or "cfg" not in said else said.get("guidance")
    guidance = own if is_same and own and (own > 1 or acted) else None
    usual = choice.serving.guidance if choice.serving.guidance is not None else choice.entry.defaults.guidance
    acts = next(value for value in (spec.guidance, guidance, usual) if value is not None) > 1
    if negative and not (acted and acts) and not spec.negative_prompt:
        why = f"{choice.entry.name} knows none at its guidance" if acted else "it did nothing at a CFG scale of 1"
        told.append(f"its negative prompt is left out: {why}")
        negative = None
    texts = {"prompt": said.get("prompt"), "negative_prompt": negative}
    written = {key: _written(text, told) for key, text in texts.items() if text}
    return {**written, "guidance": guidance}


def _written(text: str, told: list[str]) -> str:
    """Return a text as a job may hold it, meant as it stands: nothing in it is a choice or a wildcard."""
    text = yamlfile.CONTROL.sub("", text)
    if len(meant := literal(text)) <= MAX_CHARACTERS:
        return meant
    told.append(f"a text of {len(text):,} characters was cut")
    return literal(cut(text, MAX_CHARACTERS // 2))


def _sampler(said: dict[str, Any], told: list[str]) -> str | None:
    """Return the sampler by our name; an unknown one is left to the model."""
    sampler, schedule = said.get("sampler"), said.get("schedule")
    if not sampler:
        return None
    for words in filter(None, (schedule and f"{sampler} {schedule}", sampler)):
        try:
            found = samplers.find(words).name
        except LookupError:
            continue
        if words == sampler and schedule:
            told.append(f"the schedule {shown(schedule)} does not fit")
        return found
    told.append(f"the sampler {shown(sampler)} does not fit")
    return None


def _fits(key: str, value: Any, told: list[str]) -> bool:
    """Say whether a job may have this value; tells where not."""
    try:
        JobSpec.model_validate({"kind": "generate", key: value})
    except ValidationError:
        told.append(f"its `{key}` is nothing that a job may say")
        return False
    return True


def _without_tags(prompt: str) -> tuple[str, list[LoraUse]]:
    """Return a prompt without its LoRA tags, and what they name."""
    uses = [LoraUse.model_construct(name=tag[1], weight=_weight(tag[2])) for tag in _TAG.finditer(prompt)]
    return _TAG.sub("", prompt).strip(), uses


def _weight(text: str | None) -> float:
    weight = decimal((text or "").partition(":")[0])  # behind it some have another for the text encoder
    return 1.0 if weight is None else weight


def _loras(uses: list[LoraUse], choice: Choice, completer: Completer, told: list[str]) -> list[dict[str, Any]]:
    """Return those LoRAs that are here and fit; tells which are not."""
    kept: dict[str, dict[str, Any]] = {}
    for use in uses[:MAX_LORAS]:
        plain = re.split(r"[\\/]", use.name)[-1].removesuffix(".safetensors")
        for name in (use.name, plain):
            try:
                found = LoraUse(name=name, weight=use.weight)
                loras.locate(found, completer.workspace.models, choice.entry)
            except NotYet:
                continue
            except (JobError, ValidationError) as error:
                told.append(
                    str(error) if isinstance(error, JobError) else f"the weight of {shown(plain)} is out of bounds"
                )
            else:
                kept.setdefault(plain, found.model_dump())
            break
        else:
            told.append(f"the LoRA {shown(plain)} is not here")
    return list(kept.values())
