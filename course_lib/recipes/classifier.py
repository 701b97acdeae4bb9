"""The course's classifier: Adam, one-cycle rate, images flipped and moved by up to 3 pixels.

Its features judge sets of images, so they must tell apart whatever differs between images. The ten
classes of CIFAR-10 ask for that; those of the cartoon faces are hair and glasses alone. There the
features are trained to tell every factor of a face, with a head for each.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import checkpoints, datasets
from course_lib.datasets import Dataset
from course_lib.models import Classifier
from course_lib.recipes import cards
from course_lib.synthetic.faces import FACTOR_NAMES, FACTORS
from course_lib.training import evaluate, fit, to_float

EPOCHS = {"cifar10": 15, "faces32": 12}
BATCH, RATE, SEED, SHIFT = 256, 4e-3, 0, 3
PARTS = 5  # a continuous factor is told by its fifth
UNKNOWN = -100  # `cross_entropy` passes over such labels


class ClassifierTerms(NamedTuple):
    """Per image: cross-entropy of all heads in nats, and whether the class was found, (B,)."""

    cross_entropy: Tensor
    accuracy: Tensor


def objective(model: Classifier, x: Tensor, y: Tensor) -> tuple[Tensor, ClassifierTerms]:
    """Σ over heads of −log p(yₕ|x), averaged over the batch; in training x is varied by chance.

    y: (B, 1 + F) int64: the class, then the level of each factor; `UNKNOWN` where there is none.
    """
    flipped = not model.factor_heads  # a flipped face is turned to the other side
    logits = model.heads(_varied(x, flip=flipped) if model.training else x)
    costs = [F.cross_entropy(h, t, reduction="none") for h, t in zip(logits, y.T, strict=True)]
    terms = ClassifierTerms(sum(costs), (logits[0].argmax(1) == y[:, 0]).float())
    return terms.cross_entropy.mean(), terms


def _varied(x: Tensor, *, flip: bool) -> Tensor:
    if flip:
        chosen = torch.rand(len(x), device=x.device) < 0.5
        x = torch.where(chosen[:, None, None, None], x.flip(3), x)
    down, right = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    padded = F.pad(x, [SHIFT] * 4, mode="reflect")
    return padded[:, :, down : down + x.shape[2], right : right + x.shape[3]]


def run(out: Path) -> None:
    """Trains `cifar10-classifier`, or `faces32-classifier` where faces stand in: minutes."""
    data = datasets.load("cifar10")
    arguments = {"n_classes": len(data.label_names)}
    if data.stand_in:
        arguments["levels"] = [n_levels(factor) for factor in FACTORS]
    train, test = told(data)
    torch.manual_seed(SEED)
    model = Classifier(**arguments)
    recipe = {"epochs": EPOCHS[prefix(data)], "batch_size": BATCH, "lr": RATE}
    _, seconds = cards.run(
        lambda: fit(model, objective, train, seed=SEED, bfloat16=True, **recipe),
        title="classifier", steps=recipe["epochs"] * -(-len(train[0]) // BATCH),
    )  # fmt: skip
    measured = evaluate(model, objective, test)
    figures = {name: round(measured[name], 4) for name in ("cross_entropy", "accuracy")}
    if data.stand_in:
        figures["factors"] = factor_accuracy(model, *test)
    card = cards.card(
        "classifier", data, seed=SEED, seconds=seconds,
        model={"class": "Classifier", "arguments": arguments}, training=recipe, test=figures,
    )  # fmt: skip
    name = f"{prefix(data)}-classifier"
    checkpoints.save(model, name, card=card, folder=out)
    print(f"{name}: {figures}, {seconds:.0f} s")


def prefix(data: Dataset) -> str:
    """The checkpoints of real photographs are `cifar10-…`, those of their stand-in `faces32-…`."""
    return "faces32" if data.stand_in else "cifar10"


def n_levels(factor: NamedTuple) -> int:
    """How many values a head tells of a factor of `synthetic.faces`."""
    return len(factor.levels) or PARTS


def levels_of(factors: Tensor) -> Tensor:
    """(N, F) factors of faces as whole numbers from 0, the continuous ones in equal parts."""
    low, high = (torch.tensor([getattr(f, end) for f in FACTORS]) for end in ("low", "high"))
    counts = torch.tensor([n_levels(factor) for factor in FACTORS])
    discrete = torch.tensor([factor.kind == "discrete" for factor in FACTORS])
    parts = (PARTS * (factors - low) / (high - low)).floor().clamp(max=PARTS - 1)
    return torch.where(discrete, factors, parts).long().clamp(max=counts - 1)


Told = tuple[Tensor, Tensor]  # images (N, 3, 32, 32), and what each head is to say (N, 1 + F)


def told(data: Dataset) -> tuple[Told, Told]:
    """Training and test images with their classes and, of faces, the level of each factor.

    To the stand-in's faces, of few hair styles, training adds faces of every kind, without a class.
    """
    if not data.stand_in:
        return tuple((split.images, split.labels[:, None]) for split in (data.train, data.test))
    train, test = (
        (split.images, torch.cat([split.labels[:, None], levels_of(split.factors)], 1))
        for split in (data.train, data.test)
    )
    more = datasets.load("faces", size=32).train
    unnamed = torch.full((len(more), 1), UNKNOWN)
    targets = torch.cat([unnamed, levels_of(more.factors)], 1)
    return (torch.cat([train[0], more.images]), torch.cat([train[1], targets])), test


@torch.no_grad()
def factor_accuracy(model: Classifier, images: Tensor, targets: Tensor) -> dict[str, float]:
    """The share of images on which each factor's head is right."""
    device = next(model.parameters()).device
    parts = [model.heads(to_float(x, device)) for x in images.split(500)]
    heads = [torch.cat(logits).cpu() for logits in zip(*parts, strict=True)][1:]
    found = [h.argmax(1) == t for h, t in zip(heads, targets.T[1:], strict=True)]
    shares = [round(right.float().mean().item(), 4) for right in found]
    return dict(zip(FACTOR_NAMES, shares, strict=True))
