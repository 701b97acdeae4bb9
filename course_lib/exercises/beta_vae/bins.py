"""Answers to `mutual_information_gap` that cut the latents into other bins."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.beta_vae.information import equal_bins, mig_with
from course_lib.exercises.spec import Mistake


def _part(z: Tensor) -> Tensor:
    """Where a code lies between the least, 0, and the largest, 1, of its latent."""
    low, high = z.min(0).values, z.max(0).values
    return (z - low) / (high - low).clamp(min=1e-12)


def _between(z: Tensor, low: Tensor | float, high: Tensor | float, *, n: int) -> Tensor:
    """Bins of a given range; what lies outside counts in the first and the last."""
    return ((z - low) / (high - low) * n).long().clamp(0, n - 1)


def _quantiles(z: Tensor, n: int) -> Tensor:
    return z.argsort(0).argsort(0) * n // len(z)


def _between_quantiles(z: Tensor, n: int, *, right: bool) -> Tensor:
    inner = torch.linspace(0, 1, n + 1, dtype=z.dtype)[1:-1]
    edges = z.quantile(inner, 0).T.contiguous()
    return torch.searchsorted(edges, z.T.contiguous(), right=right).T


def _standardised(z: Tensor, n: int) -> Tensor:
    return _between((z - z.mean(0)) / z.std(0).clamp(min=1e-12), -3.0, 3.0, n=n)


def _each_value(z: Tensor, n: int) -> Tensor:
    return torch.stack([column.unique(return_inverse=True)[1] for column in z.T], 1)


def _of_images(z: Tensor, n: int) -> Tensor:
    low, high = z.min(1, keepdim=True).values, z.max(1, keepdim=True).values
    return _between(z, low, high, n=n)


def _noisy(z: Tensor, n: int) -> Tensor:
    return equal_bins(z + z.std(0) * torch.randn_like(z), n)


_COUNTS = (
    "Your bins hold equally many codes, as quantiles do. The exercise asks for intervals of equal "
    "width."
)
_EDGES = "n_bins intervals have n_bins + 1 edges, both ends included."
_RANGE = "Every latent is cut between its own least and largest value, wherever they lie."
_ROUND = (
    "You round to the nearest bin, so the first and the last are only half as wide. Round down."
)
BINS = (
    Mistake("equal counts", mig_with(_quantiles), _COUNTS),
    *(
        Mistake(
            f"between quantiles, {side} open",
            mig_with(lambda z, n, right=right: _between_quantiles(z, n, right=right)),
            _COUNTS,
        )
        for side, right in (("right", True), ("left", False))
    ),
    Mistake(
        "one range for all latents",
        mig_with(lambda z, n: _between(z, z.min(), z.max(), n=n)),
        f"You cut all latents by one range. {_RANGE}",
    ),
    *(
        Mistake(
            f"range from {low:g} to {high:g}",
            mig_with(lambda z, n, low=low, high=high: _between(z, low, high, n=n)),
            f"The range of your bins is fixed from {low:g} to {high:g}. {_RANGE}",
        )
        for low, high in ((-3.0, 3.0), (-4.0, 4.0), (-5.0, 5.0), (-1.0, 1.0), (0.0, 1.0))
    ),
    Mistake(
        "standardised",
        mig_with(_standardised),
        f"You cut standardised codes between −3 and 3. {_RANGE}",
    ),
    Mistake(
        "range of each image",
        mig_with(_of_images),
        "You take least and largest value over dimension 1, the latents of one image. Take them "
        "over the images, dimension 0.",
    ),
    Mistake(
        "a bin for the largest",
        mig_with(lambda z, n: (_part(z) * n).long()),
        "The largest value of each latent gets a bin of its own, number n_bins. It belongs to the "
        "last interval.",
    ),
    Mistake(
        "one interval less",
        mig_with(lambda z, n: equal_bins(z, n - 1)),
        f"You cut into n_bins − 1 intervals. {_EDGES}",
    ),
    Mistake(
        "one interval less, and a bin for the largest",
        mig_with(lambda z, n: (_part(z) * (n - 1)).long()),
        "You scale to n_bins − 1 and round down, so the last bin holds the largest value alone. "
        f"{_EDGES}",
    ),
    Mistake(
        "one interval more",
        mig_with(lambda z, n: equal_bins(z, n + 1)),
        f"You cut into n_bins + 1 intervals. {_EDGES}",
    ),
    Mistake("rounded", mig_with(lambda z, n: (_part(z) * (n - 1)).round().long()), _ROUND),
    Mistake(
        "rounded, one more",
        mig_with(lambda z, n: (_part(z) * n).round().long()),
        f"{_ROUND} And yours are n_bins + 1.",
    ),
    *(
        Mistake(
            f"always {fixed} bins",
            mig_with(lambda z, n, fixed=fixed: equal_bins(z, fixed)),
            f"Your number of bins is always {fixed}. Use `n_bins`.",
        )
        for fixed in (10, 20)
    ),
    Mistake(
        "not cut",
        mig_with(_each_value),
        "You count every value of z as a bin of its own. Then each latent determines every factor "
        "and the gap is 0: cut into intervals first.",
    ),
    Mistake(
        "whole part",
        mig_with(lambda z, n: z.long()),
        f"You cut z at whole numbers. {_RANGE}",
    ),
    Mistake(
        "rounded to whole numbers",
        mig_with(lambda z, n: z.round().long()),
        f"You round z to whole numbers. {_RANGE}",
    ),
    Mistake(
        "noise",
        mig_with(_noisy),
        "Two calls with the same codes give two scores. No random numbers are needed, and "
        "nothing may stay behind from one call to the next.",
    ),
)
