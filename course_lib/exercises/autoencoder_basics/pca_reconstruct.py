"""`pca_reconstruct(X, k)`: the best rank-k reconstruction about the mean."""

import math

import torch
from torch import Tensor

from course_lib.exercises.observers import tensor_of, tensor_result
from course_lib.exercises.records import kind_of
from course_lib.exercises.spec import Case, Cases, Exercise, Parts


def _rings(N: int, side: int, g: torch.Generator) -> Tensor:
    """Images of one ellipse each, like zeros written by hand: (N, side²) in [0, 1], float64."""
    u = torch.rand(4, N, 1, 1, generator=g, dtype=torch.float64)
    place = torch.linspace(-1, 1, side, dtype=torch.float64)
    across, down = place - 0.4 * (u[0] - 0.5), place[:, None] - 0.4 * (u[1] - 0.5)
    radius = ((across / (0.3 + 0.3 * u[2])) ** 2 + (down / (0.5 + 0.3 * u[3])) ** 2).sqrt()
    return torch.exp(-(((radius - 1) / 0.35) ** 2)).flatten(1)


def cases(g: torch.Generator) -> Cases:
    X = _rings(12, 14, g)
    yield Case(f"12 images of 14 × 14 pixels, {X.dtype}", {"X": X, "k": 3})
    for N, D, k in ((40, 6, 2), (7, 7, 3), (5, 9, 1), (12, 4, 4), (60, 20, 5)):
        rank, skew = min(N - 1, D), torch.randn(D, D, generator=g).double()
        waves = (torch.arange(N)[:, None] + 0.5) * torch.arange(1, rank + 1) * math.pi / N
        noise = 2**0.5 * waves.double().cos()[torch.randperm(N, generator=g)]  # orthogonal columns
        spread = noise * 0.6 ** torch.arange(rank) + 0.5 + torch.rand(rank, generator=g)
        X = spread @ torch.matrix_exp(skew - skew.T)[:rank]  # along orthonormal rows
        X = X if N < 60 else X.float()
        yield Case(f"{N} points in {D} dimensions, {X.dtype}", {"X": X, "k": k})


def properties(raw: Parts, case: Case) -> Parts:
    """The reconstructions, from what is simple about them to all of their numbers."""
    (X, k), result = case.args.values(), tensor_of(raw["result"])
    found: Parts = {"images": result.shape != (len(X), k) or result.shape == X.shape}
    kinds = (result.shape, raw["result"]["kind"]), (X.shape, kind_of(X))
    if kinds[0] != kinds[1] or not result.isfinite().all():
        return found | raw
    moved = result - X.mean(0).double()
    found |= {"result": 0 * X, "mean": bool(moved.mean(0).abs().max() < 1e-3)}  # its kind is right
    rank = int(torch.linalg.matrix_rank(moved, atol=1e-2, rtol=0))
    return found | {"directions": f"{rank}", "reconstruction": raw["result"]}


EXERCISE = Exercise(
    "pca_reconstruct", 2, cases, tensor_result, properties, rtol=1e-4, atol=1e-4,
    pictures=dict.fromkeys(("mean", "directions", "reconstruction"), "result"),
)  # fmt: skip
