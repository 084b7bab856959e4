"""The `parameters` text that Stable Diffusion web UIs write and every picture site reads.

    <prompt> <lora:name:weight>
    Negative prompt: <negative>
    Steps: 4, Sampler: Euler, CFG scale: 0, Seed: 42, Size: 1024x1024, Model: ..., Version: hotfolder 0.1.0

**Source**: AUTOMATIC1111/stable-diffusion-webui, modules/infotext_utils.py and processing.py: the format and its
reader's rules (last line, at least three pairs, JSON quotes); lllyasviel/stable-diffusion-webui-forge f2.0.1,
modules/processing.py (both kinds of guidance); vladmandic/sdnext of July 2026, modules/processing_info.py (lines for
templates). No code was taken.
"""

import json
import re
from typing import Any

from hotfolder.metadata.facts import Facts, Lora
from hotfolder.metadata.foreign import MAX_CHARACTERS, MAX_LORAS, decimal, whole
from hotfolder.metadata.text import clean, cut

_PAIR = re.compile(r'\s*(\w[\w \-/]{1,63}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_LORA_AT_END = re.compile(r"\s*<lora:([^<>:]{1,200}):([^<>:]{1,20})>\s*$")
# Readers take a line that begins so for the start of the next part. A backslash in front stops them; ours removes it.
_STRUCTURAL = re.compile(r"^(\s*)(\\*(?:Negative prompt:|Steps:))", re.MULTILINE)
_ESCAPED = re.compile(r"^(\s*)\\(\\*(?:Negative prompt:|Steps:))", re.MULTILINE)
_NEGATIVE = "Negative prompt:"
_TEMPLATES = ("Template: ", "Negative template: ")
"""Lines that SD.Next writes between the negative prompt and the pairs."""


def parameters(facts: Facts, limit: int) -> str:
    """Return the text for a generated picture, at most `limit` characters.

    What does not fit is left out in this order: the template, then the ends of prompt and negative prompt.
    """
    prompt = clean(facts.prompt or "").strip()
    negative = clean(facts.negative_prompt or "").strip()
    text = _assemble(facts, prompt, negative, clean(facts.template or ""))
    if len(text) > limit:
        text = _assemble(facts, prompt, negative, "")
    if len(text) > limit:
        room = max(limit - len(_assemble(facts, "", "", "")) - 64, 0)  # 64: the words between, escapes
        negative = cut(negative, max(room // 3, 1))
        text = _assemble(facts, cut(prompt, max(room - len(negative), 1)), negative, "")
    return text[:limit]


def postprocessing(facts: Facts) -> str:
    """Return the text for a picture that was worked on, not generated: one line of pairs."""
    options = {**facts.job, **(facts.job.get("options") or {})}
    pairs: dict[str, Any] = {"Postprocess": facts.kind}
    if factor := options.get("factor"):
        pairs["Postprocess upscale by"] = factor
    if facts.kind == "upscale":
        pairs["Postprocess upscaler"] = facts.model
    else:
        pairs["Model"] = facts.model
    return _line(pairs | _common(facts))


def _assemble(facts: Facts, prompt: str, negative: str, template: str) -> str:
    tags = " ".join(f"<lora:{_name(lora)}:{lora.weight:g}>" for lora in facts.loras)
    parts = [" ".join(part for part in (_escape(prompt), tags) if part)]
    if negative:
        parts.append(f"{_NEGATIVE} {_escape(negative)}")
    hashes = [f"{_name(lora)}: {lora.hash}" for lora in facts.loras if lora.hash]
    weights = [f"{_name(lora)}: {lora.weight:g}" for lora in facts.loras]
    pairs: dict[str, Any] = {
        "Steps": facts.steps,
        "Sampler": facts.sampler,
        "CFG scale": facts.guidance,
        "Seed": facts.seed,
        "Size": f"{facts.width}x{facts.height}",
        "Model hash": facts.model_hash and facts.model_hash[:10],
        "Model": facts.model,
        "Variation seed": facts.job.get("variation_seed"),
        "Variation seed strength": facts.job.get("variation") or None,
        "Denoising strength": facts.job.get("strength"),
        "Lora hashes": ", ".join(hashes),
        "Lora weights": ", ".join(weights),
        "Template": template,
    }
    parts.append(_line(pairs | _common(facts)))
    return "\n".join(parts).strip()


def _common(facts: Facts) -> dict[str, Any]:
    return {"Profile": facts.profile, "Miniature": "yes" if facts.miniature else None, "Version": facts.tool}


def _line(pairs: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {_quote(_written(value))}" for key, value in pairs.items() if value not in (None, ""))


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else clean(str(value))


def _quote(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r'[,:\n"]', value) or value != value.strip() else value


def _name(lora: Lora) -> str:
    """Return a LoRA's name without what ends a tag or a pair in other readers."""
    return re.sub(r'[<>:,"\s]+', "_", clean(lora.name)) or "lora"


def _escape(text: str) -> str:
    return _STRUCTURAL.sub(r"\1\\\2", text)


def parse(text: str) -> dict[str, Any] | None:
    """Return what a parameters text says; None when its last line has not three pairs, steps or seed among them.

    The keys are those of `read.Found.parameters`, and `pairs`: every pair of the last line as written.
    """
    lines = text[:MAX_CHARACTERS].replace("\r\n", "\n").strip().split("\n")
    pairs = _pairs(lines[-1])
    if len(pairs) < 3 or not pairs.keys() & {"Steps", "Seed"}:
        return None
    prompt, negative = _prompts(lines[:-1], _TEMPLATES if pairs.get("App") == "SD.Next" else ())
    prompt, loras = _loras(prompt, pairs.get("Lora weights", ""))
    width, _, height = pairs.get("Size", "").partition("x")
    cfg, distilled = pairs.get("CFG scale"), pairs.get("Distilled CFG Scale")
    is_enlarged = any(key.startswith("Hires") for key in pairs)  # the strength is that of a second pass
    found = {
        "prompt": prompt or None,
        "negative_prompt": negative or None,
        "steps": whole(pairs.get("Steps")),
        "sampler": pairs.get("Sampler") or pairs.get("Scheduler"),
        "schedule": pairs.get("Schedule type"),
        "guidance": decimal(distilled or cfg),
        "cfg": decimal(cfg) if distilled else None,
        "seed": whole(pairs.get("Seed")),
        "width": whole(width),
        "height": whole(height),
        "model": pairs.get("Model"),
        "model_hash": pairs.get("Model hash"),
        "strength": None if is_enlarged else decimal(pairs.get("Denoising strength")),
        "variation": decimal(pairs.get("Variation seed strength") or pairs.get("Variation strength")),
        "variation_seed": whole(pairs.get("Variation seed")),
        "template": pairs.get("Template"),
        "loras": loras or None,
    }
    return {key: value for key, value in found.items() if value is not None} | {"pairs": pairs}


def _pairs(line: str) -> dict[str, str]:
    """Read `key: value, ...` from its start, in time linear in its length; what is no pair is passed over."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(line):
        found = _PAIR.match(line, at)
        if found is None:
            comma = line.find(",", at)
            at = len(line) if comma < 0 else comma + 1
            continue
        pairs[found[1]] = _unquote(found[2].strip())
        at = found.end()
    return pairs


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _prompts(lines: list[str], behind: tuple[str, ...]) -> tuple[str, str]:
    """Return prompt and negative prompt; lines that begin with one of `behind` are neither."""
    start = next((i for i, line in enumerate(lines) if line.strip().startswith(_NEGATIVE)), len(lines))
    end = next((i for i, line in enumerate(lines[start:], start) if line.startswith(behind)), len(lines))
    negative = "\n".join(lines[start:end]).strip().removeprefix(_NEGATIVE)
    return _ESCAPED.sub(r"\1\2", "\n".join(lines[:start]).strip()), _ESCAPED.sub(r"\1\2", negative.strip())


def _loras(prompt: str, weights: str) -> tuple[str, list[dict[str, Any]]]:
    """Take the LoRA tags off the end of a prompt; the `Lora weights` pair, where it is there, has the weights."""
    known = {name.strip(): decimal(weight) for name, _, weight in (part.partition(":") for part in weights.split(","))}
    loras: list[dict[str, Any]] = []
    end = len(prompt)
    while len(loras) < MAX_LORAS and (found := _LORA_AT_END.search(prompt[max(end - 300, 0) : end])):
        weight = known.get(found[1])
        weight = decimal(found[2]) if weight is None else weight
        loras.append({"name": found[1], "weight": 1.0 if weight is None else weight})
        end -= len(found[0])
    return prompt[:end], loras[::-1]
