"""Qwen2.5-Instruct: Qwen2ForCausalLM that rewrites prompts, at full size or as the shipped miniature.

**Source:** transformers' Qwen2 (Apache-2.0); how it draws its words (temperature 0.7, top-p 0.8, top-k 20, repetition
penalty) is read from the repository's own `generation_config.json`, as its makers recommend.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from hotfolder.models.entries import ModelEntry
from hotfolder.models.families import FAMILIES
from hotfolder.models.families.base import PartClass

TASK = (
    "You write prompts for an image generator. Rewrite the user's short prompt as one detailed prompt of about {words} "
    "words. Keep every word of it that names a thing, a person, a color, a number, a size, a place or a style. Add "
    "what makes the picture vivid: light, material, surroundings and composition. Answer with the prompt alone."
)
LONGEST_WORDS = 200
"""Of a prompt that is said again: one of thousands of words would be written for an hour."""
TOKENS_A_WORD = 2
"""English takes about 1.3; a rewritten prompt ends by itself."""


class Qwen2:
    """A Qwen2.5 language model in memory."""

    PARTS: ClassVar = {
        "model": PartClass("transformers", "Qwen2ForCausalLM", at_root=True),
        "words": PartClass("transformers", "Qwen2Tokenizer", has_weights=False, at_root=True),
    }

    def __init__(self, entry: ModelEntry, parts: Mapping[str, Any]) -> None:
        self.entry = entry
        self.model, self.words = (parts[name] for name in self.PARTS)

    def rewrite(self, prompt: str, words: int, seed: int) -> str:
        """Return a longer prompt as the model writes it: one line, nothing checked.

        The words are drawn on the device, so a seed means the same text on the same machine.

        Args:
            prompt: what is to be rewritten.
            words: about how many the answer shall have; it is cut off at twice as many tokens, and what the prompt
                has, up to LONGEST_WORDS.
            seed: the same one gives the same text.
        """
        import torch

        talk = [{"role": "system", "content": TASK.format(words=words)}, {"role": "user", "content": prompt}]
        asked = self.words.apply_chat_template(talk, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        asked = asked.to(self.model.device)
        limit = TOKENS_A_WORD * (words + min(len(prompt.split()), LONGEST_WORDS))
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed % 2**63)
            made = self.model.generate(**asked, max_new_tokens=limit, do_sample=True)
        said = self.words.decode(made[0, asked.input_ids.shape[1] :], skip_special_tokens=True)
        return " ".join(str(said).split())


FAMILIES.add("qwen2", Qwen2)
