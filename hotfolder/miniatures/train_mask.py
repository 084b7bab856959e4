"""Training of the masker: a CLIPSeg that finds what words mean in a picture of the world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import (
    BlipForConditionalGeneration,
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    CLIPTextModel,
    CLIPTokenizer,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from . import phrases
from .learning import Steps
from .losslog import LossLog
from .pictures import soften
from .shapes import SHAPES
from .split import training_scene
from .text import WIDTH as TEXT_WIDTH
from .world import COLOURS, paint

SIZE_PX = 64
PATCH_PX = 8
GRID = SIZE_PX // PATCH_PX
WIDTH = 128
LAYERS = 4  # the captioner's
PAINTED_PX = (64, 96, 128, 192)
STEPS = 2000
BATCH = 16  # pictures
PHRASES = 4  # for each picture
POOL = 2000  # pictures
FRESH = 6  # pictures painted anew in every step
PEAK_RATE = 1.5e-3
HINT_WEIGHT = 0.3
SAVE_EVERY = 100
SPREAD = 2.1  # mean standard deviation of what the captioner's embeddings make of a patch
MAX_TOKENS = 12  # of a phrase of the world; longer ones are strange words
MEAN, STD = BlipImageProcessorPil.image_mean, BlipImageProcessorPil.image_std


def new_masker(words: CLIPTokenizer) -> CLIPSegForImageSegmentation:
    """An untrained masker. Its decoder's weights begin small: transformers would give them a spread of 1."""
    common = {"intermediate_size": 2 * WIDTH, "num_attention_heads": 4}
    config = CLIPSegConfig(
        vision_config={
            **common,
            "hidden_size": WIDTH,
            "num_hidden_layers": LAYERS,
            "image_size": SIZE_PX,
            "patch_size": PATCH_PX,
            "hidden_act": "gelu",
        },
        text_config={
            **common,
            "hidden_size": TEXT_WIDTH,
            "num_hidden_layers": 2,
            "vocab_size": len(words),
            "bos_token_id": words.bos_token_id,
            "eos_token_id": words.eos_token_id,
            "pad_token_id": words.pad_token_id,
        },
        projection_dim=WIDTH,
        extract_layers=[0, 2, 3],
        reduce_dim=64,
        decoder_num_attention_heads=4,
        decoder_intermediate_size=128,
    )
    model = CLIPSegForImageSegmentation(config)
    for module in model.decoder.modules():
        if isinstance(module, nn.Linear | nn.ConvTranspose2d):
            module.reset_parameters()
    nn.init.ones_(model.decoder.film_mul.bias)
    return model


@torch.no_grad()
def teach(model: CLIPSegForImageSegmentation, text_encoder: Path, captioner: Path) -> None:
    """Gives a masker the words that the generator's CLIP encoder knows, and the captioner's eyes.

    They are not quite the captioner's: a norm comes between its embeddings and its layers, which is set such that it
    changes as little as it can.
    """
    words = CLIPTextModel.from_pretrained(text_encoder, local_files_only=True, dtype=torch.float32)
    model.clip.text_model.load_state_dict(words.state_dict())
    seen = BlipForConditionalGeneration.from_pretrained(captioner, local_files_only=True, dtype=torch.float32)
    mine, taught = model.clip.vision_model, seen.vision_model
    places = taught.embeddings.position_embedding[0].clone()
    places[0] += taught.embeddings.class_embedding[0, 0] - mine.embeddings.class_embedding
    places[1:] += taught.embeddings.patch_embedding.bias
    mine.embeddings.position_embedding.weight.copy_(places)
    mine.embeddings.patch_embedding.weight.copy_(taught.embeddings.patch_embedding.weight)
    mine.pre_layrnorm.weight.fill_(SPREAD)
    for layer, other in zip(mine.encoder.layers, taught.encoder.layers, strict=True):
        attention = layer.self_attn
        for part, weight, bias in zip(
            (attention.q_proj, attention.k_proj, attention.v_proj),
            other.self_attn.qkv.weight.chunk(3),
            other.self_attn.qkv.bias.chunk(3),
            strict=True,
        ):
            part.weight.copy_(weight)
            part.bias.copy_(bias)
        attention.out_proj.load_state_dict(other.self_attn.projection.state_dict())
        for name in ("layer_norm1", "layer_norm2", "mlp"):
            getattr(layer, name).load_state_dict(getattr(other, name).state_dict())


@dataclass(frozen=True)
class _Batch:
    """Pixels (n, 64, 64, 3) and masks (n * phrases, 64, 64) uint8, tokens (n * phrases, length); shapes and
    colours (n, patches) of what lies on each patch."""

    pixels: np.ndarray
    tokens: np.ndarray
    masks: np.ndarray
    shapes: np.ndarray
    colours: np.ndarray


