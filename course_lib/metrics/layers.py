"""What each layer of a hierarchical VAE carries, in nats per image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Normal

from course_lib.distributions import kl_full_normal


def one_gaussian_rate(q: Normal) -> float:
    """Mean KL of q(z|x_i) to the one Gaussian that suits all of them best, nats per image.

    (1/N) Σ_i KL(q_i ‖ N(m, C)) with m and C the mean and covariance of z over all images, which
    is the Gaussian of least KL. q: over (N, d), N > d. What a layer above z can save is this rate
    less the KLs of both layers, since p(z) = ∫ p(z|z2) p(z2) dz2 need not be Gaussian.
    """
    mu, variance = q.mean.double(), q.variance.double()
    centred = mu - mu.mean(0)
    cov = centred.T @ centred / len(mu) + torch.diag(variance.mean(0))
    own: Tensor = torch.diag_embed(variance)
    return float(kl_full_normal(mu, own, mu.mean(0), cov).mean())
