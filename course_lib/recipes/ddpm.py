"""The diffusion model: Adam with a one-cycle rate, whose end at zero serves as an average does."""

from __future__ import annotations

from pathlib import Path

import torch

from course_lib import checkpoints, datasets
from course_lib.diffusion import diffusion_objective
from course_lib.models import UNet
from course_lib.recipes import cards
from course_lib.recipes.classifier import prefix
from course_lib.training import evaluate, fit

EPOCHS = {"cifar10": 5, "faces32": 8}
BATCH, RATE, SEED = 64, 1e-3, 0


def run(out: Path) -> None:
    """Trains `cifar10-ddpm`, or `faces32-ddpm` where faces stand in: an hour of one core."""
    data = datasets.load("cifar10")
    name, arguments = f"{prefix(data)}-ddpm", {"n_classes": len(data.label_names)}
    torch.manual_seed(SEED)
    model = UNet(**arguments).to(memory_format=torch.channels_last)
    epochs = EPOCHS[prefix(data)]
    curve, seconds = cards.run(
        lambda: fit(
            model, cards.in_bfloat16(diffusion_objective), data.train.images,
            labels=data.train.labels, epochs=epochs, batch_size=BATCH, lr=RATE, seed=SEED,
            valid=data.test.images[:1000], valid_labels=data.test.labels[:1000],
        ),
        title=name, steps=epochs * -(-len(data.train) // BATCH),
    )  # fmt: skip
    test = evaluate(model, diffusion_objective, data.test.images, labels=data.test.labels)
    card = cards.card(
        "ddpm", data, seed=SEED, seconds=seconds,
        model={"class": "UNet", "arguments": arguments},
        training={"epochs": epochs, "batch_size": BATCH, "lr": RATE, "dtype": "bfloat16"},
        curve=[round(record.valid["squared_error"], 1) for record in curve],
        test={"squared_error": round(test["squared_error"], 2)},
    )  # fmt: skip
    checkpoints.save(model, name, card=card, folder=out)
    print(f"{name}: squared error {test['squared_error']:.1f}, {seconds:.0f} s")
