"""`pca_reconstruct(X, k)`: the best rank-k reconstruction about the mean."""

import math
from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.observers import tensor_from
from course_lib.exercises.spec import Case, Exercise

HINTS = {
    "images": "You return k numbers for each image, a code. Which matrix makes images of codes?",
    "mean": "The mean over your reconstructions is not the mean image, one value for each pixel. "
    "Where is it subtracted, and where is it added?",
    "directions": "Your reconstructions should vary in k directions: how many columns has V?",
    "reconstruction": "Mean image and number of directions are right, but other images in k "
    "directions are nearer to X. Are they rows or columns of your decomposition, which of them "
    "come first, and is anything scaled?",
}


def cases(seed: int) -> list[Case]:
    g, found = torch.Generator().manual_seed(seed), []
    for N, D, k in ((40, 6, 2), (7, 7, 3), (5, 9, 1), (12, 4, 4), (60, 20, 5)):
        rank, skew = min(N - 1, D), torch.randn(D, D, generator=g).double()
        waves = (torch.arange(N)[:, None] + 0.5) * torch.arange(1, rank + 1) * math.pi / N
        noise = 2**0.5 * waves.double().cos()[torch.randperm(N, generator=g)]  # orthogonal columns
        spread = noise * 0.6 ** torch.arange(rank) + 0.5 + torch.rand(rank, generator=g)
        X = spread @ torch.matrix_exp(skew - skew.T)[:rank]  # along orthonormal rows
        X = X if N < 60 else X.float()
        found.append(Case(f"{N} points in {D} dimensions, {X.dtype}", {"X": X, "k": k}))
    return found


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The reconstructions, from what is simple about them to all of their numbers."""
    X, k = case.args["X"].clone(), case.args["k"]
    result = tensor_from(candidate, *case.args.values())
    found: dict[str, Any] = {"images": result.shape != (len(X), k) or result.shape == X.shape}
    if (result.shape, result.dtype) != (X.shape, X.dtype) or not result.isfinite().all():
        return found | {"result": result}
    moved = (result - X.mean(0)).double()
    found |= {"result": 0 * X, "mean": bool(moved.mean(0).abs().max() < 1e-3)}  # its kind is right
    rank = int(torch.linalg.matrix_rank(moved, atol=1e-2, rtol=0))
    return found | {"directions": f"{rank}", "reconstruction": result}


EXERCISE = Exercise("pca_reconstruct", 2, cases, observe, HINTS, rtol=1e-4, atol=1e-4)
