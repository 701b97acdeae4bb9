"""The β sweep of notebook 04 in full: seven MLP VAEs, 784-256-256-n, each trained for 40 epochs."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib import checkpoints, datasets
from course_lib.datasets import Dataset
from course_lib.losses import ElboTerms, beta_vae_loss, elbo_terms
from course_lib.metrics import active_units
from course_lib.models import MLPVAE
from course_lib.recipes import cards
from course_lib.training import Objective, evaluate, fit, to_float

ROWS = ((1, 1.0), (2, 1.0), (64, 1.0), (64, 0.1), (64, 0.5), (64, 2.0), (64, 10.0))  # (n, β)
KEPT = ((2, 1.0), (64, 1.0), (64, 10.0))  # as checkpoints: the others would fill data/
EPOCHS, BATCH, RATE, SEED = 40, 256, 2e-3, 0
TRAINING = {"epochs": EPOCHS, "batch_size": BATCH, "lr": RATE, "optimizer": "Adam, one cycle"}


def run(out: Path) -> None:
    """Writes metrics/table1.json and checkpoints of the rows KEPT: about eight minutes.

    All 60,000 training images and a fixed number of epochs; nothing is chosen by the test images,
    on which each model is measured once, at the end.
    """
    data, start = datasets.load("mnist"), time.perf_counter()
    rows = [train_row(data, n, beta, out=out) for n, beta in ROWS]
    seconds = time.perf_counter() - start
    about = cards.card("table1", data, seed=SEED, seconds=seconds, training=TRAINING)
    checkpoints.write_json(out / "metrics" / "table1.json", about | {"rows": rows})
    print(f"table1: {seconds / 60:.1f} minutes")


def train_row(data: Dataset, n: int, beta: float, *, out: Path) -> dict:
    """Train one model, keep it, and measure it on the test images. Nats per image."""
    torch.manual_seed(SEED)
    model, goal = MLPVAE(n), functools.partial(objective, beta=beta)
    _, seconds = cards.run(
        lambda: fit(
            model, cards.in_bfloat16(goal), data.train.images,
            epochs=EPOCHS, batch_size=BATCH, lr=RATE, seed=SEED,
        ),
        title=f"n = {n}, β = {beta:g}", steps=EPOCHS * -(-len(data.train) // BATCH),
    )  # fmt: skip
    row = {"n": n, "beta": beta, "seconds": round(seconds, 1)} | measured(model, goal, data)
    if (n, beta) in KEPT:
        described = {"class": "MLPVAE", "arguments": {"latent_dim": n}}
        card = cards.card(
            "table1", data, seed=SEED, seconds=seconds,
            model=described, training=TRAINING | {"beta": beta}, test=row,
        )  # fmt: skip
        checkpoints.save(model, checkpoint_name(n, beta), card=card, folder=out)
    return row


def objective(model: nn.Module, x: Tensor, *, beta: float) -> tuple[Tensor, ElboTerms]:
    """Cross-entropy + β·KL, averaged over the batch. Nats per image."""
    terms = elbo_terms(model, x)
    return beta_vae_loss(terms, beta), terms


@torch.no_grad()
def measured(model: nn.Module, goal: Objective, data: Dataset) -> dict:
    """The two terms on the test images, what they add up to, and how many latents live."""
    test = evaluate(model, goal, data.test.images, seed=SEED)
    means = model.encode(to_float(data.test.images)).mean
    return {
        "cross_entropy": round(-test["log_lik"], 3),
        "kl": round(test["kl"], 3),
        "objective": round(test["loss"], 3),
        "elbo": round(test["log_lik"] - test["kl"], 3),
        "active_units": active_units(means),
    }


def checkpoint_name(n: int, beta: float) -> str:
    """`mnist-vae-64`, and with β other than 1 `mnist-vae-64-beta-0.1`."""
    return f"mnist-vae-{n}" + ("" if beta == 1 else f"-beta-{beta:g}")
