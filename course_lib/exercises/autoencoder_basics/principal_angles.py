"""`principal_angles(W, V)`: the angles between two column spaces."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    W, V = (torch.randn(8, 3, generator=g, dtype=torch.float64) for _ in range(2))
    line = torch.randn(8, 1, generator=g, dtype=torch.float64)
    mixes = torch.randn(6, 20, 20, generator=g, dtype=torch.float64)
    spans = torch.randn(6, 40, 20, generator=g, dtype=torch.float64)
    same = [
        Case("the same span in another basis", {"W": span, "V": span @ mix})
        for span, mix in zip(spans, mixes, strict=True)
    ]
    eye = torch.eye(5, dtype=torch.float64)
    return [
        Case("two random spans", {"W": W, "V": V}),
        Case("a line and a three-dimensional span", {"W": line, "V": V}),
        Case("perpendicular spans", {"W": 2 * eye[:, :2], "V": 3 * eye[:, 2:4]}),
        *same,
    ]


def _cosines(W: Tensor, V: Tensor) -> Tensor:
    return torch.linalg.svdvals(torch.linalg.qr(W)[0].T @ torch.linalg.qr(V)[0]).clamp(max=1)


def _angles_no_basis(W: Tensor, V: Tensor) -> Tensor:
    return torch.rad2deg(torch.acos(torch.linalg.svdvals(W.T @ V).clamp(max=1)))


def _angles_columns_normed(W: Tensor, V: Tensor) -> Tensor:
    product = F.normalize(W, dim=0).T @ F.normalize(V, dim=0)
    return torch.rad2deg(torch.acos(torch.linalg.svdvals(product).clamp(max=1)))


def _angles_between_columns(W: Tensor, V: Tensor) -> Tensor:
    k = min(W.shape[1], V.shape[1])
    cosines = F.cosine_similarity(W[:, :k], V[:, :k], dim=0)
    return torch.rad2deg(torch.acos(cosines.clamp(-1, 1))).sort().values


def _angles_one_basis(W: Tensor, V: Tensor) -> Tensor:
    cosines = torch.linalg.svdvals(torch.linalg.qr(W)[0].T @ V).clamp(max=1)
    return torch.rad2deg(torch.acos(cosines))


def _angles_diagonal(W: Tensor, V: Tensor) -> Tensor:
    cosines = (torch.linalg.qr(W)[0].T @ torch.linalg.qr(V)[0]).diagonal()
    return torch.rad2deg(torch.acos(cosines.clamp(-1, 1))).sort().values


def _angles_complete(W: Tensor, V: Tensor) -> Tensor:
    Q_W, Q_V = (torch.linalg.qr(M, mode="complete")[0] for M in (W, V))
    return torch.rad2deg(torch.acos(torch.linalg.svdvals(Q_W.T @ Q_V).clamp(max=1)))


def _angles_radians(W: Tensor, V: Tensor) -> Tensor:
    return torch.acos(_cosines(W, V))


def _angles_unclamped(W: Tensor, V: Tensor) -> Tensor:
    product = torch.linalg.qr(W)[0].T @ torch.linalg.qr(V)[0]
    return torch.rad2deg(torch.acos(torch.linalg.svdvals(product)))


def _angles_descending(W: Tensor, V: Tensor) -> Tensor:
    return torch.rad2deg(torch.acos(_cosines(W, V))).flip(0)


def _angles_cosines(W: Tensor, V: Tensor) -> Tensor:
    return _cosines(W, V)


def _angles_sines(W: Tensor, V: Tensor) -> Tensor:
    return torch.rad2deg(torch.asin(_cosines(W, V))).sort().values


_NO_BASIS = (
    "The columns of W and V are not orthonormal, and their lengths and angles leak into the "
    "result. Take an orthonormal basis of each span first: `Q, _ = torch.linalg.qr(W)`."
)
_NAN = (
    "Where the spans agree, rounding makes a cosine a little larger than 1, and its arccosine is "
    "NaN. Clamp the cosines to at most 1 before `torch.acos`."
)
MISTAKES = (
    Mistake("no orthonormal basis", _angles_no_basis, _NO_BASIS),
    Mistake("columns only normalised", _angles_columns_normed, _NO_BASIS),
    Mistake(
        "column against column",
        _angles_between_columns,
        "You compare column i of W with column i of V. A span has many bases: the angles come from "
        "the singular values of Q_Wᵀ Q_V, with orthonormal bases of both spans.",
    ),
    Mistake("only one basis", _angles_one_basis, _NO_BASIS),
    Mistake(
        "diagonal",
        _angles_diagonal,
        "You read the diagonal of Q_Wᵀ Q_V, column against column. The cosines are its singular "
        "values: `torch.linalg.svdvals`.",
    ),
    Mistake(
        "whole space",
        _angles_complete,
        'With `mode="complete"` Q spans all D dimensions, and every angle is 0. Take the first k '
        "columns, as `torch.linalg.qr` gives them by default.",
    ),
    Mistake("radians", _angles_radians, "These are radians: convert with `torch.rad2deg`."),
    Mistake("NaN where spans agree", _angles_unclamped, _NAN),
    Mistake(
        "descending",
        _angles_descending,
        "The angles are right, but they come from large to small. Smallest angle first.",
    ),
    Mistake(
        "cosines",
        _angles_cosines,
        "These are the cosines of the angles: take `torch.acos`, then degrees.",
    ),
    Mistake(
        "sines",
        _angles_sines,
        "The singular values of Q_Wᵀ Q_V are cosines, not sines: use `torch.acos`.",
    ),
)


EXERCISE = Exercise("principal_angles", 3, cases, MISTAKES, rtol=1e-5, atol=0.1)
