"""What the rate of a VAE is made of: information about the image, and distance from the prior."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from course_lib.distributions import kl_normal


class AggregateTerms(NamedTuple):
    """Nats per image, with rate = information + mismatch."""

    rate: float
    information: float
    mismatch: float


@torch.no_grad()
def aggregate_posterior_terms(
    mu: Tensor, log_var: Tensor, generator: Generator, *, n_samples: int = 1
) -> AggregateTerms:
    """E_x KL(q(z|x) ‖ p) = I_q(x; z) + KL(q(z) ‖ p) for N images, with p = N(0, I), in nats.

    q(z) = (1/N) Σ_j q(z|x_j), all N of them, is the aggregated posterior. The rate is a closed
    form, the information the mean of log q(z|x_i) − log q(z) over `n_samples` draws z ~ q(z|x_i)
    per image, the mismatch their difference. For these N images the information is unbiased. It
    cannot exceed log N, as N images cannot be told apart by more; of the distribution that they
    are drawn from it estimates a lower bound, close where it is well below log N.

    mu, log_var: (N, d) of q(z|x) = N(μ, σ²), log_var = log σ². Time and memory grow with N² and N.
    Source: Hoffman & Johnson (2016), "ELBO surgery"; the bound: Poole et al. (2019).
    """
    mu, log_var = mu.cpu().double(), log_var.cpu().double()
    zero = torch.zeros_like(mu)
    rate = kl_normal(mu, log_var, zero, zero).mean()
    found = []
    for _ in range(n_samples):
        eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        z = mu + torch.exp(0.5 * log_var) * eps  # (N, d)
        for index in torch.arange(len(mu)).split(500):
            log_q = _log_densities(z[index], mu, log_var)  # (500, N), log q(z_i|x_j)
            log_mixture = torch.logsumexp(log_q, 1) - math.log(len(mu))
            found.append(log_q.gather(1, index[:, None])[:, 0] - log_mixture)
    information = torch.cat(found).mean()
    return AggregateTerms(rate.item(), information.item(), (rate - information).item())


def _log_densities(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """log N(z_i; μ_j, σ_j²), by products of matrices: (B, d), (N, d), (N, d) to (B, N)."""
    precision = torch.exp(-log_var)
    squares = z**2 @ precision.T - 2 * z @ (mu * precision).T + (mu**2 * precision).sum(1)
    return -0.5 * (squares + (log_var + math.log(2 * math.pi)).sum(1))
