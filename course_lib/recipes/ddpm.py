"""The diffusion model: Adam with a one-cycle rate; no average of the weights is kept."""

from __future__ import annotations

from pathlib import Path

import torch

from course_lib import checkpoints, datasets
from course_lib.diffusion import diffusion_objective
from course_lib.models import UNet
from course_lib.recipes import cards
from course_lib.recipes.classifier import prefix
from course_lib.training import evaluate

EPOCHS = {"cifar10": 5, "faces32": 8}
BATCH, RATE, SEED = 64, 1e-3, 0


def run(out: Path) -> None:
    """Trains `cifar10-ddpm`, or `faces32-ddpm` where faces stand in: an hour of one core."""
    data = datasets.load("cifar10")
    name, arguments = f"{prefix(data)}-ddpm", {"n_classes": len(data.label_names)}
    torch.manual_seed(SEED)
    model = UNet(**arguments).to(memory_format=torch.channels_last)
    recipe = {"epochs": EPOCHS[prefix(data)], "batch_size": BATCH, "lr": RATE}
    curve, seconds = cards.train(
        model, diffusion_objective, data, n_valid=1_000, title=name, seed=SEED, **recipe
    )
    test = evaluate(model, diffusion_objective, (data.test.images, data.test.labels))
    card = cards.card(
        "ddpm", data, seed=SEED, seconds=seconds,
        model={"class": "UNet", "arguments": arguments},
        training=recipe | {"dtype": "bfloat16"},
        curve=[round(record.valid["squared_error"], 1) for record in curve],
        test={"squared_error": round(test["squared_error"], 2)},
    )  # fmt: skip
    checkpoints.save(model, name, card=card, folder=out)
    print(f"{name}: squared error {test['squared_error']:.1f}, {seconds:.0f} s")
