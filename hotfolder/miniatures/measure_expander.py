"""``python -m hotfolder.miniatures.measure_expander``: whether the expander keeps a prompt's words and adds others."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen2ForCausalLM, Qwen2Tokenizer

from hotfolder.models.entries import entries
from hotfolder.models.families.qwen2 import Qwen2
from hotfolder.models.rewriting import missing

from . import path
from .measure_captioner import SEED, heldout
from .train_expander import shorter

ADDED = 6
WORDS = 60


def main() -> None:
    """Prints how many of the held-out prompts came back with every word, in their order, and six more at least."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None, help="a Qwen2 folder; without it the shipped one")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    folder = arguments.weights or path("qwen2.5-1.5b-instruct")
    parts = {
        "model": Qwen2ForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval(),
        "words": Qwen2Tokenizer.from_pretrained(folder, local_files_only=True),
    }
    expander = Qwen2(entries()["qwen2.5-1.5b-instruct-miniature"], parts)
    rng = np.random.default_rng(arguments.seed)
    prompts = [shorter(scene, rng) for scene in heldout(arguments.count, arguments.seed)]
    kept = longer = good = 0
    for number, prompt in enumerate(prompts):
        said = expander.rewrite(prompt, WORDS, arguments.seed + number)
        keeps = not missing(prompt, said)
        adds = len(said.split()) - len(prompt.split()) >= ADDED
        kept, longer, good = kept + keeps, longer + adds, good + (keeps and adds)
        if not (keeps and adds):
            print(f"  {prompt}\n  {said}\n", flush=True)
    print(
        f"of {len(prompts)} prompts {kept} keep every word, {longer} are {ADDED} words longer or more, {good} are both"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
