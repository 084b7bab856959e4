"""ComfyUI's graph of nodes, followed from the picture back to its sampler, and from there to prompt, size and model.

    {"3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "positive": ["6", 0], ...}}, ...}

A value is written out, or is a link: the id of a node and the number of its output. Nodes are told by what they take,
not by their names, since people run hundreds of kinds that others wrote.

**Source**: Comfy-Org/ComfyUI 0.3.64: nodes.py (SaveImage: PNG texts `prompt` and `workflow`), comfy_api/latest/_ui.py
(WebP: EXIF Model holds `prompt:` and the graph, Make `workflow:`), comfy_extras/nodes_custom_sampler.py, nodes_flux.py
and nodes_string.py (names of the inputs). No code was taken. Tried on the pictures of ComfyUI's own collection of
examples.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hotfolder.metadata.foreign import MAX_LORAS, decimal, inner, mapping, said, whole, words

_TEXTS = ("t5xxl", "text", "prompt", "text_g", "clip_l", "text_l", "llama", "populated_text", "wildcard_text")
"""Where a node that encodes a text has it, the best first."""
_STRING = re.compile(r"(value|text|string|prompt|populated_text)(_?[a-z0-9])?")
"""Where a node that makes a text has its parts."""
_LOADS = ("ckpt_name", "unet_name", "model_name", "gguf_name")
_NOT_CONDITIONS = {"clip", "vae", "model", "image", "pixels", "control_net", "latent", "samples", "clip_vision_output"}
_NUMBERS = ("value", "int", "float", "number", "seed", "noise_seed")
_POSITIVE = ("positive", "cond1", "conditioning")
_BEGIN = ("pixels", "image")
MAX_ENDS = 20
MAX_DEPTH = 40
"""Nodes in a row that put one text or number together."""


def parse(text: str) -> dict[str, Any] | None:
    """Return what a graph says, by the keys of `read.Found.parameters`; None where no sampler leads to its picture.

    Of several samplers in a row the first one counts: it is what decides the picture, the others refine it.
    """
    nodes = {key: node for key, node in (mapping(text) or {}).items() if isinstance(inner(node).get("inputs"), dict)}
    graph = _Graph({key: node["inputs"] for key, node in nodes.items()}, nodes)
    sampler = graph.first_sampler()
    return graph.said_of(sampler) if sampler else None


@dataclass(frozen=True)
class _Graph:
    inputs: dict[str, dict[str, Any]]
    nodes: dict[str, dict[str, Any]]

    def at(self, link: object) -> str | None:
        """Return the id of the node that a link leads to; None for what is no link, or leads nowhere."""
        if not isinstance(link, list) or len(link) != 2 or not isinstance(link[0], str | int):
            return None
        key = str(link[0])[:200]
        return key if key in self.inputs else None

    def back(self, link: object, only: str = "") -> Iterator[str]:
        """Yield the ids from a link back, the nearest first, each once; `only`: along inputs whose names begin so."""
        waiting, seen = deque([self.at(link)]), set()
        while waiting:
            key = waiting.popleft()
            if key is None or key in seen:
                continue
            seen.add(key)
            yield key
            waiting += (self.at(value) for name, value in self.inputs[key].items() if name.startswith(only))

    def first_sampler(self) -> dict[str, Any] | None:
        """Return the inputs of the sampler farthest from what is saved, else previewed, else of any."""
        ends = sorted(self.inputs, key=lambda key: "save" not in str(self.nodes[key].get("class_type")).lower())
        ends = [key for key in ends if self.at(self.inputs[key].get("images"))] or list(self.inputs)[-1:]
        for end in ends[:MAX_ENDS]:
            for key in reversed(list(self.back([end, 0]))):
                if "latent_image" in self.inputs[key] and self.inputs[key].keys() & {"positive", "guider"}:
                    return self.inputs[key]
        return None

    def said_of(self, sampler: dict[str, Any]) -> dict[str, Any]:
        guider = self._of(sampler.get("guider"))
        sigmas = self._near(sampler.get("sigmas"), "steps")
        noise, solver = self._of(sampler.get("noise")), self._of(sampler.get("sampler"))
        prompt, guidance = self._condition(
            next((given[key] for given in (sampler, guider) for key in _POSITIVE if key in given), None)
        )
        negative, _ = self._condition(sampler.get("negative") or guider.get("negative"))
        cfg = self._number(sampler.get("cfg", guider.get("cfg")))
        seed = next((given[key] for given in (sampler, noise) for key in ("seed", "noise_seed") if key in given), None)
        strength = self._number(sampler.get("denoise", sigmas.get("denoise")))
        model, loras = self._model(sampler.get("model") or guider.get("model") or sigmas.get("model"))
        width, height, begins = self._size(sampler.get("latent_image"))
        return said(
            {
                "prompt": prompt,
                "negative_prompt": negative,
                "steps": whole(self._number(sampler.get("steps", sigmas.get("steps")))),
                "sampler": words(sampler.get("sampler_name", solver.get("sampler_name"))),
                "schedule": words(sampler.get("scheduler", sigmas.get("scheduler"))),
                "guidance": cfg if guidance is None else guidance,
                "cfg": cfg if guidance is not None else None,
                "seed": whole(self._number(seed)),
                "width": width,
                "height": height,
                "model": model,
                "strength": strength if begins else None,
                "loras": loras,
            }
        )

    def _of(self, link: object) -> dict[str, Any]:
        key = self.at(link)
        return self.inputs[key] if key else {}

    def _near(self, link: object, name: str) -> dict[str, Any]:
        """Return the inputs of the nearest node back from a link that has an input of this name."""
        return next((self.inputs[key] for key in self.back(link) if name in self.inputs[key]), {})

    def _number(self, value: object) -> int | float | None:
        """Return a number, written out or made by a node that holds one."""
        for _ in range(MAX_DEPTH):
            if isinstance(value, int) and whole(value) is not None:
                return value
            if not isinstance(value, list):
                return decimal(value)
            given = self._of(value)
            value = next((given[name] for name in _NUMBERS if name in given), None)
        return None

    def _condition(self, link: object) -> tuple[str | None, float | None]:
        """Return the texts that make a condition, joined, and the guidance that it is given on the way."""
        texts: dict[str, None] = {}
        guidance = None
        waiting, seen = deque([link]), set()
        while waiting:
            link = waiting.popleft()
            key = self.at(link)
            if key is None or key in seen or str(self.nodes[key].get("class_type")).endswith("ZeroOut"):
                continue
            seen.add(key)
            given = self.inputs[key]
            if guidance is None:
                guidance = decimal(self._number(given.get("guidance")))
            own = [self._text(given[name]) for name in _TEXTS if name in given]
            if own:
                texts |= dict.fromkeys(text for text in own[:1] if text) or dict.fromkeys(filter(None, own))
            elif "positive" in given and "negative" in given:
                assert isinstance(link, list)
                waiting.append(given["negative" if link[1] == 1 else "positive"])
            else:
                along = [name for name in given if name.startswith("cond")] or given.keys() - _NOT_CONDITIONS
                waiting += (given[name] for name in given if name in along)
        return words(", ".join(texts)), guidance

    def _text(self, value: object) -> str | None:
        """Return a text, written out or put together by nodes."""
        seen: set[str] = set()

        def put_together(value: object, depth: int) -> str | None:
            key = self.at(value)
            if key is None or key in seen or depth > MAX_DEPTH:
                return words(value)
            seen.add(key)
            given = self.inputs[key]
            parts = [put_together(given[name], depth + 1) for name in given if _STRING.fullmatch(name)]
            between = given.get("delimiter")
            return (between if isinstance(between, str) else " ").join(dict.fromkeys(filter(None, parts))) or None

        return put_together(value, 0)

    def _model(self, link: object) -> tuple[str | None, list[dict[str, Any]]]:
        """Return the name of what was loaded, and the LoRAs between it and the sampler, the first one applied first."""
        loras: list[dict[str, Any]] = []
        for key in self.back(link, only="model"):
            given = self.inputs[key]
            for used in (given, *(value for value in given.values() if inner(value).get("on"))):
                weight = decimal(self._number(used.get("strength_model", used.get("strength", 1.0))))
                if (name := words(used.get("lora_name", used.get("lora")))) and weight and len(loras) < MAX_LORAS:
                    loras.append({"name": name, "weight": weight})
            if name := next((name for one in _LOADS if (name := words(given.get(one)))), None):
                return name, loras[::-1]
        return None, loras[::-1]

    def _size(self, link: object) -> tuple[int | None, int | None, bool]:
        """Return the edges of the empty latent in pixels, and whether there is a picture instead."""
        for key in self.back(link):
            given = self.inputs[key]
            if any(self.at(given.get(name)) for name in _BEGIN) and "samples" not in given:
                return None, None, True
            if "samples" not in given and {"width", "height"} <= given.keys():
                return whole(self._number(given["width"])), whole(self._number(given["height"])), False
        return None, None, False
