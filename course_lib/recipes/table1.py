"""The β sweep of notebook 04 in full: seven MLP VAEs, 784-256-256-n."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence

from course_lib import checkpoints, datasets
from course_lib.datasets import Dataset, Split
from course_lib.losses import ElboTerms, standard_normal, vae_objective
from course_lib.metrics import active_units
from course_lib.models import MLPVAE, MLPDecoder, MLPEncoder, StackedMLPVAE
from course_lib.recipes import cards
from course_lib.training import Objective, best_device, evaluate, fit, to_float

ROWS = ((1, 1.0), (2, 1.0), (64, 1.0), (64, 0.1), (64, 0.5), (64, 2.0), (64, 10.0))  # (n, β)
WITH_ENCODER = {(2, 1.0): "mnist-encoder-2", (64, 1.0): "mnist-encoder-64"}  # for drawn digits
# Those of the same number of epochs train as one model; the extreme prices learn last.
EPOCHS = dict.fromkeys(ROWS, 26) | {(64, 0.1): 60, (64, 10.0): 60}
BATCH, RATE, BETA2, SEED = 256, 4e-3, 0.99, 0
TRAINING = {"batch_size": BATCH, "lr": RATE, "beta2": BETA2, "optimizer": "Adam, one cycle"}
N_MAP_CODES = 1000  # codes of test images that a card with two latents keeps


def run(out: Path) -> None:
    """Writes metrics/table1.json, decoders of the rows with n > 1, two encoders: ten minutes.

    All 60,000 training images and fixed numbers of epochs; nothing is chosen by the test images,
    on which each model is measured once, at the end.
    """
    data, found, total = datasets.load("mnist"), {}, 0.0
    for epochs in sorted({*EPOCHS.values()}):
        rows = [row for row in ROWS if EPOCHS[row] == epochs]
        vaes, seconds = trained(data, rows, epochs=epochs)
        found |= {row: (vae, seconds) for row, vae in zip(rows, vaes, strict=True)}
        total += seconds
    table = [kept(*found[row], row, data, out=out) for row in ROWS]
    about = cards.card("table1", data, seed=SEED, seconds=total, training=TRAINING)
    checkpoints.write_json(out / "metrics" / "table1.json", about | {"rows": table})
    print(f"table1: {total / 60:.1f} minutes")


def trained(data: Dataset, rows: list, *, epochs: int) -> tuple[list[MLPVAE], float]:
    """The models of some rows, (n, β) each, and the seconds of their one training."""
    vaes, start = [], time.perf_counter()
    for n, _ in rows:
        torch.manual_seed(SEED)
        vaes.append(MLPVAE(n))
    stack, betas = StackedMLPVAE(vaes), torch.tensor([beta for _, beta in rows])
    cards.run(
        lambda: fit(
            stack, functools.partial(sum_of_objectives, betas=betas.to(best_device())),
            data.train.images, epochs=epochs, batch_size=BATCH, lr=RATE, beta2=BETA2, seed=SEED,
            bfloat16=True,
        ),
        title=f"{len(rows)} VAEs", steps=epochs * -(-len(data.train) // BATCH),
    )  # fmt: skip
    return stack.apart(), time.perf_counter() - start


def sum_of_objectives(vaes: StackedMLPVAE, x: Tensor, *, betas: Tensor) -> tuple[Tensor, ElboTerms]:
    """Σₖ of the negative β-ELBO of model k at its βₖ, each the mean over the batch. Nats per image.

    Weights of one model have no part in the others' terms, so each gets its own gradient.
    x: (B, …); betas: (K,). The terms are (K, B).
    """
    q_z = vaes.encode(x)
    p_x = vaes.decode(q_z.rsample())
    log_lik = p_x.log_prob(x.flatten(1).expand(p_x.batch_shape)).sum(2)
    kl = kl_divergence(q_z, standard_normal(q_z.mean)).sum(2)
    loss = (betas * kl.mean(1) - log_lik.mean(1)).sum()
    return loss, ElboTerms(log_lik, kl)


def kept(vae: MLPVAE, seconds: float, row: tuple[int, float], data: Dataset, *, out: Path) -> dict:
    """Measure one model on the test images, nats per image, and keep what others need of it."""
    (n, beta), epochs = row, EPOCHS[row]
    goal = functools.partial(vae_objective, beta=beta)
    figures = {"n": n, "beta": beta, "epochs": epochs} | measured(vae, goal, data)
    card = cards.card(
        "table1", data, seed=SEED, seconds=seconds,
        training=TRAINING | {"epochs": epochs, "beta": beta}, test=figures,
    )  # fmt: skip
    if n > 1:
        card |= codes(vae, data.test)
        size = {"latent_dim": n}
        cards.keep(half(MLPDecoder(n), vae), checkpoint_name(*row), size, card, out=out)
        if name := WITH_ENCODER.get(row):
            cards.keep(half(MLPEncoder(n), vae), name, size, card, out=out)
    return figures


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


def half(part: nn.Module, vae: MLPVAE) -> nn.Module:
    """The encoder or decoder alone: walks need no encoder, which would fill data/."""
    part.load_state_dict(vae.state_dict(), strict=False)
    return part


def checkpoint_name(n: int, beta: float) -> str:
    """`mnist-decoder-2`, and with 64 latents `mnist-decoder-64-beta-0.1`."""
    return f"mnist-decoder-{n}" + (f"-beta-{beta:g}" if n == 64 else "")
