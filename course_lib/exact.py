"""The linear-Gaussian latent-variable model, in which every quantity of the course is known.

z ~ N(0, I_d),  x | z ~ N(W z + b, σ² I_D)   ⇒   x ~ N(b, W Wᵀ + σ² I_D).
Source: Tipping & Bishop (1999), "Probabilistic principal component analysis".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from course_lib.distributions import kl_full_normal, log_normal


@dataclass(frozen=True)
class LinearGaussian:
    """W: (D, d), b: (D,), sigma: the decoder's standard deviation."""

    W: Tensor
    b: Tensor
    sigma: float

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n pairs z ~ N(0, I), x | z: (n, d) and (n, D)."""
        D, d = self.W.shape
        z = torch.randn(n, d, generator=generator, dtype=self.W.dtype)
        noise = torch.randn(n, D, generator=generator, dtype=self.W.dtype)
        return z, z @ self.W.T + self.b + self.sigma * noise

    def covariance(self) -> Tensor:
        """W Wᵀ + σ² I, (D, D)."""
        return self.W @ self.W.T + self.sigma**2 * torch.eye(len(self.b), dtype=self.W.dtype)

    def log_lik(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) = log N(x; W z + b, σ² I). (…, D) and (…, d), broadcast, to (…) nats."""
        log_var = torch.tensor(2 * math.log(self.sigma), dtype=x.dtype)
        return log_normal(x, z @ self.W.T + self.b, log_var)

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) = log N(x; b, W Wᵀ + σ² I). (B, D) to (B,) nats."""
        return MultivariateNormal(self.b, self.covariance()).log_prob(x)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """p(z | x) = N(M⁻¹Wᵀ(x−b), σ² M⁻¹) with M = WᵀW + σ² I: mean (B, d), covariance (d, d)."""
        M = self.W.T @ self.W + self.sigma**2 * torch.eye(self.W.shape[1], dtype=self.W.dtype)
        inverse = torch.linalg.inv(M)
        return (x - self.b) @ self.W @ inverse, self.sigma**2 * inverse

    def elbo(self, x: Tensor, mu: Tensor, cov: Tensor) -> Tensor:
        """E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)) for q = N(μ, Σ), in closed form.

        E_q‖x − Wz − b‖² = ‖x − Wμ − b‖² + tr(W Σ Wᵀ).
        x: (B, D), mu: (B, d), cov: (d, d) or (B, d, d); returns (B,) nats.
        """
        D, d = self.W.shape
        residual = ((x - mu @ self.W.T - self.b) ** 2).sum(-1)
        spread = torch.einsum("ij,...jk,ik->...", self.W, cov, self.W)
        log_lik = -0.5 * ((residual + spread) / self.sigma**2)
        log_lik = log_lik - 0.5 * D * math.log(2 * math.pi * self.sigma**2)
        eye = torch.eye(d, dtype=self.W.dtype)
        return log_lik - kl_full_normal(mu, cov, torch.zeros(d, dtype=self.W.dtype), eye)


class Formula(NamedTuple):
    """A claim: left(*inputs) = right(*inputs) for all inputs that draw(generator) can return."""

    draw: Callable[[torch.Generator], tuple]
    left: Callable[..., Tensor]
    right: Callable[..., Tensor]
