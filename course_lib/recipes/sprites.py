"""β-VAEs on the sprites: two βs, five seeds each, and what a 45° rotation of the code changes."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib import checkpoints, datasets, metrics
from course_lib.datasets import Dataset
from course_lib.distributions import kl_full_normal
from course_lib.losses import vae_objective
from course_lib.models import MLPVAE
from course_lib.recipes import cards
from course_lib.training import fit, to_float

BETAS, SEEDS = (12.0, 1.0), (0, 1, 2, 3, 4)
MODEL = {"latent_dim": 10, "data_dim": 1024, "hidden": 256}
EPOCHS, BATCH, RATE = 20, 512, 1e-2
TRAINING = {"batch_size": BATCH, "lr": RATE, "optimizer": "Adam, one cycle"}
DEGREES = 45.0


def run(out: Path) -> None:
    """Writes metrics/sprites.json and the checkpoint sprites-beta-vae: five minutes of an idle CPU.

    Trained on nine tenths of the grid, measured on the rest. No seed is left out of the metrics;
    the checkpoint is the one of the highest MIG, which needs the factors: images alone do not tell.
    """
    data, start = datasets.load("sprites"), time.perf_counter()
    runs, best = [], None
    for beta in BETAS:
        for seed in SEEDS:
            model, row = train_one(data, beta=beta, seed=seed)
            runs.append(row)
            if best is None or row["mig"] > best[1]["mig"]:
                best = model, row
    about = cards.card("sprites", data, seed=SEEDS[0], seconds=time.perf_counter() - start)
    about |= {"seeds": list(SEEDS), "model": {"class": "MLPVAE", "arguments": MODEL}}
    names = {
        "factors": list(data.factor_names),
        "degrees": DEGREES,
        "training": TRAINING | {"epochs": EPOCHS},
    }
    checkpoints.write_json(out / "metrics" / "sprites.json", about | names | {"runs": runs})
    save(*best, data=data, out=out)
    print(f"sprites: best MIG {best[1]['mig']:.3f}, {about['seconds'] / 60:.1f} minutes")


def train_one(data: Dataset, *, beta: float, seed: int) -> tuple[nn.Module, dict]:
    """One β-VAE, and its figures before and after the rotation of its code."""
    torch.manual_seed(seed)
    model, goal = MLPVAE(**MODEL), functools.partial(vae_objective, beta=beta)
    _, seconds = cards.run(
        lambda: fit(
            model, goal, data.train.images,
            epochs=EPOCHS, batch_size=BATCH, lr=RATE, seed=seed, bfloat16=True,
        ),
        title=f"β = {beta:g}, seed {seed}", steps=EPOCHS * -(-len(data.train) // BATCH),
    )  # fmt: skip
    row = {"beta": beta, "seed": seed, "seconds": round(seconds, 1)}
    return model, row | measured(model.cpu().eval(), data, seed=seed)  # the scores are float64


@torch.no_grad()
def measured(model: nn.Module, data: Dataset, *, seed: int = 0) -> dict:
    """Scores and ELBO terms on the test images, of the code z and of the rotated code z Rᵀ."""
    x, factors = to_float(data.test.images).flatten(1), data.test.factors
    q_z = model.encode(x)
    R = metrics.pairwise_rotation(q_z.mean, factors, degrees=DEGREES)
    g = torch.Generator().manual_seed(seed)
    z = q_z.mean + q_z.stddev * torch.randn(q_z.mean.shape, generator=g)  # (N, d)
    cov = torch.diag_embed(q_z.variance)  # (N, d, d)
    return {
        **scored(q_z.mean, factors),
        **terms(model.decode(z).log_prob(x), q_z.mean, cov),
        "active_units": metrics.active_units(q_z.mean),
        "rotated": {
            **scored(q_z.mean @ R.T, factors),
            # The rotated code z Rᵀ, turned back by its decoder.
            **terms(model.decode((z @ R.T) @ R).log_prob(x), q_z.mean @ R.T, R @ cov @ R.T),
        },
    }


def scored(means: Tensor, factors: Tensor) -> dict:
    """Mutual information gap, mean and per factor, and FactorVAE's score."""
    gaps = metrics.information_gaps(means, factors)
    return {
        "mig": round(float(gaps.mean()), 4),
        "mig_per_factor": [round(gap, 4) for gap in gaps.tolist()],
        "factor_vae": round(metrics.factor_vae_score(means, factors), 4),
    }


def terms(log_lik: Tensor, mu: Tensor, cov: Tensor) -> dict:
    """Cross-entropy, KL to the prior and their sum −ELBO, nats per image."""
    zero, one = torch.zeros(mu.shape[1]), torch.eye(mu.shape[1])
    cross_entropy = -float(log_lik.sum(1).double().mean())
    kl = float(kl_full_normal(mu, cov, zero, one).double().mean())
    return {
        "cross_entropy": round(cross_entropy, 3),
        "kl": round(kl, 3),
        "negative_elbo": round(cross_entropy + kl, 3),
    }


def save(model: nn.Module, row: dict, *, data: Dataset, out: Path) -> None:
    """The checkpoint sprites-beta-vae, whose card holds the figures of its run."""
    card = cards.card(
        "sprites", data, seed=row["seed"], seconds=row["seconds"],
        model={"class": "MLPVAE", "arguments": MODEL},
        training=TRAINING | {"epochs": EPOCHS, "beta": row["beta"]}, test=row,
    )  # fmt: skip
    checkpoints.save(model, "sprites-beta-vae", card=card, folder=out)
