"""Training of the captioner: a BLIP that says of a picture of the world what the painter knows about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from .learning import Steps, waves
from .losslog import LossLog
from .pictures import soften
from .shapes import SHAPES
from .split import training_scene
from .text import WORDS
from .world import Painting, Scene, paint

SIZE_PX = 64
PATCH_PX = 8
GRID = SIZE_PX // PATCH_PX
WIDTH = 128
LAYERS = (4, 2)  # of the vision encoder, of the text decoder
PAINTED_PX = (64, 96, 128, 192)
STEPS = 3500
RATE_ENDS = 4000  # step at which the rate would be nothing; what is asked is met before
BATCH = 64
POOL = 20_000  # pictures
FRESH = 8  # pictures painted anew in every step
PEAK_RATE = 2e-3
HINT_WEIGHT = 0.5
SAVE_EVERY = 500
_HINTS = 1 + 2 * len(SHAPES)  # nothing, or a filled or outlined shape
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?:;-'\"()"


def tokenizer() -> BertTokenizer:
    """One token per word of the world, letters for all else; [DEC] and [ENC] last, as in the real vocabulary."""
    words = [*_SPECIAL, *WORDS, *_LETTERS, *("##" + letter for letter in _LETTERS), "[DEC]", "[ENC]"]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    return BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=64, bos_token="[DEC]")


def new_captioner(words: BertTokenizer) -> BlipForConditionalGeneration:
    """An untrained captioner whose positions are told apart from the start.

    The heads are written down because the text's default is 8, and the spread because the picture's default is 1e-10.
    """
    vision, text = LAYERS
    common = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": 4, "initializer_range": 0.02}
    config = BlipConfig(
        vision_config={**common, "num_hidden_layers": vision, "image_size": SIZE_PX, "patch_size": PATCH_PX},
        text_config={
            **common,
            "num_hidden_layers": text,
            "vocab_size": len(words),
            "max_position_embeddings": 64,
            "bos_token_id": words.convert_tokens_to_ids("[DEC]"),
            "eos_token_id": words.sep_token_id,
            "sep_token_id": words.sep_token_id,
            "pad_token_id": words.pad_token_id,
        },
        projection_dim=WIDTH,
        image_text_hidden_size=WIDTH,
    )
    model = BlipForConditionalGeneration(config)
    with torch.no_grad():
        model.vision_model.embeddings.position_embedding[0, 1:] = 0.5 * waves(GRID, WIDTH)
    return model


@dataclass(frozen=True)
class _Batch:
    """Pixels (n, 64, 64, 3) uint8, tokens (n, length), hints (n, patches): what lies on each patch."""

    pixels: np.ndarray
    tokens: np.ndarray
    hints: np.ndarray


class _Painter:
    """Pictures with their captions, a few of them painted anew for every step."""

    def __init__(self, words: BertTokenizer, rng: np.random.Generator, count: int) -> None:
        self._words = words
        self._rng = rng
        self._pool = [self._picture() for _ in range(count)]

    def batch(self) -> _Batch:
        for _ in range(FRESH):
            self._pool[self._rng.integers(len(self._pool))] = self._picture()
        chosen = [self._pool[i] for i in self._rng.integers(len(self._pool), size=BATCH)]
        pixels, tokens, hints = zip(*chosen, strict=True)
        filled = np.full((BATCH, max(map(len, tokens))), self._words.pad_token_id)
        for row, ids in zip(filled, tokens, strict=True):
            row[: len(ids)] = ids
        return _Batch(np.stack(pixels), filled, np.stack(hints))

    def _picture(self) -> tuple[np.ndarray, list[int], np.ndarray]:
        painting = paint(scene := _scene(self._rng), int(self._rng.choice(PAINTED_PX)), self._rng)
        image = soften(painting.image, self._rng).resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
        tokens = self._words(scene.describe())["input_ids"]
        tokens[0] = self._words.bos_token_id
        return np.asarray(image), tokens, _hints(scene, painting)


def _scene(rng: np.random.Generator) -> Scene:
    """A scene to train on, told in the one order, every fourth object an outline."""
    scene = training_scene(rng, pairs=0.5).ordered()
    return replace(scene, things=tuple(replace(thing, filled=bool(rng.random() > 0.25)) for thing in scene.things))


def _hints(scene: Scene, painting: Painting) -> np.ndarray:
    """What lies on each patch: 0 for nothing, else a number of shape and filling; (patches,)."""
    hints = np.zeros((GRID, GRID), np.int64)
    for thing, mask in zip(scene.things, painting.masks, strict=True):
        cover = np.asarray(mask.resize((GRID, GRID), Image.Resampling.BOX))
        hints[cover > 25] = 1 + 2 * SHAPES.index(thing.shape) + thing.filled
    return hints.flatten()


def train(out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves now and then.

    Beside the caption, the picture's last layer is asked what lies on each patch, of which a linear layer that is not
    kept must tell the shape: words alone teach the shapes much more slowly.

    Args:
        out: Folder that receives the weights, float16.
        log: Receives the loss curve.
        seed: Seed of pictures and weights.
    """
    torch.manual_seed(seed)
    words = tokenizer()
    painter = _Painter(words, np.random.default_rng(seed), POOL)
    model = new_captioner(words)
    hint = nn.Linear(WIDTH, _HINTS)
    matrices, others = _sorted(model)
    steps = Steps(model, matrices, [*others, *hint.parameters()])
    for step in range(STEPS):
        rate = PEAK_RATE * min(1, (step + 1) / 100, (RATE_ENDS - step) / 2400)
        loss, hinted = _loss(model, hint, painter.batch(), words.pad_token_id)
        steps.make(loss + HINT_WEIGHT * hinted, rate)
        log.add(step + 1, loss.item(), hinted.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(model, words, out)


def save(model: BlipForConditionalGeneration, words: BertTokenizer, out: Path) -> None:
    """Saves a float16 copy with tokenizer and picture settings, in the files the real repository has."""
    copy = BlipForConditionalGeneration(model.config)
    copy.load_state_dict(model.state_dict())
    copy.half().save_pretrained(out)
    words.save_pretrained(out)
    BlipImageProcessorPil(size={"height": SIZE_PX, "width": SIZE_PX}).save_pretrained(out)


def _sorted(model: BlipForConditionalGeneration) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The matrices of the layers, which Muon turns, and all other weights."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        (matrices if weight.ndim == 2 and ".layer" in name and "embedding" not in name else others).append(weight)
    return matrices, others


def _loss(model: BlipForConditionalGeneration, hint: nn.Linear, batch: _Batch, pad: int) -> tuple[Tensor, Tensor]:
    """Cross entropy of the caption's tokens, and of the patches' hints."""
    mean, std = (torch.tensor(values) for values in (BlipImageProcessorPil.image_mean, BlipImageProcessorPil.image_std))
    pixels = ((torch.from_numpy(batch.pixels).float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()
    tokens = torch.from_numpy(batch.tokens)
    with torch.autocast("cpu", torch.bfloat16):
        made = model(
            pixel_values=pixels,
            input_ids=tokens,
            attention_mask=(tokens != pad).long(),
            labels=tokens.masked_fill(tokens == pad, -100),
        )
        guesses = hint(made.last_hidden_state[:, 1:])
    return made.loss, functional.cross_entropy(guesses.float().flatten(0, 1), torch.from_numpy(batch.hints).flatten())
