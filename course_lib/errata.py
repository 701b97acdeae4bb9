"""Random inputs and true sides for claims about KL, ELBO and cross-entropy that may be wrong.

A claim and its true side make a `Formula`; everything is float64, one value per row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.exact import LinearGaussian

ONE = torch.ones(1, 1, dtype=torch.float64)
TINY = LinearGaussian(ONE, torch.zeros(1, dtype=torch.float64), sigma=1.0)  # x|z ~ N(z, 1)


def some_q(generator: Generator) -> tuple[Tensor, Tensor]:
    """Random mu, log_var: (4, 3) each."""
    return tuple(torch.randn(2, 4, 3, generator=generator, dtype=torch.float64))


def some_x(generator: Generator) -> tuple[Tensor]:
    """Grey pixels, (4, 6) in (0, 1)."""
    return (torch.rand(4, 6, generator=generator, dtype=torch.float64),)


def some_q_and_x(generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """mu, log_var of q, and x of the smallest model: (4, 1) each."""
    return tuple(torch.randn(3, 4, 1, generator=generator, dtype=torch.float64))


def some_q_and_noise(generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """mu, log_var and eps: (4, 3) each."""
    return tuple(torch.randn(3, 4, 3, generator=generator, dtype=torch.float64))


def some_batch(generator: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x in (0, 1) and logits: (4, 50); mu and log_var: (4, 3)."""
    x = torch.rand(4, 50, generator=generator, dtype=torch.float64)
    logits = torch.randn(4, 50, generator=generator, dtype=torch.float64)
    return x, logits, *some_q(generator)


def kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """PyTorch's own KL(N(μ, σ²) ‖ N(0, I)). (B, d) each, to (B,) nats."""
    q = Normal(mu, (0.5 * log_var).exp())
    return kl_divergence(q, Normal(torch.zeros_like(mu), 1.0)).sum(-1)


def own_cross_entropy(x: Tensor) -> Tensor:
    """Cross-entropy of x̂ = x, the entropy of grey pixels. (B, D) to (B,) nats."""
    return F.binary_cross_entropy(x, x, reduction="none").sum(1)


def tiny_elbo(mu: Tensor, log_var: Tensor, x: Tensor) -> Tensor:
    """The ELBO of z ~ N(0, 1), x|z ~ N(z, 1), in closed form. (B, 1) each, to (B,) nats."""
    return TINY.elbo(x, mu, torch.diag_embed(log_var.exp()))


def density_of_q(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    """q(z|x) = N(z; μ, σ²) at z = μ + σε. (B, d) each, to (B,)."""
    sigma = (0.5 * log_var).exp()
    return Normal(mu, sigma).log_prob(mu + sigma * eps).sum(-1).exp()


def two_point_mean(f: Callable[[Tensor], Tensor], mu: Tensor, log_var: Tensor) -> Tensor:
    """E_q[f(z)] = ½ f(μ − σ) + ½ f(μ + σ), exact for polynomials in z up to the third degree.

    f: (B, 1) to (B,); mu, log_var: (B, 1) of q = N(μ, σ²), one latent. Returns (B,).
    """
    sigma = (0.5 * log_var).exp()
    return 0.5 * (f(mu - sigma) + f(mu + sigma))
