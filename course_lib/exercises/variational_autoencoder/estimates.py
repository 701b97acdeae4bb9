"""Building blocks of Monte Carlo answers to `kl_monte_carlo`, right and wrong ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from course_lib.distributions import log_normal
from course_lib.exercises.observers import seeded


def normal_noise(shape: tuple[int, ...], g: Generator) -> Tensor:
    """Noise from N(0, I) in this shape."""
    return torch.randn(shape, generator=g, dtype=torch.float64)


def sample_q(mu: Tensor, log_var: Tensor, n: int, g: Generator) -> Tensor:
    """z ~ q(z|x), (S, B, d)."""
    return mu + torch.exp(0.5 * log_var) * normal_noise((n, *mu.shape), g)


def log_ratio(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """log q(z|x) − log p(z), (S, B)."""
    zero = torch.zeros_like(mu)
    return log_normal(z, mu, log_var) - log_normal(z, zero, zero)


def mean_of(
    term: Callable[[Tensor, Tensor, Tensor], Tensor] = log_ratio,
    *,
    sample: Callable = sample_q,
    pool: Callable[[Tensor], Tensor] = lambda ratio: ratio.mean(0),
) -> Callable:
    """A candidate with another integrand, other samples, or another way to average."""
    return lambda mu, log_var, n_samples, generator: pool(
        term(sample(mu, log_var, n_samples, generator), mu, log_var)
    )


def noise_of_shape(shape: Callable[[int, int, int], tuple[int, ...]]) -> Callable:
    """Samples whose noise has this shape of (S, B, d)."""
    return lambda mu, log_var, n, g: (
        mu + torch.exp(0.5 * log_var) * normal_noise(shape(n, *mu.shape), g).expand(n, *mu.shape)
    )


def scaled_by(sigma: Callable[[Tensor], Tensor]) -> Callable:
    """Samples with this in place of σ."""
    return lambda mu, log_var, n, g: mu + sigma(log_var) * normal_noise((n, *mu.shape), g)


def uniform_sample(mu: Tensor, log_var: Tensor, n: int, g: Generator) -> Tensor:
    """Samples with uniform noise."""
    noise = torch.rand(n, *mu.shape, generator=g, dtype=torch.float64)
    return mu + torch.exp(0.5 * log_var) * noise


def with_log_p(log_p: Callable[[Tensor], Tensor]) -> Callable:
    """log q(z|x) minus another log-density than log p(z)."""
    return lambda z, mu, log_var: log_normal(z, mu, log_var) - log_p(z)


def with_log_q(log_q: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable:
    """Another log-density than log q(z|x) minus log p(z)."""
    return lambda z, mu, log_var: log_q(z, mu, log_var) - log_normal(z, 0 * mu, 0 * mu)


def squares(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """Σ (z − μ)²/σ², (S, B)."""
    return ((z - mu) ** 2 * torch.exp(-log_var)).sum(-1)


def closed_form(mu: Tensor, log_var: Tensor, n_samples: int, generator: Generator) -> Tensor:
    """The KL without any sample."""
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)


def own_generator(mu: Tensor, log_var: Tensor, n: int, generator: Generator) -> Tensor:
    """The estimate from a generator that always starts at the same seed."""
    return log_ratio(sample_q(mu, log_var, n, seeded(0)), mu, log_var).mean(0)


def per_latent(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """The log-ratio of every latent, (S, B, d)."""
    parts = (t.unsqueeze(-1) for t in (z, mu, log_var))
    return log_ratio(*parts)
