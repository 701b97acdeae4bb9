"""What the minutes of notebook 01 leave out: its MLP autoencoder trained for long, beside PCA."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor

from course_lib import checkpoints, datasets
from course_lib.datasets import Dataset
from course_lib.losses import autoencoder_objective
from course_lib.metrics import error_per_image
from course_lib.models import MLPAutoencoder
from course_lib.recipes import cards
from course_lib.training import fit, to_float

SIZES, STEPS = (30, 64), 4_700  # numbers per image; gradient steps, to the next whole epoch
BATCH, RATE, SEED = 256, 2e-3, 0
N_PCA = 20_000  # training images behind the components, as in the notebook
TRAINING = {"batch_size": BATCH, "lr": RATE, "optimizer": "Adam, one cycle"}


def run(out: Path) -> None:
    """Writes metrics/basics.json, or metrics/basics-stand-in.json where MNIST is not at hand.

    The test images are looked at after each epoch, for the curve; nothing is chosen by them.
    """
    data, start = datasets.load("mnist"), time.perf_counter()
    rows = [train_row(data, n) for n in SIZES]
    seconds = time.perf_counter() - start
    about = cards.card("basics", data, seed=SEED, seconds=seconds, training=TRAINING)
    checkpoints.write_json(out / "metrics" / f"{metrics_name(data)}.json", about | {"rows": rows})
    print(f"basics: {seconds / 60:.1f} minutes")


def metrics_name(data: Dataset) -> str:
    """The file of these images: each set has its own."""
    return "basics-stand-in" if data.stand_in else "basics"


def train_row(data: Dataset, n: int) -> dict:
    """Train one model and measure it. Squared error per image; `curve`: on test images by epoch."""
    torch.manual_seed(SEED)
    model, batches = MLPAutoencoder(n), -(-len(data.train) // BATCH)
    epochs = -(-STEPS // batches)
    images = data.train.images
    records, seconds = cards.run(
        lambda: fit(
            model, autoencoder_objective, images, valid=data.test.images,
            epochs=epochs, batch_size=BATCH, lr=RATE, seed=SEED, bfloat16=True,
        ),
        title=f"n = {n}", steps=epochs * batches,
    )  # fmt: skip
    model.cpu()
    test, some = flat(data.test.images), flat(images[: len(data.test)])
    return {
        "n": n,
        "epochs": epochs,
        "steps": epochs * batches,
        "seconds": round(seconds, 1),
        "test": round(error_per_image(model, test), 3),
        "train": round(error_per_image(model, some), 3),
        "pca": round(pca_error(flat(images[:N_PCA]), test, n), 3),
        "curve": [round(record.valid["squared_error"], 3) for record in records],
    }


def pca_error(train: Tensor, test: Tensor, n: int) -> float:
    """Squared error per test image of n principal components of the training images."""
    mean, components = train.mean(0), torch.linalg.eigh(torch.cov(train.double().T)).eigenvectors
    V = components[:, -n:].float()  # (D, n)
    return error_per_image(lambda x: (x - mean) @ V @ V.T + mean, test)


def flat(images: Tensor) -> Tensor:
    """Bytes (N, C, H, W) to floats (N, D)."""
    return to_float(images).flatten(1)
