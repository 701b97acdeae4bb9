"""Autoencoders and VAEs of 64×64 faces: three sizes of code, three likelihoods."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_lib import checkpoints, datasets
from course_lib.datasets import Dataset
from course_lib.losses import (
    autoencoder_objective,
    optimal_sigma_objective,
    vae_objective,
)
from course_lib.metrics import active_units, psnr
from course_lib.models import ConvAutoencoder, ConvVAE
from course_lib.models.calibration import calibrate_sigma, standardize_latents
from course_lib.recipes import cards
from course_lib.training import Objective, Record, evaluate, fit, keep_log_sigma, to_float

EPOCHS, BATCH, RATE, BETA2, SEED, WIDTH = 20, 64, 8e-3, 0.99, 0, 16
TRAINING = {"batch_size": BATCH, "beta2": BETA2, "optimizer": "Adam, one cycle"}


@dataclass(frozen=True)
class Row:
    """One checkpoint: its name after the data's, its size of code, what it minimises."""

    name: str
    latent_dim: int
    objective: Objective = optimal_sigma_objective
    log_sigma: float | None = 0.0
    rate: float = RATE

    def model(self, *, seed: int = SEED) -> nn.Module:
        """A new one; all rows begin with the same random numbers."""
        torch.manual_seed(seed)
        if self.objective is autoencoder_objective:
            return ConvAutoencoder(self.latent_dim, width=WIDTH)
        return ConvVAE(self.latent_dim, width=WIDTH, log_sigma=self.log_sigma)


ROWS = (
    Row("vae-128", 128),
    Row("ae-128", 128, autoencoder_objective),
    Row("vae-128-fixed", 128, vae_objective),
    Row("vae-128-ce", 128, vae_objective, None),
    Row("vae-20", 20),
    Row("ae-20", 20, autoencoder_objective),
    Row("vae-1024", 1024),
    # the widest decoder does not bear the higher rate where no noise on z tames it
    Row("ae-1024", 1024, autoencoder_objective, rate=3e-3),
)


def run(out: Path) -> None:
    """Trains eight models alike, `faces-…`, or `celeba-…` where CelebA is at hand: 40 minutes.

    Squared error for the autoencoders; for the VAEs −ELBO with the optimal σ, for n = 128 also
    with σ = 1 and with cross-entropy. Same networks, steps, seed and order of images; the rate is
    smaller for `ae-1024`. At the end the latents are standardized, and σ is
    calibrated, on the validation images; test images are for the figures alone.
    """
    data = official_split(datasets.load("celeba", size=64))
    for row in ROWS:
        train_row(row, data, out=out)


def official_split(data: Dataset) -> Dataset:
    """The data with validation images; a folder in CelebA's layout may lack the official split."""
    if data.valid is not None:
        return data
    train, valid = datasets.hold_out(data.train, len(data.train) // 10)
    return data.renamed(train=train, valid=valid)


class Trained(NamedTuple):
    """A model in eval mode, its losses per epoch, and what its card says of the training."""

    model: nn.Module
    curve: dict[str, list[float]]
    seconds: float
    standardized: dict[str, list[float]] | None


def train_model(row: Row, data: Dataset, *, epochs: int, seed: int, title: str) -> Trained:
    """Train one model; a VAE ends with standardized latents and, with an optimal σ, this one."""
    model = row.model(seed=seed)
    best_sigma = row.objective is optimal_sigma_objective
    start = time.perf_counter()
    curve = _loss_curve(
        fit(
            model, row.objective, data.train.images, valid=data.valid.images,
            epochs=epochs, batch_size=BATCH, lr=row.rate, beta2=BETA2, seed=seed,
            after_step=keep_log_sigma if best_sigma else None, bfloat16=True,
        ),
        title=title, steps=epochs * -(-len(data.train) // BATCH),
    )  # fmt: skip
    seconds = time.perf_counter() - start
    model.eval()
    standardized = None
    if isinstance(model, ConvVAE):
        moments = standardize_latents(model, data.valid.images)
        standardized = dict(zip(("mean", "scale"), map(cards.rounded, moments), strict=True))
    if best_sigma:
        calibrate_sigma(model, data.valid.images)
    return Trained(model, curve, seconds, standardized)


def train_row(row: Row, data: Dataset, *, out: Path) -> dict:
    """Train one model, keep it, and return its card's figures on the test images."""
    name = f"{'faces' if data.stand_in else 'celeba'}-{row.name}"
    model, curve, seconds, standardized = train_model(
        row, data, epochs=EPOCHS, seed=SEED, title=name
    )
    test = measured(model, row.objective, data.test.images)
    card = cards.card(
        "faces", data, seed=SEED, seconds=seconds,
        model={"class": type(model).__name__, "arguments": model.arguments},
        training={"epochs": EPOCHS}
        | TRAINING
        | {"lr": row.rate, "objective": row.objective.__name__},
        curve=curve, test=test, **({"standardized": standardized} if standardized else {}),
    )  # fmt: skip
    checkpoints.save(model, name, card=card, folder=out)
    print(f"{name}: {test}, {seconds:.0f} s", flush=True)
    return test


def _loss_curve(records: Iterator[Record], *, title: str, steps: int) -> dict[str, list[float]]:
    """The loss of each epoch, mean over its training steps, and that on validation images."""
    curve: dict[str, list[float]] = {"train": [], "valid": []}
    epoch: list[Record] = []
    for record in tqdm(records, desc=title, total=steps, mininterval=1.0):
        epoch.append(record)
        if record.valid is not None:  # only here a GPU is waited for
            curve["train"].append(round(statistics.fmean(each.loss for each in epoch), 2))
            curve["valid"].append(round(record.valid["loss"], 2))
            epoch = []
    return curve


@torch.no_grad()
def measured(model: nn.Module, objective: Objective, images: Tensor) -> dict[str, float]:
    """PSNR of decode(mean code), decibels; the terms of the objective, per image."""
    terms = evaluate(model, objective, images, seed=SEED, batch_size=500)
    decibels, codes = [], []
    for part in images.split(500):
        x = to_float(part, next(model.parameters()).device)
        z = model.encode(x)
        z = z if isinstance(z, Tensor) else z.mean
        x_hat = model.decode(z)
        decibels.append(psnr(x, x_hat if isinstance(x_hat, Tensor) else x_hat.mean))
        codes.append(z)
    figures = {"psnr": torch.cat(decibels).mean().item()} | terms
    if isinstance(model, ConvVAE):
        figures["negative_elbo"] = figures.pop("loss")
        figures.pop("log_sigma", None)  # the same as σ below
        figures["active_units"] = active_units(torch.cat(codes))
        if model.log_sigma is not None:
            figures["sigma"] = model.log_sigma.exp().item()
    return {key: round(value, 4 if key == "sigma" else 2) for key, value in figures.items()}
