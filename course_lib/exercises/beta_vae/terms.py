"""Building blocks of answers to `rate_distortion`."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def kl_terms(mu: Tensor, log_var: Tensor) -> Tensor:
    """The KL of each latent, (B, d)."""
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var)


def cross_entropy(x: Tensor, logits: Tensor) -> Tensor:
    """−log p(x|z) of each pixel, (B, D)."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def pair_of(
    rate: Callable[[Tensor, Tensor], Tensor] = lambda mu, log_var: kl_terms(mu, log_var).sum(1),
    distortion: Callable[[Tensor, Tensor], Tensor] = lambda x, logits: cross_entropy(x, logits).sum(
        1
    ),
    *,
    pool: Callable[[Tensor], Tensor] = lambda terms: terms.mean(),
) -> Callable:
    """A candidate with another rate, another distortion, or another way to pool a batch."""
    return lambda x, logits, mu, log_var: (pool(rate(mu, log_var)), pool(distortion(x, logits)))
