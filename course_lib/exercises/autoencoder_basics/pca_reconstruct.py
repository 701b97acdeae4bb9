"""`pca_reconstruct(X, k)`: the best rank-k reconstruction about the mean."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake


def _correlated(n: int, D: int, *, generator: torch.Generator) -> Tensor:
    """Data with a large mean and clearly different variances along hidden directions, float64."""
    mix = torch.randn(D, D, generator=generator, dtype=torch.float64)
    scales = 2.0 ** -torch.arange(D, dtype=torch.float64)
    mean = 3 + torch.randn(D, generator=generator, dtype=torch.float64)
    return (
        torch.randn(n, D, generator=generator, dtype=torch.float64) @ (scales[:, None] * mix) + mean
    )


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [
        Case("40 points in 6 dimensions", {"X": _correlated(40, 6, generator=g), "k": 2}),
        Case("as many points as dimensions", {"X": _correlated(7, 7, generator=g), "k": 3}),
        Case("fewer points than dimensions", {"X": _correlated(5, 9, generator=g), "k": 1}),
        Case("every component kept", {"X": _correlated(12, 4, generator=g), "k": 4}),
    ]


def _projected(X: Tensor, directions: Tensor) -> Tensor:
    mean = X.mean(0)
    return (X - mean) @ directions @ directions.T + mean


def _right_vectors(X: Tensor) -> Tensor:
    """Rows are principal directions."""
    return torch.linalg.svd(X - X.mean(0), full_matrices=False)[2]


def _pca_uncentred(X: Tensor, k: int) -> Tensor:
    V = torch.linalg.svd(X, full_matrices=False)[2][:k].T
    return X @ V @ V.T


def _pca_mean_not_removed_before_projecting(X: Tensor, k: int) -> Tensor:
    V = _right_vectors(X)[:k].T
    return X @ V @ V.T


def _pca_project_then_add(X: Tensor, k: int) -> Tensor:
    return _pca_mean_not_removed_before_projecting(X, k) + X.mean(0)


def _pca_rows_of_eigenvectors(X: Tensor, k: int) -> Tensor:
    return _projected(X, torch.linalg.eigh(torch.cov(X.T))[1][-k:].T)


def _pca_flip_rows(X: Tensor, k: int) -> Tensor:
    return _projected(X, torch.linalg.eigh(torch.cov(X.T))[1].flip(0)[:, :k])


def _pca_one_more(X: Tensor, k: int) -> Tensor:
    return _projected(X, _right_vectors(X)[: k + 1].T)


def _pca_one_less(X: Tensor, k: int) -> Tensor:
    return _projected(X, _right_vectors(X)[: k - 1].T)


def _pca_all(X: Tensor, k: int) -> Tensor:
    return _projected(X, _right_vectors(X).T)


def _pca_mean_added_to_uncentred(X: Tensor, k: int) -> Tensor:
    return _pca_uncentred(X, k) + X.mean(0)


def _pca_mean_missing(X: Tensor, k: int) -> Tensor:
    return _projected(X, _right_vectors(X)[:k].T) - X.mean(0)


def _pca_left_vectors(X: Tensor, k: int) -> Tensor:
    return _projected(X, torch.linalg.svd(X - X.mean(0), full_matrices=False)[0][:, :k])


def _pca_columns_of_vh(X: Tensor, k: int) -> Tensor:
    return _projected(X, torch.linalg.svd(X - X.mean(0))[2][:, :k])


def _pca_smallest(X: Tensor, k: int) -> Tensor:
    return _projected(X, torch.linalg.eigh(torch.cov(X.T))[1][:, :k])


def _pca_smallest_rows(X: Tensor, k: int) -> Tensor:
    return _projected(X, _right_vectors(X)[-k:].T)


def _pca_mean_of_rows(X: Tensor, k: int) -> Tensor:
    mean = X.mean(1, keepdim=True)
    V = torch.linalg.svd(X - mean, full_matrices=False)[2][:k].T
    return (X - mean) @ V @ V.T + mean


def _pca_codes(X: Tensor, k: int) -> Tensor:
    return (X - X.mean(0)) @ _right_vectors(X)[:k].T


def _pca_one_mean(X: Tensor, k: int) -> Tensor:
    V = torch.linalg.svd(X - X.mean(), full_matrices=False)[2][:k].T
    return (X - X.mean()) @ V @ V.T + X.mean()


_NO_CENTRING = (
    "Your components are those of uncentred data: subtract the mean image X.mean(0) first."
)
_SMALLEST = (
    "You keep the directions of least variance. `eigh` sorts eigenvalues upwards, so the "
    "principal ones are its last columns; the SVD sorts downwards, so they are its first rows."
)
MISTAKES = (
    Mistake("no centring", _pca_uncentred, _NO_CENTRING),
    Mistake(
        "centred for the components only",
        _pca_mean_not_removed_before_projecting,
        "The components are right, but you project X itself: project X − mean, then add the mean.",
    ),
    Mistake(
        "mean added to projected images",
        _pca_project_then_add,
        "The components are right, but you project X itself: project X − mean, then add the mean.",
    ),
    Mistake("mean added without centring", _pca_mean_added_to_uncentred, _NO_CENTRING),
    Mistake(
        "mean not added back",
        _pca_mean_missing,
        "The differences from the mean are right. Add the mean image back at the end.",
    ),
    Mistake(
        "left singular vectors",
        _pca_left_vectors,
        "You project on left singular vectors, which live in the space of the N images. "
        "Directions among the D pixels are the right singular vectors: rows of `Vh`.",
    ),
    Mistake(
        "columns of Vh",
        _pca_columns_of_vh,
        "`torch.linalg.svd` returns Vᵀ: the principal directions are its first k rows, `Vh[:k]`, "
        "not its first k columns.",
    ),
    Mistake("smallest eigenvectors", _pca_smallest, _SMALLEST),
    Mistake("last rows of Vh", _pca_smallest_rows, _SMALLEST),
    Mistake(
        "rows of the eigenvectors",
        _pca_rows_of_eigenvectors,
        "`torch.linalg.eigh` returns eigenvectors as columns: take the last k columns, `[:, -k:]`.",
    ),
    Mistake(
        "flipped the wrong way",
        _pca_flip_rows,
        "`flip(0)` turns every component upside down; `flip(1)` turns their order.",
    ),
    Mistake("k + 1 components", _pca_one_more, "You keep k + 1 components: `Vh[:k]` has k rows."),
    Mistake("k − 1 components", _pca_one_less, "You keep k − 1 components: `Vh[:k]` has k rows."),
    Mistake("all components", _pca_all, "You keep all components, so k is never used."),
    Mistake(
        "mean of each image",
        _pca_mean_of_rows,
        "You subtract from each image the mean of its own pixels. The mean image is `X.mean(0)`: "
        "one value a pixel.",
    ),
    Mistake(
        "one mean for all",
        _pca_one_mean,
        "You subtract one number, the mean of all pixels of all images. The mean image has one "
        "value a pixel: `X.mean(0)`.",
    ),
    Mistake(
        "codes returned",
        _pca_codes,
        "These are the codes, (N, k). Map them back to pixels: codes @ Vh[:k], plus the mean.",
    ),
)


EXERCISE = Exercise("pca_reconstruct", 2, cases, MISTAKES, rtol=1e-4, atol=1e-5)
