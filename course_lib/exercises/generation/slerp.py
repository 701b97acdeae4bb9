"""`slerp(a, b, t)`: along the great circle from a to b."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.exercises.generation.wrong_slerps import MISTAKES
from course_lib.exercises.spec import Case, Exercise

# Of these vectors the squared norm is exact, and the cosine with a multiple of themselves rounds to
# more than 1, with fused multiply-add and without, normalised before the product or after it.
ABOVE_ONE = ((1, 5), (1, 8), (2, 19), (3, 19), (4, 7), (4, 9), (5, 8), (9, 17), (7, 23), (5, 34))


def _vector(d: int, g: torch.Generator) -> Tensor:
    v = torch.randn(d, generator=g, dtype=torch.float64)
    return v / v.norm()


def _at_angle(d: int, omega: float, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two unit vectors that are ω apart."""
    a, other = _vector(d, g), _vector(d, g)
    across = other - (other @ a) * a
    return a, math.cos(omega) * a + math.sin(omega) * across / across.norm()


def _above_one(d: int, g: torch.Generator) -> Tensor:
    """A vector whose cosine with its own multiples by powers of 2 rounds to more than 1."""
    pair = ABOVE_ONE[int(torch.randint(len(ABOVE_ONE), (), generator=g))]
    v = torch.zeros(d, dtype=torch.float64)
    v[torch.randperm(d, generator=g)[:2]] = torch.tensor(pair, dtype=torch.float64)
    return v / 16


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=g))

    def draw(about: str, d: int, omega: float, *, t: float, norms: tuple[float, float]) -> Case:
        a, b = _at_angle(d, omega, g)
        return Case(about, {"a": norms[0] * a, "b": norms[1] * b, "t": t})

    same, line = _above_one(6, g), torch.zeros(4, dtype=torch.float64)
    line[int(torch.randint(4, (), generator=g))] = uniform(0.5, 2)
    return [
        draw("an acute angle, short vectors", 5, uniform(0.6, 1.2), t=uniform(0.15, 0.4),
             norms=(0.3, 0.7)),
        draw("an obtuse angle, long vectors", 8, uniform(1.9, 2.6), t=uniform(0.6, 0.85),
             norms=(5, 3)),
        draw("t = 0: the beginning", 3, uniform(1, 2), t=0.0, norms=(2, 1)),
        draw("t = 1: the end", 3, uniform(1, 2), t=1.0, norms=(1, 4)),
        draw("an angle of 0.03, no longer parallel", 4, 0.03, t=0.4, norms=(2, 1)),
        Case("parallel, along one axis", {"a": line, "b": 3 * line, "t": uniform(0.15, 0.4)}),
        Case("opposite, along one axis", {"a": line, "b": -2 * line, "t": uniform(0.15, 0.4)}),
        Case("parallel, the cosine rounds to more than 1", {"a": same, "b": 4 * same,
             "t": uniform(0.15, 0.4)}),
        Case("opposite, the cosine rounds to less than −1", {"a": same, "b": -2 * same,
             "t": uniform(0.15, 0.4)}),
    ]  # fmt: skip


EXERCISE = Exercise("slerp", 2, cases, MISTAKES)
