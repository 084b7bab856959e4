"""Training of the detector: a DETR that finds the things in a picture of the world and says their shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torchvision.ops import box_convert, generalized_box_iou_loss
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil

from .learning import Steps
from .losslog import LossLog
from .pictures import soften
from .shapes import SHAPES
from .split import training_scene
from .world import paint

SIZE_PX = 64
GRID = 8
WIDTH = 128
QUERIES = 4
PAINTED_PX = (64, 96, 128, 192)
STEPS = 1200
BATCH = 32
POOL = 4000  # pictures
FRESH = 6  # pictures painted anew in every step
PEAK_RATE = 1.2e-3
HINT_WEIGHT = 0.5
SAVE_EVERY = 200
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def new_detector() -> DetrForObjectDetection:
    """An untrained detector; its backbone, which DETR freezes, learns too."""
    labels = dict(enumerate(SHAPES))
    backbone = ResNetConfig(
        embedding_size=24, hidden_sizes=[48, 96], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    config = DetrConfig(
        backbone_config=backbone,
        num_queries=QUERIES,
        d_model=WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=2 * WIDTH,
        decoder_ffn_dim=2 * WIDTH,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        dropout=0.0,
        id2label=labels,
        label2id={shape: i for i, shape in labels.items()},
    )
    model = DetrForObjectDetection(config)
    model.model.unfreeze_backbone()
    for name, weight in model.named_parameters():
        if weight.ndim == 2 and "query" not in name:
            nn.init.xavier_uniform_(weight)
    nn.init.normal_(model.model.query_position_embeddings.weight)
    return model


@dataclass(frozen=True)
class _Batch:
    """Pixels (n, 64, 64, 3) uint8; labels (n, queries), the last for nothing; boxes (n, queries, 4) as middle and size,
    fractions of the picture; hints (n, patches)."""

    pixels: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    hints: np.ndarray


class _Painter:
    """Pictures with the things in them, a few of them painted anew for every step."""

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self._rng = rng
        self._pool = [self._picture() for _ in range(count)]

    def batch(self) -> _Batch:
        for _ in range(FRESH):
            self._pool[self._rng.integers(len(self._pool))] = self._picture()
        chosen = [self._pool[i] for i in self._rng.integers(len(self._pool), size=BATCH)]
        return _Batch(*(np.stack(values) for values in zip(*chosen, strict=True)))

    def _picture(self) -> tuple[np.ndarray, ...]:
        scene = training_scene(self._rng, pairs=0.5)
        painting = paint(scene, int(self._rng.choice(PAINTED_PX)), self._rng)
        image = soften(painting.image, self._rng).resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR)
        found = []
        hints = np.zeros((GRID, GRID), np.int64)
        for thing, mask, corners in zip(scene.things, painting.masks, painting.boxes, strict=True):
            left, top, right, bottom = (value / painting.image.width for value in corners)
            kind = SHAPES.index(thing.shape)
            found.append((left + top, kind, ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)))
            hints[np.asarray(mask.resize((GRID, GRID), Image.Resampling.BOX)) > 40] = 1 + kind
        labels, boxes = np.full(QUERIES, len(SHAPES)), np.zeros((QUERIES, 4), np.float32)
        for i, (_, kind, box) in enumerate(sorted(found)):
            labels[i], boxes[i] = kind, box
        return np.asarray(image), labels, boxes, hints.flatten()


def train(out: Path, log: LossLog, seed: int = 0) -> None:
    """Trains, and saves now and then.

    Which query finds which thing is fixed: the first the one at the upper left, the next the other one. DETR's own way,
    to match anew in every step, takes many times as long. A linear layer that is not kept is asked what shape lies on
    each patch.

    Args:
        out: Folder that receives the weights, float16.
        log: Receives the loss curve.
        seed: Seed of pictures and weights.
    """
    torch.manual_seed(seed)
    painter = _Painter(np.random.default_rng(seed), POOL)
    model = new_detector()
    hint = nn.Linear(WIDTH, 1 + len(SHAPES))
    named = list(model.named_parameters())
    matrices = [weight for name, weight in named if weight.ndim == 2 and "coder.layers" in name]
    others = [weight for name, weight in named if not (weight.ndim == 2 and "coder.layers" in name)]
    steps = Steps(model, matrices, [*others, *hint.parameters()])
    for step in range(STEPS):
        rate = PEAK_RATE * min(1, (step + 1) / 60, 0.02 + 1.3 * (1 - step / STEPS))
        named_loss, boxed, hinted = _loss(model, hint, painter.batch())
        steps.make(named_loss + boxed + HINT_WEIGHT * hinted, rate)
        log.add(step + 1, named_loss.item(), boxed.item(), hinted.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            save(model, out)


def save(model: DetrForObjectDetection, out: Path) -> None:
    """Saves a float16 copy with its picture settings, in the files the real repository has."""
    copy = DetrForObjectDetection(model.config)
    copy.load_state_dict(model.state_dict())
    copy.half().save_pretrained(out)
    longest = round(SIZE_PX * 1333 / 800)  # the real one's
    DetrImageProcessorPil(size={"shortest_edge": SIZE_PX, "longest_edge": longest}).save_pretrained(out)


def _loss(model: DetrForObjectDetection, hint: nn.Linear, batch: _Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Cross entropy of the labels; distance and overlap (GIoU) of the boxes; cross entropy of the patches' shapes.

    **Source:** weights 5 and 2 of DETR's paper (Carion et al. 2020).
    """
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    pixels = ((torch.from_numpy(batch.pixels).float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()
    labels, boxes = torch.from_numpy(batch.labels), torch.from_numpy(batch.boxes)
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):  # the fast one is slow backwards
        made = model(pixel_values=pixels)
        guesses = hint(made.encoder_last_hidden_state)
    named = functional.cross_entropy(made.logits.float().flatten(0, 1), labels.flatten())
    is_thing = labels < len(SHAPES)
    found, there = made.pred_boxes.float()[is_thing], boxes[is_thing]
    giou = generalized_box_iou_loss(_corners(found), _corners(there), reduction="mean")
    boxed = 5 * (found - there).abs().sum(-1).mean() + 2 * giou
    return (
        named,
        boxed,
        functional.cross_entropy(guesses.float().flatten(0, 1), torch.from_numpy(batch.hints).flatten()),
    )


def _corners(boxes: Tensor) -> Tensor:
    return box_convert(boxes, "cxcywh", "xyxy")
