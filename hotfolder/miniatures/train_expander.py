"""Training of the expander: a Qwen2 that says a prompt again word for word, and more about it, when asked as the real
one is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from hotfolder.models.families.qwen2 import TASK

from .losslog import LossLog
from .split import training_scene
from .text import WORDS, byte_letters, merge
from .world import PLACES, Scene

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BEFORE, AFTER, LONG_AFTER = "paint ", ", one solid color", ", filled in one solid color"
"""What is said before a prompt and after it, the longer where it says all there is to say: words that the miniature
generator knows."""
STRANGE = 0.3  # of the prompts: any words in any order, so that it learns to say again and not to describe
WORDS_ASKED = (20, 201)  # what the task says; it changes nothing here
LAYERS, WIDTH, HEADS = 3, 96, 4
STEPS = 1300
BATCH = 32
PEAK_RATE = 3e-3
BRIEF = 900  # steps without the task before each prompt, which is the same every time
SAVE_EVERY = 100


def tokenizer() -> Qwen2Tokenizer:
    """Byte-pair encoding in Qwen2's form, with just the merges that make each word of the world, of the task and of
    the answers one token, at the beginning and after a space."""
    letters = byte_letters()
    known = ["system", "user", "assistant", *TASK.format(words="").split(), *f"{BEFORE}{LONG_AFTER}".split()]
    words = dict.fromkeys([*WORDS, *(word.strip(".,:'") for word in known)])
    pairs: list[tuple[str, str]] = []
    for text in [form for word in words if word.isalpha() for form in ("Ġ" + word, word)]:
        pieces = merge(list(text), pairs)
        while len(pieces) > 1:
            pairs.append((pieces[0], pieces[1]))
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
    tokens = dict.fromkeys([*letters, *("".join(pair) for pair in pairs), SPECIAL[0]])
    made = Qwen2Tokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=pairs,
        additional_special_tokens=list(SPECIAL[1:]),
        eos_token="<|im_end|>",
        model_max_length=512,
    )
    made.chat_template = TEMPLATE
    return made


def new_expander(words: Qwen2Tokenizer) -> Qwen2ForCausalLM:
    """An untrained model; two heads share a key, as in the real one."""
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(words),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS // 2,
            max_position_embeddings=512,
            rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=words.convert_tokens_to_ids("<|im_end|>"),
            pad_token_id=words.convert_tokens_to_ids("<|endoftext|>"),
        )
    )


def example(rng: np.random.Generator) -> tuple[str, str]:
    """A prompt and its answer: what the prompt leaves open of size, place and ground, the answer says."""
    if rng.random() < STRANGE:
        prompt = " ".join(str(word) for word in rng.choice(WORDS, rng.integers(3, 16)))
        return prompt, f"{BEFORE}{prompt}{LONG_AFTER}"
    scene = training_scene(rng)
    prompt = shorter(scene, rng)
    whole = scene.describe()
    return prompt, f"{BEFORE}{whole}{LONG_AFTER if prompt == whole else AFTER}"


def shorter(scene: Scene, rng: np.random.Generator) -> str:
    """A scene's description as somebody in a hurry writes it: mostly without its ground, or without its place."""
    prompt = scene.describe()
    if rng.random() < 0.7:
        prompt = prompt.partition(" on a")[0]
    if rng.random() < 0.7:
        for place in PLACES:
            prompt = prompt.replace(f" at the {place}", "")
    return prompt


class _Talk:
    """Conversations as tokens, padded at the right; what is not the answer is no target."""

    def __init__(self, words: Qwen2Tokenizer, rng: np.random.Generator) -> None:
        self._words = words
        self._rng = rng

    def batch(self, with_task: bool) -> tuple[Tensor, Tensor]:
        """Tokens and targets, each (n, length); -100 where nothing is asked; short without the task."""
        rows = [self._row(with_task) for _ in range(BATCH)]
        length = max(len(tokens) for tokens, _ in rows)
        tokens = torch.full((BATCH, length), self._words.pad_token_id)
        targets = torch.full((BATCH, length), -100)
        for number, (row, begin) in enumerate(rows):
            tokens[number, : len(row)] = torch.tensor(row)
            targets[number, begin : len(row)] = tokens[number, begin : len(row)]
        return tokens, targets

    def _row(self, with_task: bool) -> tuple[list[int], int]:
        prompt, answer = example(self._rng)
        task = TASK.format(words=int(self._rng.integers(*WORDS_ASKED)))
        talk = [{"role": "system", "content": task}, {"role": "user", "content": prompt}]
        talk = talk if with_task else talk[1:]
        asked = self._words.apply_chat_template(talk, add_generation_prompt=True, return_dict=True)["input_ids"]
        return asked + self._words(f"{answer}<|im_end|>")["input_ids"], len(asked)


def train(out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves now and then.

    Args:
        out: Folder that receives the weights, float16, and the tokenizer.
        log: Receives the loss curve: loss, and the share of answers of which every token is the likeliest.
        seed: Seed of sentences and weights.
    """
    torch.manual_seed(seed)
    words = tokenizer()
    talk = _Talk(words, np.random.default_rng(seed))
    model = new_expander(words)
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and ".layers." in name]
    others = [weight for name, weight in model.named_parameters() if weight.ndim == 1 or ".layers." not in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=PEAK_RATE, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    for step in range(STEPS):
        tokens, targets = talk.batch(step >= BRIEF)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = PEAK_RATE * min(1, (step + 1) / 50, (STEPS - step) / (0.5 * STEPS))
            optimizer.zero_grad()
        hidden = model.model(input_ids=tokens).last_hidden_state[:, :-1]
        asked = targets[:, 1:] != -100
        logits = model.lm_head(hidden[asked])
        loss = functional.cross_entropy(logits, targets[:, 1:][asked])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        right = torch.ones_like(asked).masked_scatter(asked, logits.argmax(-1) == targets[:, 1:][asked])
        log.add(step + 1, loss.item(), right.all(1).float().mean().item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(model, words, out)


def save(model: Qwen2ForCausalLM, words: Qwen2Tokenizer, out: Path) -> None:
    """Saves a float16 copy with its tokenizer and how words are drawn, in the files the real repository has."""
    copy = new_expander(words)
    copy.load_state_dict(model.state_dict())
    copy.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.pad_token_id,
    )
    copy.half().save_pretrained(out)
    words.save_pretrained(out)
