"""The course's classifier: Adam, one-cycle rate, images flipped and moved by up to 3 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checkpoints, datasets
from course_lib.datasets import Dataset
from course_lib.models import Classifier
from course_lib.recipes import cards
from course_lib.training import evaluate

EPOCHS, BATCH, RATE, SEED, SHIFT = 15, 256, 4e-3, 0, 3


class ClassifierTerms(NamedTuple):
    """Per image: cross-entropy of the class in nats, and whether the class was found, (B,)."""

    cross_entropy: Tensor
    accuracy: Tensor


def objective(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, ClassifierTerms]:
    """−log p(y|x), averaged over the batch; in training x is flipped and moved by chance."""
    logits = model(_varied(x) if model.training else x)
    terms = ClassifierTerms(
        F.cross_entropy(logits, y, reduction="none"), (logits.argmax(1) == y).float()
    )
    return terms.cross_entropy.mean(), terms


def _varied(x: Tensor) -> Tensor:
    flip = torch.rand(len(x), device=x.device) < 0.5
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    down, right = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    padded = F.pad(x, [SHIFT] * 4, mode="reflect")
    return padded[:, :, down : down + x.shape[2], right : right + x.shape[3]]


def run(out: Path) -> None:
    """Trains `cifar10-classifier`, or `faces32-classifier` where faces stand in: minutes."""
    data = datasets.load("cifar10")
    torch.manual_seed(SEED)
    model = Classifier(len(data.label_names))
    recipe = {"epochs": EPOCHS, "batch_size": BATCH, "lr": RATE}
    _, seconds = cards.train(
        model, objective, data, n_valid=0, title="classifier", seed=SEED, **recipe
    )
    test = evaluate(model, objective, (data.test.images, data.test.labels))
    arguments = {"n_classes": len(data.label_names)}
    card = cards.card(
        "classifier", data, seed=SEED, seconds=seconds,
        model={"class": "Classifier", "arguments": arguments},
        training=recipe,
        test={name: round(test[name], 4) for name in ("cross_entropy", "accuracy")},
    )  # fmt: skip
    name = f"{prefix(data)}-classifier"
    checkpoints.save(model, name, card=card, folder=out)
    print(f"{name}: accuracy on test images {test['accuracy']:.1%}, {seconds:.0f} s")


def prefix(data: Dataset) -> str:
    """The checkpoints of real photographs are `cifar10-…`, those of their stand-in `faces32-…`."""
    return "faces32" if data.stand_in else "cifar10"
