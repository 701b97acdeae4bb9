"""`active_units(mu, threshold)`: how many latents have a posterior mean that varies over images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.beta_vae.spreads import SPREADS, count_of
from course_lib.exercises.spec import Case, Exercise, Mistake

# Latents as (variance in units of the threshold, mean in units of its standard deviation). No
# variance lies between ½ and 2, so that dividing by N or by N − 1 makes no difference.
CENTRED = ((40, 0), (0.5, 0), (0.05, 0), (300, 0), (0.4, 0), (9, 0), (0.5, 0), (3, 0))
MOVED = ((0.3, -2.5), (0.4, 1.5), (20, 0), (0.02, 0), (90, 1), (2.5, 0), (3.63, 0), (0.5, 0))
FAR = ((0.3, 30), (20, 0), (0.4, -60), (90, 2), (2.5, 0), (0.5, -5))
DEAD = ((0.5, 1.9), (0.4, -1.4), (0.3, 0), (0.5, -1), (0.2, 1.5))


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(N: int, latents: tuple[tuple[float, float], ...], *, threshold: float) -> Tensor:
        """Columns that have exactly these variances and means, in any order."""
        variance, mean = torch.tensor(latents, dtype=torch.float64).T
        z = torch.randn(N, len(latents), generator=g, dtype=torch.float64)
        z = (z - z.mean(0)) / z.std(0, unbiased=False)
        z = (z + mean) * (threshold * variance).sqrt()
        return z[:, torch.randperm(len(latents), generator=g)]

    twins = draw(30, FAR, threshold=0.2)
    twins = torch.cat([twins, twins[:, twins.var(0) > 0.2]], 1)
    few = torch.cat([draw(6, CENTRED, threshold=0.02), draw(6, FAR, threshold=0.02)], 1)
    still = torch.tensor([[0.5, 0.0]], dtype=torch.float64).expand(16, 2)
    still = torch.cat([draw(16, ((4, 0), (0.5, 1), (1, 0)), threshold=1.0), still], 1)
    return [
        Case("60 images, 8 latents, the usual threshold",
             {"mu": draw(60, CENTRED, threshold=0.01)}),
        Case("a larger threshold", {"mu": draw(24, MOVED, threshold=3.0), "threshold": 3.0}),
        Case("every active latent is there twice", {"mu": twins, "threshold": 0.2}),
        Case("fewer images than latents", {"mu": few, "threshold": 0.02}),
        Case("threshold 0, and two latents that never move", {"mu": still, "threshold": 0.0}),
        Case("no latent is active", {"mu": draw(40, DEAD, threshold=0.05), "threshold": 0.05}),
    ]  # fmt: skip


def _of(result: Callable[[Tensor], object]) -> Callable:
    """A candidate that makes something else of which latents are active, (d,)."""
    return lambda mu, threshold=0.01: result(mu.var(0) > threshold)


def _reported(mu: Tensor, threshold: float = 0.01) -> Tensor:
    return torch.nonzero(mu.var(0) > threshold)[:, 0]


MISTAKES = (
    *SPREADS,
    Mistake(
        "at least",
        count_of(lambda mu: mu.var(0), relate=torch.ge),
        "A latent whose variance equals the threshold is not active: `>`, not `>=`.",
    ),
    Mistake(
        "inactive ones",
        count_of(lambda mu: mu.var(0), relate=torch.le),
        "You count the latents that do not vary. The active ones are the others.",
    ),
    Mistake(
        "threshold fixed",
        lambda mu, threshold=0.01: (mu.var(0) > 0.01).sum(),
        "The threshold is fixed at 0.01 in your code. Use the argument.",
    ),
    Mistake(
        "threshold 0",
        lambda mu, threshold=0.01: (mu.var(0) > 0).sum(),
        "You count every latent that varies at all. Compare with `threshold`.",
    ),
    Mistake(
        "entries",
        count_of(lambda mu: (mu - mu.mean(0)) ** 2),
        "You compare every single squared deviation and count images, too. Average over the "
        "images first.",
    ),
    Mistake(
        "entries of mu",
        count_of(lambda mu: mu.abs()),
        "You compare every single |μ| and count images, too. What counts is the variance of each "
        "latent over the images.",
    ),
    Mistake(
        "all latents",
        lambda mu, threshold=0.01: mu.shape[1],
        "You return the number of latents. Count those whose variance is above the threshold.",
    ),
    Mistake(
        "number of images",
        lambda mu, threshold=0.01: mu.shape[0],
        "You return the number of images. Count latents, dimension 1.",
    ),
    Mistake(
        "fraction",
        _of(lambda active: active.double().mean()),
        "You return the fraction of active latents. Return their number.",
    ),
    Mistake(
        "any",
        _of(lambda active: active.any().int()),
        "You say whether any latent is active. Count them.",
    ),
    Mistake(
        "which ones",
        _of(lambda active: active),
        "You return which latents are active. Count them: the sum of True and False.",
    ),
    Mistake("indices", _reported, "You return the places of the active latents. Count them."),
    Mistake(
        "variances",
        lambda mu, threshold=0.01: mu.var(0),
        "You return the variances. Compare them with the threshold and count.",
    ),
    Mistake(
        "sum of active variances",
        lambda mu, threshold=0.01: mu.var(0)[mu.var(0) > threshold].sum(),
        "You add up the variances that are above the threshold. Count them.",
    ),
)

EXERCISE = Exercise("active_units", 1, cases, MISTAKES)
