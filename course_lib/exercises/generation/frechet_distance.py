"""`frechet_distance(mu1, cov1, mu2, cov2)`: the squared distance between two Gaussians."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.generation.wrong_distances import MISTAKES
from course_lib.exercises.spec import Case, Exercise


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64)

    def cov(d: int, *, rank: int | None = None, scale: float = 1) -> Tensor:
        """A random covariance; of less than full rank where a rank is given."""
        A = normal(d, rank or 2 * d)
        return scale * (A @ A.T) / A.shape[1]

    def case(about: str, d: int, cov1: Tensor, cov2: Tensor) -> Case:
        args = {"mu1": normal(d), "cov1": cov1, "mu2": normal(d), "cov2": cov2}
        return Case(about, args)

    silent = torch.ones(6, dtype=torch.float64)
    silent[int(torch.randint(6, (), generator=g))] = 0
    same = cov(4)
    return [
        case("4 dimensions", 4, cov(4), cov(4, scale=3)),
        case("6 dimensions, one wide and one narrow", 6, cov(6, scale=9), cov(6, scale=0.1)),
        case("the same covariance twice", 4, same, same.clone()),
        case("one dimension", 1, cov(1), cov(1, scale=4)),
        case("a feature that is always 0", 6, *(silent[:, None] * cov(6) * silent
             for _ in range(2))),
        case("of less than full rank", 12, cov(12, rank=3), cov(12, rank=4)),
        case("of less than full rank, and full rank", 10, cov(10, rank=2), cov(10)),
    ]  # fmt: skip


EXERCISE = Exercise("frechet_distance", 3, cases, MISTAKES, rtol=1e-5, atol=1e-5)
