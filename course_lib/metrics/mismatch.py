"""How far codes are from the prior, as far as a mean and a covariance tell."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.errors import CourseError


def gaussian_mismatch(z: Tensor) -> float:
    """KL(N(m, Σ) ‖ N(0, I)) = ½ (tr Σ + ‖m‖² − d − log det Σ) of the codes z, in nats.

    z: (N, d), draws from q(z), N > d. No density with this mean and covariance is nearer to the
    prior, so it is the least that KL(q(z) ‖ p) can be. N draws make log det of the sample's Σ too
    small; for Gaussian z the mean error is known, Σᵢ ψ((N − i)/2) + d log 2/(N − 1) for i = 1…d,
    and taken off, as are those of m and of ‖m‖².
    """
    n, d = z.shape
    if n <= d:
        raise CourseError(f"{n} codes of {d} latents: their covariance has no full rank")
    z = z.cpu().double()
    mean, cov = z.mean(0), torch.cov(z.T).reshape(d, d)
    half = torch.arange(n - 1, n - 1 - d, -1, dtype=torch.float64) / 2
    bias = torch.digamma(half).sum() + d * math.log(2 / (n - 1))
    squared_mean = (mean**2).sum() - cov.trace() / n
    log_det = torch.linalg.slogdet(cov).logabsdet - bias
    return (0.5 * (cov.trace() + squared_mean - d - log_det)).item()
