"""Two layers of latents on digits beside one layer of equal size, three trainings of each kind."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from course_lib import checkpoints, datasets, losses, metrics
from course_lib.datasets import Dataset
from course_lib.exact_chain import LayerTerms
from course_lib.exercises import EXERCISES
from course_lib.models import MLPVAE, HierarchicalVAE
from course_lib.recipes import cards
from course_lib.training import Objective, evaluate, fit, to_float

SEEDS, STEPS, BATCH, RATE = (0, 1, 2), 3_000, 128, 3e-3
LAYERS = {"d1": 16, "d2": 8, "hidden": 128}
ONE_LAYER = {"latent_dim": 16, "hidden": 139}  # as many parameters, to a thousandth
FLOOR = 6.0  # nats of the upper layer that are free of charge
LIVES = 0.1  # nats per image from which on a latent is said to live


def run(out: Path) -> None:
    """Writes metrics/hierarchy.json: about ten minutes of two cores, on MNIST or its stand-in.

    The last 5,000 training images are left out, as in the notebooks; all is measured on the test
    images, and nothing is chosen by them.
    """
    data, start = datasets.load("mnist"), time.perf_counter()
    rows = [train_one(data, kind=kind, seed=seed) for kind in kinds(1) for seed in SEEDS]
    about = cards.card("hierarchy", data, seed=SEEDS[0], seconds=time.perf_counter() - start)
    about |= {"seeds": list(SEEDS), "floor": FLOOR, "lives": LIVES}
    about["models"] = {"HierarchicalVAE": LAYERS, "MLPVAE": ONE_LAYER}
    recipe = {"steps": STEPS, "batch_size": BATCH, "lr": RATE, "optimizer": "Adam, one cycle"}
    checkpoints.write_json(
        out / "metrics" / "hierarchy.json", about | {"training": recipe, "rows": rows}
    )
    print(f"hierarchy: {len(rows)} trainings, {about['seconds'] / 60:.1f} minutes")


def kinds(steps: int) -> dict[str, Objective]:
    """Name to objective, new ones for a training of so many steps."""
    return {
        "one layer": losses.vae_objective,
        "plain": functools.partial(layers_objective, charge=_whole),
        "warm-up": functools.partial(layers_objective, charge=_rising(steps // 2)),
        "free bits": functools.partial(layers_objective, charge=_above_floor),
    }


def layers_objective(
    vae: nn.Module, x: Tensor, *, charge: Callable[[LayerTerms], Tensor]
) -> tuple[Tensor, LayerTerms]:
    """−E_q[log p(x|z1)] and what is charged for the two KLs, means over the batch."""
    x = x.flatten(1)
    eps2, eps1 = (torch.randn(len(x), d, device=x.device) for d in (vae.d2, vae.d1))
    bound, upper, lower = EXERCISES["hierarchical_elbo"].reference(vae, x, eps2, eps1)
    terms = LayerTerms(bound + upper + lower, upper, lower)
    return charge(terms) - terms.log_lik.mean(), terms


def _whole(terms: LayerTerms) -> Tensor:
    return (terms.kl_upper + terms.kl_lower).mean()


def _above_floor(terms: LayerTerms) -> Tensor:
    return terms.kl_upper.mean().clamp(min=FLOOR) + terms.kl_lower.mean()


def _rising(total: int) -> Callable[[LayerTerms], Tensor]:
    """β of both KLs, from 0 to 1 in so many steps."""
    step = itertools.count()
    return lambda terms: min(1.0, next(step) / max(total, 1)) * _whole(terms)


def train_one(data: Dataset, *, kind: str, seed: int) -> dict:
    """One training, and what is measured of it on the test images."""
    torch.manual_seed(seed)
    one = kind == "one layer"
    vae = MLPVAE(**ONE_LAYER) if one else HierarchicalVAE(**LAYERS)
    images = data.train.images[: -min(5_000, len(data.train) // 12)]
    epochs = -(-STEPS * BATCH // len(images))
    _, seconds = cards.run(
        lambda: fit(
            vae, kinds(STEPS)[kind], images,
            epochs=epochs, steps=STEPS, batch_size=BATCH, lr=RATE, seed=seed,
        ),
        title=f"{kind}, seed {seed}", steps=STEPS,
    )  # fmt: skip
    tested = evaluate(vae, kinds(1)["one layer" if one else "plain"], data.test.images, seed=seed)
    row = {"kind": kind, "seed": seed, "seconds": round(seconds, 1)}
    row |= {"parameters": sum(p.numel() for p in vae.parameters())}
    row |= {"negative_elbo": tested["loss"], "kl_upper": tested.get("kl_upper", 0.0)}
    row |= {"kl_lower": tested["kl" if one else "kl_lower"]}
    return _rounded(row | (living(vae, data.test.images) if not one else {}))


def _rounded(row: dict) -> dict:
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}


@torch.no_grad()
def living(vae: HierarchicalVAE, images: Tensor) -> dict:
    """Latents that live in each layer, and what the upper one saves beside one Gaussian, nats."""
    vae.cpu().eval()
    h = vae.bottom_up(to_float(images))
    q_z2 = vae.q_z2(h)
    z2 = q_z2.mean + q_z2.stddev * torch.randn(len(h), vae.d2, generator=_noise())
    q_z1, p_z1 = vae.q_z1(h, z2), vae.p_z1(z2)
    upper = kl_divergence(q_z2, losses.standard_normal(z2)).mean(0)  # (d2,)
    lower = kl_divergence(q_z1, Normal(p_z1.mean, p_z1.stddev)).mean(0)  # (d1,)
    saved = metrics.one_gaussian_rate(q_z1) - float(upper.sum() + lower.sum())
    counts = {"upper": int((upper > LIVES).sum()), "lower": int((lower > LIVES).sum())}
    return {"living": counts, "saved_by_upper": saved}


def _noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)
