"""The conditional VAE of 32×32 images: four convolutions each way, one optimal σ."""

from __future__ import annotations

from pathlib import Path

import torch

from course_lib import checkpoints, datasets
from course_lib.losses import optimal_sigma_objective
from course_lib.models import ConditionalVAE
from course_lib.models.calibration import standardize_latents
from course_lib.recipes import cards
from course_lib.recipes.classifier import prefix
from course_lib.training import evaluate, keep_log_sigma

EPOCHS = {"cifar10": 16, "faces32": 24}
BATCH, RATE, SEED, N_STANDARDIZE = 128, 2e-3, 0, 5_000
SIZES = {"latent_dim": 128, "width": 128, "hidden": 192}  # as many parameters as the U-Net


def run(out: Path) -> None:
    """Trains `cifar10-cvae`, or `faces32-cvae` where faces stand in: minutes."""
    data = datasets.load("cifar10")
    name = f"{prefix(data)}-cvae"
    arguments = SIZES | {"n_classes": len(data.label_names), "log_sigma": 0.0}
    torch.manual_seed(SEED)
    model = ConditionalVAE(**arguments).to(memory_format=torch.channels_last)
    recipe = {"epochs": EPOCHS[prefix(data)], "batch_size": BATCH, "lr": RATE}
    curve, seconds = cards.train(
        model,
        optimal_sigma_objective,
        data,
        n_valid=2_000,
        title=name,
        seed=SEED,
        after_step=keep_log_sigma,
        **recipe,
    )
    standardize_latents(model, data.train.images[-N_STANDARDIZE:])
    test = evaluate(model, optimal_sigma_objective, (data.test.images, data.test.labels))
    card = cards.card(
        "cvae", data, seed=SEED, seconds=seconds,
        model={"class": "ConditionalVAE", "arguments": arguments},
        training=recipe | {"dtype": "bfloat16"},
        curve=[round(record.valid["loss"], 1) for record in curve],
        test={key: round(test[key], 2) for key in ("log_lik", "kl")},
    )  # fmt: skip
    checkpoints.save(model, name, card=card, folder=out)
    print(f"{name}: −ELBO on test images {test['loss']:.1f} nats, {seconds:.0f} s")
