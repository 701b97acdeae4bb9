"""The β sweep of notebook 04 in full: seven MLP VAEs, 784-256-256-n."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import torch
from torch import nn
from torch.distributions import kl_divergence

from course_lib import checkpoints, datasets
from course_lib.datasets import Dataset, Split
from course_lib.losses import standard_normal, vae_objective
from course_lib.metrics import active_units
from course_lib.models import MLPVAE, MLPDecoder
from course_lib.recipes import cards
from course_lib.training import Objective, evaluate, fit, to_float

ROWS = ((1, 1.0), (2, 1.0), (64, 1.0), (64, 0.1), (64, 0.5), (64, 2.0), (64, 10.0))  # (n, β)
EPOCHS = dict.fromkeys(ROWS, 40) | {(64, 0.1): 80, (64, 10.0): 80}  # the extreme prices learn last
BATCH, RATE, SEED = 256, 2e-3, 0
TRAINING = {"batch_size": BATCH, "lr": RATE, "optimizer": "Adam, one cycle"}
N_MAP_CODES = 1000  # codes of test images that a card with two latents keeps


def run(out: Path) -> None:
    """Writes metrics/table1.json and the decoders of the rows with n > 1: about nine minutes.

    All 60,000 training images and fixed numbers of epochs; nothing is chosen by the test images,
    on which each model is measured once, at the end.
    """
    data, start = datasets.load("mnist"), time.perf_counter()
    rows = [train_row(data, n, beta, out=out) for n, beta in ROWS]
    seconds = time.perf_counter() - start
    about = cards.card("table1", data, seed=SEED, seconds=seconds, training=TRAINING)
    checkpoints.write_json(out / "metrics" / "table1.json", about | {"rows": rows})
    print(f"table1: {seconds / 60:.1f} minutes")


def train_row(data: Dataset, n: int, beta: float, *, out: Path) -> dict:
    """Train one model, keep its decoder, and measure it on the test images. Nats per image."""
    torch.manual_seed(SEED)
    model, goal, epochs = MLPVAE(n), functools.partial(vae_objective, beta=beta), EPOCHS[n, beta]
    _, seconds = cards.run(
        lambda: fit(
            model, cards.in_bfloat16(goal), data.train.images,
            epochs=epochs, batch_size=BATCH, lr=RATE, seed=SEED,
        ),
        title=f"n = {n}, β = {beta:g}", steps=epochs * -(-len(data.train) // BATCH),
    )  # fmt: skip
    model.cpu()  # what follows takes seconds
    row = {"n": n, "beta": beta, "epochs": epochs, "seconds": round(seconds, 1)}
    row |= measured(model, goal, data)
    if n > 1:
        card = cards.card(
            "table1", data, seed=SEED, seconds=seconds,
            training=TRAINING | {"epochs": epochs, "beta": beta}, test=row,
        )  # fmt: skip
        keep_decoder(model, checkpoint_name(n, beta), card | codes(model, data.test), out=out)
    return row


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


@torch.no_grad()
def codes(model: nn.Module, test: Split) -> dict:
    """What a walk through the codes needs: KL per latent, nats; for d = 2 [z₁, z₂, label] of some.

    Both of the test images, the codes as posterior means.
    """
    q_z = model.encode(to_float(test.images))
    kl = kl_divergence(q_z, standard_normal(q_z.mean)).mean(0)  # (d,)
    found = {"kl_per_latent": [round(value, 4) for value in kl.tolist()]}
    if len(kl) == 2:
        places, labels = q_z.mean[:N_MAP_CODES].tolist(), test.labels[:N_MAP_CODES].tolist()
        found["codes"] = [
            [*(round(z, 2) for z in place), y] for place, y in zip(places, labels, strict=True)
        ]
    return found


def keep_decoder(model: MLPVAE, name: str, card: dict, *, out: Path) -> None:
    """Save the decoder: walks need no more, and the encoder would fill data/."""
    decoder = MLPDecoder(model.latent_dim)
    decoder.decoder = model.decoder
    described = {"class": "MLPDecoder", "arguments": {"latent_dim": model.latent_dim}}
    checkpoints.save(decoder, name, card=card | {"model": described}, folder=out)


def checkpoint_name(n: int, beta: float) -> str:
    """`mnist-decoder-2`, and with 64 latents `mnist-decoder-64-beta-0.1`."""
    return f"mnist-decoder-{n}" + (f"-beta-{beta:g}" if n == 64 else "")
