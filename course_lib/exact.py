"""Models in which every quantity of the course is known: linear-Gaussian, and a mixture.

z ~ N(0, I_d),  x | z ~ N(W z + b, σ² I_D)   ⇒   x ~ N(b, W Wᵀ + σ² I_D).
Source: Tipping & Bishop (1999), "Probabilistic principal component analysis".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from course_lib.distributions import gaussian, kl_full_normal, log_full_normal, log_normal
from course_lib.errors import CourseError


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
        return log_full_normal(x, self.b, self.covariance())

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


@dataclass(frozen=True)
class Mixture:
    """p(x) = Σ_k w_k N(x; m_k, s² I), seen through noise: x̃ = x + σ ε with ε ~ N(0, I).

    x̃ is a mixture too, with s² + σ² for s². w: weights (K,), sum 1; m: means (K, D); s: sd.
    """

    w: Tensor
    m: Tensor
    s: float

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """n draws of x, (n, D)."""
        k = torch.multinomial(self.w, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.m.shape[1], generator=generator, dtype=self.m.dtype)
        return self.m[k] + self.s * noise

    def _log_joint(self, x: Tensor, sigma: float) -> Tensor:
        """log w_k + log N(x; m_k, (s² + σ²) I), (B, D) to (B, K)."""
        log_var = torch.tensor(math.log(self.s**2 + sigma**2), dtype=x.dtype)
        return self.w.log() + log_normal(x[:, None], self.m, log_var)

    def log_density(self, x: Tensor, sigma: float = 0.0) -> Tensor:
        """log p_σ(x) of x with noise of sd σ: (B, D) to (B,) nats."""
        return self._log_joint(x, sigma).logsumexp(1)

    def score(self, x: Tensor, sigma: float = 0.0) -> Tensor:
        """∇ log p_σ(x) = Σ_k p(k | x) (m_k − x) / (s² + σ²): (B, D) to (B, D)."""
        share = self._log_joint(x, sigma).softmax(1)  # (B, K)
        return (share @ self.m - x) / (self.s**2 + sigma**2)

    def denoised(self, noisy: Tensor, sigma: float) -> Tensor:
        """E[x | x̃] = Σ_k p(k | x̃) (σ² m_k + s² x̃) / (s² + σ²): (B, D) to (B, D)."""
        share = self._log_joint(noisy, sigma).softmax(1)  # (B, K)
        return (sigma**2 * (share @ self.m) + self.s**2 * noisy) / (self.s**2 + sigma**2)


def with_spectrum(
    eigenvalues: Tensor, *, data_dim: int, sigma: float, generator: torch.Generator | None = None
) -> LinearGaussian:
    """The model whose data have these eigenvalues of the covariance, in random directions.

    W = U diag(√(λ_j − σ²)), U (D, d) with orthonormal columns; the D − d other eigenvalues are σ².
    eigenvalues: (d,), all above σ², with d ≤ data_dim; raises CourseError otherwise.
    """
    d = len(eigenvalues)
    if d > data_dim or not bool((eigenvalues > sigma**2).all()):
        raise CourseError(f"want at most {data_dim} eigenvalues, each above σ² = {sigma**2:g}")
    noise = torch.randn(data_dim, d, generator=generator, dtype=eigenvalues.dtype)
    U = torch.linalg.qr(noise).Q  # (D, d)
    return LinearGaussian(U * (eigenvalues - sigma**2).sqrt(), 0 * noise[:, 0], sigma)


class LinearVAE(nn.Module):
    """q(z|x) = N(A x + c, diag s²) and p(x|z) = N(W z + b, σ² I): what a linear VAE has to learn.

    s is the same for all x, as it is in the exact posterior; σ is fixed.
    Source: Lucas et al. (2019), "Don't blame the ELBO!".
    """

    def __init__(self, latent_dim: int, *, data_dim: int, sigma: float) -> None:
        super().__init__()
        self.encoder, self.decoder = (
            nn.Linear(data_dim, latent_dim),
            nn.Linear(latent_dim, data_dim),
        )
        self.log_var = nn.Parameter(torch.zeros(latent_dim))  # log s²
        self.sigma = sigma

    def encode(self, x: Tensor) -> Normal:
        """x: (B, D); returns q_z over (B, d)."""
        mu = self.encoder(x)
        return gaussian(mu, self.log_var.expand_as(mu))

    def decode(self, z: Tensor) -> Normal:
        """z: (B, d); returns p_x over (B, D)."""
        return Normal(self.decoder(z), self.sigma, validate_args=False)


class Formula(NamedTuple):
    """A claim: left(*inputs) = right(*inputs) for all inputs that draw(generator) can return."""

    draw: Callable[[torch.Generator], tuple]
    left: Callable[..., Tensor]
    right: Callable[..., Tensor]