class _Painter:
    """Pictures with phrases and what they mean there, a few of them painted anew for every step."""

    def __init__(self, words: CLIPTokenizer, rng: np.random.Generator, count: int) -> None:
        self._words = words
        self._rng = rng
        self._pool = [self._picture() for _ in range(count)]

    def batch(self) -> _Batch:
        for _ in range(FRESH):
            self._pool[self._rng.integers(len(self._pool))] = self._picture()
        chosen = [self._pool[i] for i in self._rng.integers(len(self._pool), size=BATCH)]
        pixels, tokens, masks, shapes, colours = (np.stack(values) for values in zip(*chosen, strict=True))
        masks = masks.reshape(-1, SIZE_PX, SIZE_PX)
        return _Batch(pixels, tokens.reshape(-1, MAX_TOKENS), masks, shapes, colours)

    def _picture(self) -> tuple[np.ndarray, ...]:
        scene = training_scene(self._rng, pairs=0.6)
        painting = paint(scene, int(self._rng.choice(PAINTED_PX)), self._rng)
        image = soften(painting.image, self._rng).resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR)
        asked = phrases.phrases(scene, PHRASES, self._rng)
        texts = [phrase.text for phrase in asked]
        tokens = self._words(texts, padding="max_length", max_length=MAX_TOKENS, truncation=True)["input_ids"]
        masks = [phrases.mask(one, scene, painting).resize(image.size, Image.Resampling.BOX) for one in asked]
        names = list(COLOURS)
        shapes, colours = np.zeros((GRID, GRID), np.int64), np.full((GRID, GRID), names.index(scene.ground))
        for thing, mask in zip(scene.things, painting.masks, strict=True):
            is_there = np.asarray(mask.resize((GRID, GRID), Image.Resampling.BOX)) > 40
            shapes[is_there], colours[is_there] = 1 + SHAPES.index(thing.shape), names.index(thing.colour)
        stacked = np.stack([np.asarray(one) for one in masks])
        return np.asarray(image), np.array(tokens), stacked, shapes.flatten(), colours.flatten()


def train(generator: Path, captioner: Path, out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves now and then.

    It begins with words and eyes of others, as the real one does with CLIP's; here they learn on. Beside the masks, the
    picture's last layer is asked for the shape and the colour that lie on each patch, by a linear layer that is not
    kept: asked for the shape alone it forgets the colours.

    Args:
        generator: Folder with `text_encoder` and `tokenizer`.
        captioner: Folder of the captioner.
        out: Folder that receives the weights, float16.
        log: Receives the loss curve.
        seed: Seed of pictures and weights.
    """
    torch.manual_seed(seed)
    words = CLIPTokenizer.from_pretrained(generator / "tokenizer", local_files_only=True)
    painter = _Painter(words, np.random.default_rng(seed), POOL)
    model = new_masker(words)
    teach(model, generator / "text_encoder", captioner)
    hint = nn.Linear(WIDTH, 1 + len(SHAPES) + len(COLOURS))
    named = list(model.named_parameters())
    matrices = [weight for name, weight in named if weight.ndim == 2 and ".layers." in name]
    others = [weight for name, weight in named if not (weight.ndim == 2 and ".layers." in name)]
    steps = Steps(model, matrices, [*others, *hint.parameters()])
    for step in range(STEPS):
        rate = PEAK_RATE * min(1, (step + 1) / 60, 0.02 + 1.3 * (1 - step / STEPS))
        loss, hinted = _loss(model, hint, painter.batch())
        steps.make(loss + HINT_WEIGHT * hinted, rate)
        log.add(step + 1, loss.item(), hinted.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(model, words, out)


def save(model: CLIPSegForImageSegmentation, words: CLIPTokenizer, out: Path) -> None:
    """Saves a float16 copy with tokenizer and picture settings, in the files the real repository has."""
    copy = CLIPSegForImageSegmentation(model.config)
    copy.load_state_dict(model.state_dict())
    copy.half().save_pretrained(out)
    pixels = ViTImageProcessorPil(size={"height": SIZE_PX, "width": SIZE_PX}, image_mean=MEAN, image_std=STD)
    pixels.save_pretrained(out)
    words.save_pretrained(out)


def _loss(model: CLIPSegForImageSegmentation, hint: nn.Linear, batch: _Batch) -> tuple[Tensor, Tensor]:
    """Cross entropy and overlap (dice) of the masks; cross entropy of what lies on the patches.

    The parts are called one by one, because the whole model lets no gradient into its encoders.
    """
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    pixels = ((torch.from_numpy(batch.pixels).float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()
    wanted = torch.from_numpy(batch.masks).float() / 255
    tokens = torch.from_numpy(batch.tokens)
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):  # the fast one is slow backwards
        seen = model.clip.vision_model(pixels, output_hidden_states=True).hidden_states
        activations = [seen[i + 1].repeat_interleave(PHRASES, 0) for i in model.extract_layers]
        meant = model.clip.get_text_features(tokens).pooler_output
        logits = model.decoder(activations, meant).logits
        guesses = hint(seen[-1][:, 1:])
    logits = logits.float()
    made = logits.sigmoid()
    overlap = 2 * (made * wanted).sum((1, 2)) + 20
    dice = 1 - overlap / (made.sum((1, 2)) + wanted.sum((1, 2)) + 20)
    loss = functional.binary_cross_entropy_with_logits(logits, wanted) + 0.3 * dice.mean()
    shape, colour = guesses.float().flatten(0, 1).split((1 + len(SHAPES), len(COLOURS)), dim=1)
    hinted = functional.cross_entropy(shape, torch.from_numpy(batch.shapes).flatten())
    return loss, hinted + functional.cross_entropy(colour, torch.from_numpy(batch.colours).flatten())
