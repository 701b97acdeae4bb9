"""The masked autoencoder of 32×32 images, and a VAE of the same images for as many seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_lib import datasets
from course_lib.datasets import Dataset
from course_lib.losses import optimal_sigma_objective
from course_lib.masking import masked_objective
from course_lib.models import ConvVAE, MaskedAutoencoder
from course_lib.recipes import cards
from course_lib.recipes.classifier import prefix
from course_lib.training import Objective, evaluate, fit, keep_log_sigma

EPOCHS = {"cifar10": 5, "faces32": 12}
VAE_EPOCHS = 3.4  # of the VAE in the time of one of the masked autoencoder
MASKED = {"batch_size": 64, "lr": 1e-3, "beta2": 0.95}
VAE = {"batch_size": 128, "lr": 2e-3}
SIZES: dict[str, dict[str, Any]] = {
    "MaskedAutoencoder": {"size": 32, "width": 96, "depth": 3},
    "ConvVAE": {"latent_dim": 128, "size": 32, "log_sigma": 0.0},
}
SEED, N_VALID = 0, 1_000


def run(out: Path) -> None:
    """Trains `cifar10-mae` and `cifar10-vae`, or `faces32-…` where faces stand in: minutes."""
    data = datasets.load("cifar10")
    train_masked(data, out)
    train_vae(data, out)


def train_masked(data: Dataset, out: Path) -> None:
    """A masked autoencoder that hides three patches in four."""
    torch.manual_seed(SEED)
    model = MaskedAutoencoder(**SIZES["MaskedAutoencoder"])
    recipe = MASKED | {"epochs": EPOCHS[prefix(data)]}
    _train(model, masked_objective, data, "mae", recipe, out=out)


def train_vae(data: Dataset, out: Path) -> None:
    """A VAE with one optimal σ: as notebook 05's, but not told any class."""
    torch.manual_seed(SEED)
    model = ConvVAE(**SIZES["ConvVAE"])
    recipe = VAE | {"epochs": round(VAE_EPOCHS * EPOCHS[prefix(data)])}
    _train(model, optimal_sigma_objective, data, "vae", recipe, out=out, after_step=keep_log_sigma)


def _train(
    model: nn.Module,
    objective: Objective,
    data: Dataset,
    ending: str,
    recipe: dict[str, Any],
    *,
    out: Path,
    **more: Any,
) -> None:
    """Train on the images alone, without their classes, and keep the model with its card."""
    name, images = f"{prefix(data)}-{ending}", data.train.images
    more |= {"seed": SEED, "valid": data.test.images[:N_VALID], "bfloat16": True}
    curve, seconds = cards.run(
        lambda: fit(model, objective, images, **recipe, **more),
        title=name, steps=recipe["epochs"] * -(-len(images) // recipe["batch_size"]),
    )  # fmt: skip
    test = evaluate(model, objective, data.test.images)
    card = cards.card(
        "mae", data, seed=SEED, seconds=seconds,
        training=recipe, curve=[round(record.valid["loss"], 1) for record in curve],
        test={key: round(value, 2) for key, value in test.items()},
    )  # fmt: skip
    cards.keep(model, name, SIZES[type(model).__name__], card, out=out)
    print(f"{name}: {test['loss']:.1f} on test images, {seconds:.0f} s")
