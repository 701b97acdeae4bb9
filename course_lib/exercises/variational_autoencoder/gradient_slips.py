"""Slips that both gradient estimators share: how the noise is drawn, and the pathwise estimator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from course_lib.exercises.observers import seeded
from course_lib.exercises.spec import Mistake
from course_lib.exercises.variational_autoencoder.observe import (
    FROM_GENERATOR,
    NOISE_HINTS,
    OTHER_NOISE,
)

_N_SAMPLES = (
    "`f` is not asked about `n_samples` points: draw that many, (S, d), whatever the number is."
)


def draw(mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    """z = μ + σ ε, samples of q: (S, d)."""
    return mu + torch.exp(0.5 * log_var) * noise


def pathwise(
    sample: Callable[[Tensor, Tensor, Tensor], Tensor] = draw,
    *,
    pool: Callable[[Tensor], Tensor] = torch.mean,
    wrt: str = "mu",
) -> Callable:
    """The gradient of the pooled f at these samples, with respect to `mu` or `log_var`."""

    def estimator(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
        leaves = {"mu": mu.clone().requires_grad_(), "log_var": log_var.clone().requires_grad_()}
        value = pool(f(sample(leaves["mu"], leaves["log_var"], noise)))
        return torch.autograd.grad(value, leaves[wrt])[0]

    return noisy(estimator)


def _gaussian(mu: Tensor, n: int, g: Generator | None) -> Tensor:
    return torch.randn(n, len(mu), generator=g, dtype=mu.dtype)


def noisy(
    estimator: Callable, noise: Callable[[Tensor, int, Generator], Tensor] = _gaussian
) -> Callable:
    """A candidate out of estimator(f, mu, log_var, noise), noise: (S, d).

    noise: made from (mu, n_samples, generator); by default as it should be.
    """
    return lambda f, mu, log_var, n_samples, generator: estimator(
        f, mu, log_var, noise(mu, n_samples, generator)
    )


_SEED = NOISE_HINTS[OTHER_NOISE]
_NOISES = (
    ("global noise", lambda mu, n, g: _gaussian(mu, n, None), NOISE_HINTS[FROM_GENERATOR]),
    ("seed of its own", lambda mu, n, g: _gaussian(mu, n, seeded(0)), _SEED),
    ("generator set back", lambda mu, n, g: _gaussian(mu, n, g.manual_seed(0)), _SEED),
    ("one sample", lambda mu, n, g: _gaussian(mu, 1, g), _N_SAMPLES),
    ("always ten", lambda mu, n, g: _gaussian(mu, 10, g), _N_SAMPLES),
    (
        "one noise for all samples",
        lambda mu, n, g: _gaussian(mu, 1, g).expand(n, -1),
        "All samples share one noise, so `f` is asked n_samples times about the same z. Draw "
        "(S, d) numbers.",
    ),
    (
        "one noise for all latents",
        lambda mu, n, g: _gaussian(mu[:1], n, g).expand(-1, len(mu)),
        "All latents of a sample share one noise, so z moves along a line only. Draw (S, d) "
        "numbers.",
    ),
    (
        "uniform noise",
        lambda mu, n, g: torch.rand(n, len(mu), generator=g, dtype=mu.dtype),
        "Your noise is uniform (`torch.rand`). Gaussian noise is `torch.randn`.",
    ),
)


def slips_of_noise(right: Callable) -> tuple[Mistake, ...]:
    """Mistakes in the noise of an estimator `right(f, mu, log_var, noise)`; noise: (S, d)."""
    return tuple(Mistake(name, noisy(right, noise), hint) for name, noise, hint in _NOISES)
