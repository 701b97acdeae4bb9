"""`mutual_information_gap(z, factors, n_bins)`: how far one latent stands out for each factor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.beta_vae.bins import BINS
from course_lib.exercises.beta_vae.gaps import GAPS
from course_lib.exercises.records import plain, same_value
from course_lib.exercises.spec import Case, Exercise

AGAIN = "the same codes give the same score"
# Weights (d, K) of the factors in the latents.
MIXED = [[1.0, 0.1, 0.0], [0.6, 0.8, 0.1], [0.0, 0.7, 0.2], [0.1, 0.0, 0.5], [0.0, 0.0, 0.0]]
TURNED = [[0.7, 0.7], [0.7, -0.7], [0.0, 0.1]]
APART = [[0.0, 2.0], [0.3, 0.0], [1.0, 0.0], [0.0, 0.5]]


def in_cells(z: Tensor, n_bins: int, generator: torch.Generator) -> Tensor:
    """Codes moved into the middle of their cells, so that rounding decides nothing."""
    low, high = z.min(0).values, z.max(0).values
    cell = ((z - low) / (high - low) * n_bins).floor().clamp(0, n_bins - 1)
    inside = 0.2 + 0.6 * torch.rand(z.shape, generator=generator, dtype=z.dtype)
    moved = low + (high - low) * (cell + inside) / n_bins
    return torch.where((z == low) | (z == high), z, moved)


@functools.lru_cache(maxsize=64)
def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(N: int, shares: list[list[float]]) -> Tensor:
        """Whole numbers from 0 with these shares, (N, K), each of them at least once."""
        columns = [torch.tensor(s).multinomial(N, replacement=True, generator=g) for s in shares]
        for column, share in zip(columns, shares, strict=True):
            levels = torch.tensor(share).nonzero()[:, 0]
            column[: len(levels)] = levels
        return torch.stack(columns, 1)

    def encode(factors: Tensor, weights: list[list[float]], *, noise: float, n: int) -> Tensor:
        """Mixed factors plus noise, skewed and on another scale in each latent."""
        z = factors.double() @ torch.tensor(weights, dtype=torch.float64).T
        z = z + noise * torch.randn(z.shape, generator=g, dtype=torch.float64)
        scale, start = torch.linspace(0.5, 2, z.shape[1]), torch.linspace(-2, 1, z.shape[1])
        return in_cells(scale * torch.exp(0.5 * z) + start, n, g)

    three, two = [[6.0, 2.0, 1.0], [1.0, 1.0], [1.0] * 4], [[1.0] * 4, [4.0, 1.0, 1.0]]
    some, few, skip = draw(200, three), draw(120, two), draw(90, [[3.0, 0.0, 2.0, 1.0], [5.0, 1.0]])
    copies = encode(few, APART, noise=0.2, n=8)
    copies[:, 2] = 3.0 * few[:, 0] - 1.0
    dead = encode(skip, TURNED, noise=0.3, n=10)
    dead[:, 2] = 0.5
    return [
        Case("5 latents, 3 factors, the usual 20 intervals",
             {"z": encode(some, MIXED, noise=0.3, n=20), "factors": some}),
        Case("3 intervals",
             {"z": encode(some[:150], MIXED, noise=0.4, n=3), "factors": some[:150], "n_bins": 3}),
        Case("one latent copies a factor", {"z": copies, "factors": few, "n_bins": 8}),
        Case("two latents share two factors, a code turned by 45°",
             {"z": encode(few, TURNED, noise=0.2, n=12), "factors": few, "n_bins": 12}),
        Case("one latent never changes, and a factor skips a number",
             {"z": dead, "factors": skip, "n_bins": 10}),
    ]  # fmt: skip


def observe(candidate: Callable, case: Case) -> Any:
    """The score; with the usual intervals, if a second call gives it again."""
    score = candidate(*case.args.values())
    if score is None:
        return None
    if "n_bins" in case.args:
        return {"score": score}
    again = same_value(plain(score), plain(candidate(*case.args.values())))
    return {AGAIN: again, "score": score} if again else {AGAIN: False}


EXERCISE = Exercise(
    "mutual_information_gap",
    3,
    cases,
    (*GAPS, *BINS),
    observe=observe,
    property_hints={
        AGAIN: "Two calls with the same codes give two scores. No random numbers are needed, and "
        "nothing may stay behind from one call to the next.",
        "score": "The score is not right. Test its parts: a latent that copies a factor has "
        "I = H(v), a constant one has I = 0. For each factor two latents are compared, the best "
        "and the second best.",
    },
    rtol=1e-4,
    atol=1e-4,
)
