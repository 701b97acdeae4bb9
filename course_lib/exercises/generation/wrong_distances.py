"""Wrong answers to `frechet_distance`, from the parts of the formula."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.spec import Mistake


def _squared(gap: Tensor) -> Tensor:
    return (gap**2).sum()


def _cross(cov1: Tensor, cov2: Tensor) -> Tensor:
    """tr (Σ₁Σ₂)^½."""
    return torch.linalg.eigvals(cov1 @ cov2).real.clamp(min=0).sqrt().sum()


def _with(
    *,
    gap: Callable[[Tensor], Tensor] = _squared,
    cross: Callable[[Tensor, Tensor], Tensor] = _cross,
    trace: Callable[[Tensor], Tensor] = torch.trace,
    join: Callable[[Tensor, Tensor], object] = torch.add,
) -> Callable:
    """A candidate with another distance of the means, another trace of the root, or another sum."""

    def candidate(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> object:
        spread = trace(cov1) + trace(cov2) - 2 * cross(cov1, cov2)
        return join(gap(mu1 - mu2), spread)

    return candidate


def _factor(factor: float) -> Callable:
    return _with(cross=lambda a, b: factor / 2 * _cross(a, b))


def _root(cov: Tensor) -> Tensor:
    """The matrix root of a covariance."""
    values, vectors = torch.linalg.eigh(cov)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


def _matrix_root(cov1: Tensor, cov2: Tensor) -> Tensor:
    values, vectors = torch.linalg.eig(cov1 @ cov2)
    return (vectors @ torch.diag(values.sqrt()) @ torch.linalg.pinv(vectors)).real


def _matrix(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    return _squared(mu1 - mu2) + cov1 + cov2 - 2 * _matrix_root(cov1, cov2)


def _cholesky(cov1: Tensor, cov2: Tensor) -> Tensor:
    left, right = torch.linalg.cholesky(cov1), torch.linalg.cholesky(cov2)
    return torch.linalg.svdvals(left.T @ right).sum()


def _svd_root(cov1: Tensor, cov2: Tensor) -> Tensor:
    U, S, Vh = torch.linalg.svd(cov1 @ cov2)
    return torch.trace(U @ torch.diag(S.sqrt()) @ Vh)


def _padded(eps: float) -> Callable:
    def cross(cov1: Tensor, cov2: Tensor) -> Tensor:
        eye = eps * torch.eye(len(cov1), dtype=cov1.dtype)
        return _cross(cov1 + eye, cov2 + eye)

    return _with(cross=cross)


def _complex(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    roots = torch.linalg.eigvals(cov1 @ cov2).sqrt().sum()
    return _squared(mu1 - mu2) + torch.trace(cov1) + torch.trace(cov2) - 2 * roots


_ELEMENTS = (
    "You take the root of each entry. The root of a matrix is another one, whose *matrix* square "
    "gives it back: its trace is the sum of the roots of the eigenvalues."
)
_SINGULAR = (
    "Where a covariance has less than full rank, rounding makes eigenvalues slightly negative, and "
    "their roots are NaN. Clamp them at 0 first."
)
_DIAGONAL = "You use the variances alone. The covariances count as well: Σ₁Σ₂ is a matrix product."
_MEANS = "The distance of the means is {what}. It is squared: the sum of the squared differences."
_TRIANGLE = "`eigh` and `eigvalsh` read one triangle, as if the matrix were symmetric. Σ₁Σ₂ is not."
_EACH = (
    "You multiply the roots of the two covariances. That is the root of the product only where "
    "they commute: multiply first."
)
MISTAKES = (
    Mistake("root of each entry", _with(cross=lambda a, b: torch.trace(torch.sqrt(a @ b))),
            _ELEMENTS),
    Mistake("root of each entry, NaN to 0",
            _with(cross=lambda a, b: torch.trace(torch.sqrt((a @ b).clamp(min=0)))), _ELEMENTS),
    Mistake("root of each entry before the product",
            _with(cross=lambda a, b: torch.trace(torch.sqrt(a) @ torch.sqrt(b))),
            _ELEMENTS),
    Mistake("sum of all roots", _with(cross=lambda a, b: torch.sqrt(a @ b).sum()),
            _ELEMENTS),
    Mistake("entries multiplied", _with(cross=lambda a, b: torch.trace(torch.sqrt(a * b))),
            f"`*` multiplies entry by entry. {_DIAGONAL}"),
    Mistake("eigenvalues of the entries multiplied",
            _with(cross=lambda a, b: torch.linalg.eigvalsh(a * b).clamp(min=0).sqrt().sum()),
            "`*` multiplies entry by entry. Σ₁Σ₂ is a matrix product: `@`."),
    Mistake("roots multiplied", _with(cross=lambda a, b: torch.trace(_root(a) @ _root(b))), _EACH),
    Mistake("eigenvalues multiplied", _with(cross=lambda a, b: (
            torch.linalg.eigvalsh(a) * torch.linalg.eigvalsh(b)).clamp(min=0).sqrt().sum()),
            "You multiply the eigenvalues of the two, largest with largest. The eigenvalues of a "
            "product are others: multiply the matrices first."),
    Mistake("singular values", _with(cross=lambda a, b: torch.linalg.svdvals(a @ b).sqrt().sum()),
            "You take the singular values of Σ₁Σ₂, which is not symmetric. A trace is the sum of "
            "eigenvalues."),
    Mistake("eigenvalues of a symmetric matrix",
            _with(cross=lambda a, b: torch.linalg.eigvalsh(a @ b).clamp(min=0).sqrt().sum()),
            _TRIANGLE),
    Mistake("symmetric root of the product", _with(cross=lambda a, b: torch.trace(_root(a @ b))),
            _TRIANGLE),
    Mistake("product made symmetric", _with(cross=lambda a, b: torch.trace(_root(
            (a @ b + b @ a) / 2))), "You make Σ₁Σ₂ symmetric by averaging, which changes its "
            "eigenvalues. They are real as it is."),
    Mistake("singular values halved in the exponent", _with(cross=_svd_root),
            "U S^½ Vᵀ is no root of Σ₁Σ₂: U and V differ, as Σ₁Σ₂ is not symmetric. Use "
            "eigenvalues."),
    Mistake("Cholesky of the product",
            _with(cross=lambda a, b: torch.trace(torch.linalg.cholesky(a @ b))),
            "A Cholesky factor L gives L Lᵀ, not L L, and Σ₁Σ₂ is not symmetric. The trace of the "
            "root is the sum of the roots of the eigenvalues."),
    Mistake("matrix_power",
            _with(cross=lambda a, b: torch.trace(torch.linalg.matrix_power(a @ b, 0.5))),
            "`matrix_power` takes whole powers only. The trace of the root is the sum of the roots "
            "of the eigenvalues."),
    Mistake("complex numbers clamped",
            _with(cross=lambda a, b: torch.linalg.eigvals(a @ b).clamp(min=0).sqrt().sum()),
            "`eigvals` gives complex numbers, which have no order and no clamp. Take `.real` "
            "before."),
    Mistake("root of the trace", _with(cross=lambda a, b: torch.trace(a @ b).sqrt()),
            "You take the root of the trace. The trace of the root is asked for: first the root of "
            "the matrix."),
    Mistake("root of the traces", _with(cross=lambda a, b: (torch.trace(a) * torch.trace(b))
            .sqrt()), "You take the root of the product of two traces. Multiply the matrices, "
            "take the root, then the trace."),
    Mistake("no root", _with(cross=lambda a, b: torch.trace(a @ b)),
            "The root is missing: this is tr(Σ₁Σ₂)."),
    Mistake("root twice", _with(cross=lambda a, b: _cross(_root(a), _root(b))),
            "You take the root twice: of the covariances and of their product."),
    Mistake("standard deviations", _with(cross=lambda a, b: _cross(a @ a, b @ b)),
            "You square the covariances first. They are variances already: their product, and "
            "then one root."),
    Mistake("NaN at low rank", _with(cross=lambda a, b: torch.linalg.eigvals(a @ b).real.sqrt()
            .sum()), _SINGULAR),
    Mistake("NaN at low rank, symmetric", _with(cross=lambda a, b: torch.linalg.eigvalsh(
            _root(a) @ b @ _root(a)).sqrt().sum()), _SINGULAR),
    Mistake("Cholesky", _with(cross=_cholesky), "A Cholesky factor exists only at full rank, and "
            "features that are always 0, or few images, make it fail. Use eigenvalues."),
    *(Mistake(f"{eps:g} on the diagonals", _padded(eps), "You add a small number to the diagonals, "
              "and where the rank is not full its root is not small. Clamp eigenvalues instead.")
      for eps in (1e-3, 1e-4, 1e-5, 1e-6)),
    *(Mistake(f"eigenvalues clamped at {eps:g}", _with(cross=lambda a, b, eps=eps: torch.linalg
              .eigvals(a @ b).real.clamp(min=eps).sqrt().sum()), "You clamp the eigenvalues at a "
              "small number. Where many are 0, its root counts many times: clamp at 0.")
      for eps in (1e-3, 1e-4, 1e-6)),
    Mistake("complex", _complex, "Your result is a complex number. The eigenvalues of Σ₁Σ₂ are "
            "real and ≥ 0; what is imaginary is rounding: take the real part."),
    Mistake("norm of the difference", _with(gap=lambda e: e.norm()),
            _MEANS.format(what="not squared")),
    Mistake("absolute differences", _with(gap=lambda e: e.abs().sum()),
            _MEANS.format(what="a sum of absolute values")),
    Mistake("mean square", _with(gap=lambda e: (e**2).mean()),
            _MEANS.format(what="averaged over the dimensions")),
    Mistake("sum squared", _with(gap=lambda e: e.sum() ** 2), _MEANS.format(what="summed before "
            "it is squared, and differences of opposite sign cancel")),
    Mistake("half the means", _with(gap=lambda e: 0.5 * (e**2).sum()), "The distance of the means "
            "is halved. There is no ½ in this formula."),
    Mistake("means subtracted", _with(gap=lambda e: -(e**2).sum()),
            "The distance of the means is subtracted. It is added."),
    Mistake("no means", _with(gap=lambda e: 0 * e.sum()),
            "The distance of the means is missing."),
    Mistake("means alone", _with(join=lambda gap, spread: gap),
            "Only the distance of the means is there: the covariances have no effect."),
    Mistake("root of the whole", _with(join=lambda gap, spread: (gap + spread).sqrt()),
            "This is the distance. Asked for is its square: leave the outer root out."),
    Mistake("root of the spread", _with(join=lambda gap, spread: gap + spread.clamp(min=0).sqrt()),
            "You take the root of the traces as well. Only Σ₁Σ₂ has one."),
    Mistake("half", _with(join=lambda gap, spread: 0.5 * (gap + spread)),
            "Everywhere half of the expected value: there is no ½ in front."),
    Mistake("divided by d", lambda m, a, n, b: _with()(m, a, n, b) / len(m),
            "You divide by the number of dimensions. The squared distance is a sum over them."),
    Mistake("one root only", _factor(1), "(Σ₁Σ₂)^½ counts twice: two Gaussians that are the same "
            "have distance 0."),
    Mistake("root added", _factor(-2), "You add the root of Σ₁Σ₂. It is subtracted: two Gaussians "
            "that are the same have distance 0."),
    Mistake("no root of the product", _factor(0), "The term with (Σ₁Σ₂)^½ is missing: two "
            "Gaussians that are the same have distance 0."),
    Mistake("factor 4", _factor(4), "(Σ₁Σ₂)^½ counts four times. Its factor is 2."),
    Mistake("sum of all entries", _with(trace=torch.sum),
            "You sum all entries of the covariances. The trace sums the diagonal."),
    Mistake("mean of the diagonals", _with(trace=lambda cov: cov.diagonal().mean()),
            "You average the diagonals of the covariances. The trace sums them."),
    Mistake("determinants", _with(trace=torch.det), "You use determinants. The formula has traces, "
            "the sums of the diagonals."),
    Mistake("first trace alone", lambda m, a, n, b: _with()(m, a, n, b) - torch.trace(b),
            "The trace of Σ₂ is missing."),
    Mistake("second trace alone", lambda m, a, n, b: _with()(m, a, n, b) - torch.trace(a),
            "The trace of Σ₁ is missing."),
    Mistake("squared difference of covariances", lambda m, a, n, b: _squared(m - n) + _squared(
            a - b), "This is the squared difference of the covariances, entry by entry. The "
            "formula has their traces and the root of their product."),
    Mistake("no trace", _matrix, "Your result is a matrix: take the trace of it. The means are "
            "added after that."),
)  # fmt: skip
