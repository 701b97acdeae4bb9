"""Chains of latents whose evidence is known: two layers, and the diffusion of Gaussian data.

A hierarchical ELBO, E_q[log p(x|z1)] − KL(q(z2|x) ‖ p(z2)) − E_q[KL(q(z1|z2, x) ‖ p(z1|z2))], can
be held against log p(x) here, and its gap against the KL to the exact posterior. All in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal

from course_lib.distributions import kl_full_normal, log_full_normal
from course_lib.errors import CourseError


class TopDown(NamedTuple):
    """q(z2|x) = N(mu2, cov2) and q(z1|z2, x) = N(mu1 + gain z2, cov1), of B images.

    mu2: (B, d2), cov2: (d2, d2), gain: (d1, d2), mu1: (B, d1), cov1: (d1, d1).
    """

    mu2: Tensor
    cov2: Tensor
    gain: Tensor
    mu1: Tensor
    cov1: Tensor


class LayerTerms(NamedTuple):
    """The terms of a hierarchical ELBO, (B,) each: ELBO = log_lik − kl_upper − kl_lower."""

    log_lik: Tensor
    kl_upper: Tensor
    kl_lower: Tensor


@dataclass(frozen=True)
class LinearChain:
    """z2 ~ N(0, I), z1 | z2 ~ N(A z2 + a, S1), x | z1 ~ N(B z1 + b, S0).

    A: (d1, d2), a: (d1,), S1: (d1, d1), B: (D, d1), b: (D,), S0: (D, D).
    """

    A: Tensor
    a: Tensor
    S1: Tensor
    B: Tensor
    b: Tensor
    S0: Tensor

    def sample(
        self, n: int, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """n draws of z2, z1 | z2 and x | z1: (n, d2), (n, d1), (n, D)."""
        z2, eps1, eps0 = (
            torch.randn(n, size, generator=generator, dtype=self.A.dtype)
            for size in (self.A.shape[1], *self.B.T.shape)
        )
        z1 = z2 @ self.A.T + self.a + eps1 @ torch.linalg.cholesky(self.S1).T
        return z2, z1, z1 @ self.B.T + self.b + eps0 @ torch.linalg.cholesky(self.S0).T

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) = log N(x; B a + b, B (A Aᵀ + S1) Bᵀ + S0). (B, D) to (B,) nats."""
        cov = self.B @ (self.A @ self.A.T + self.S1) @ self.B.T + self.S0
        return log_full_normal(x, self.B @ self.a + self.b, cov)

    def posterior(self, x: Tensor) -> TopDown:
        """The exact p(z2|x) and p(z1|z2, x), from the top.

        cov1 = (S1⁻¹ + Bᵀ S0⁻¹ B)⁻¹, the mean cov1 (S1⁻¹ (A z2 + a) + Bᵀ S0⁻¹ (x − b));
        cov2 = (I + Wᵀ V⁻¹ W)⁻¹ with W = B A, V = B S1 Bᵀ + S0, the mean cov2 Wᵀ V⁻¹ (x − B a − b).
        """
        of_prior, of_x = torch.linalg.inv(self.S1), torch.linalg.solve(self.S0, self.B).T
        cov1 = torch.linalg.inv(of_prior + of_x @ self.B)
        mu1 = (of_prior @ self.a + (x - self.b) @ of_x.T) @ cov1
        W = self.B @ self.A
        back = torch.linalg.solve(self.B @ self.S1 @ self.B.T + self.S0, W).T  # Wᵀ V⁻¹
        cov2 = torch.linalg.inv(torch.eye(len(back), dtype=W.dtype) + back @ W)
        mu2 = (x - self.B @ self.a - self.b) @ back.T @ cov2
        return TopDown(mu2, cov2, cov1 @ of_prior @ self.A, mu1, cov1)

    def terms(self, x: Tensor, q: TopDown) -> LayerTerms:
        """The terms of the hierarchical ELBO at any q, in closed form. (B, D) to (B,) nats each."""
        eye = torch.eye(self.A.shape[1], dtype=self.A.dtype)
        kl_upper = kl_full_normal(q.mu2, q.cov2, torch.zeros_like(q.mu2), eye)
        mean = q.mu1 + q.mu2 @ q.gain.T  # of z1 given x
        cov = q.cov1 + q.gain @ q.cov2 @ q.gain.T
        log_lik = log_full_normal(x, mean @ self.B.T + self.b, self.S0)
        spread = torch.trace(torch.linalg.solve(self.S0, self.B @ cov @ self.B.T))
        kl_lower = expected_kl(q, gain=self.A, mu=self.a, cov=self.S1)
        return LayerTerms(log_lik - 0.5 * spread, kl_upper, kl_lower)

    def gap(self, x: Tensor, q: TopDown) -> Tensor:
        """log p(x) − ELBO = KL(q(z2, z1|x) ‖ p(z2, z1|x)), layer by layer. (B, D) to (B,) nats."""
        p = self.posterior(x)
        upper = kl_full_normal(q.mu2, q.cov2, p.mu2, p.cov2)
        return upper + expected_kl(q, gain=p.gain, mu=p.mu1, cov=p.cov1)


def expected_kl(q: TopDown, *, gain: Tensor, mu: Tensor, cov: Tensor) -> Tensor:
    """E_{z2 ~ q} KL(q(z1|z2, x) ‖ N(mu + gain z2, cov)), (B,) nats.

    The KL at the mean of z2, and ½ tr(cov⁻¹ Δ cov2 Δᵀ) with Δ = q.gain − gain.
    """
    at_mean = kl_full_normal(q.mu1 + q.mu2 @ q.gain.T, q.cov1, mu + q.mu2 @ gain.T, cov)
    delta = q.gain - gain
    return at_mean + 0.5 * torch.trace(torch.linalg.solve(cov, delta @ q.cov2 @ delta.T))


def aligned_chain(d1: int, d2: int, data_dim: int, *, generator: torch.Generator) -> LinearChain:
    """A random chain in float64 whose exact posteriors have diagonal covariances.

    A has one number a column, the columns of B are orthogonal, S1 is diagonal and S0 = σ² I.
    Raises CourseError unless d2 ≤ d1 ≤ data_dim.
    """
    if not d2 <= d1 <= data_dim:
        raise CourseError(f"want d2 ≤ d1 ≤ data_dim, not {d2}, {d1}, {data_dim}")

    def uniform(n: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator, dtype=torch.float64)

    noise = torch.randn(data_dim, d1 + 2, generator=generator, dtype=torch.float64)
    A = torch.zeros(d1, d2, dtype=torch.float64)
    A[:d2] = torch.diag(uniform(d2, 0.8, 1.6))
    B = torch.linalg.qr(noise[:, :d1]).Q * uniform(d1, 0.7, 1.5)
    S0 = float(uniform(1, 0.2, 0.5)) * torch.eye(data_dim, dtype=torch.float64)
    S1 = torch.diag(uniform(d1, 0.2, 0.6))
    return LinearChain(A, uniform(d1, -1, 1), S1, B, noise[:, -1], S0)


class ChainVAE:
    """A chain, and any q for it, as the four distributions of `models.HierarchicalVAE`.

    infer: from x (B, D) to a `TopDown` of diagonal covariances; by default the exact posterior.
    """

    def __init__(
        self, chain: LinearChain, infer: Callable[[Tensor], TopDown] | None = None
    ) -> None:
        self.chain, self.infer = chain, infer or chain.posterior

    def bottom_up(self, x: Tensor) -> Tensor:
        """x itself: (B, D)."""
        return x

    def q_z2(self, h: Tensor) -> Normal:
        """q(z2|x) over (B, d2)."""
        q = self.infer(h)
        return _diagonal(q.mu2, q.cov2)

    def p_z1(self, z2: Tensor) -> Normal:
        """p(z1|z2) over (B, d1)."""
        return _diagonal(z2 @ self.chain.A.T + self.chain.a, self.chain.S1)

    def q_z1(self, h: Tensor, z2: Tensor) -> Normal:
        """q(z1|z2, x) over (B, d1)."""
        q = self.infer(h)
        return _diagonal(q.mu1 + z2 @ q.gain.T, q.cov1)

    def p_x(self, z1: Tensor) -> Normal:
        """p(x|z1) over (B, D)."""
        return _diagonal(z1 @ self.chain.B.T + self.chain.b, self.chain.S0)


def _diagonal(mu: Tensor, cov: Tensor) -> Normal:
    """N(mu, cov) as independent numbers. Raises CourseError where they are not."""
    variance = cov.diagonal()
    if not torch.allclose(cov, torch.diag(variance), atol=1e-9 * float(variance.max())):
        raise CourseError("this covariance is not diagonal: see `aligned_chain`")
    return Normal(mu, variance.sqrt().expand_as(mu), validate_args=False)


def sigma_points(n: int) -> Tensor:
    """2n points ±√n e_i, (2n, n), float64, over which a quadratic has its mean under N(0, I).

    Source: Arasaratnam & Haykin (2009), "Cubature Kalman filters", equation 20 with its weights.
    """
    eye = math.sqrt(n) * torch.eye(n, dtype=torch.float64)
    return torch.cat([eye, -eye])


class DiffusionTerms(NamedTuple):
    """E_q[log p(x|x_1)], (B,), and the KL of each latent x_1 … x_T to its prior, (B, T)."""

    log_lik: Tensor
    kl: Tensor


@dataclass(frozen=True)
class GaussianDiffusion:
    """x ~ N(0, diag λ) under q(x_t|x_{t−1}) = N(√(1−β_t) x_{t−1}, β_t I): a q that is not learned.

    eigenvalues: λ, (D,); kept: ᾱ_t for t = 1 … T, falling, (T,), float64 both. ᾱ_0 = 1 and
    β_t = 1 − ᾱ_t/ᾱ_{t−1}.
    Source: Ho et al. (2020), "Denoising diffusion probabilistic models", equations 2 to 7.
    """

    eigenvalues: Tensor
    kept: Tensor

    @property
    def beta(self) -> Tensor:
        """β_t for t = 1 … T, (T,)."""
        return 1 - self.kept / self._kept_before()

    def reverse(self) -> tuple[Tensor, Tensor]:
        """The exact q(x_{t−1}|x_t) = N(c_t x_t, s_t): c and s for t = 1 … T, (T, D) each.

        c_t = √(1−β_t) v_{t−1}/v_t and s_t = β_t v_{t−1}/v_t, with v_t = ᾱ_t λ + 1 − ᾱ_t of x_t.
        """
        before = self._kept_before()[:, None]
        ratio = (before * self.eigenvalues + 1 - before) / self.variance()  # v_{t−1} / v_t
        return (1 - self.beta).sqrt()[:, None] * ratio, self.beta[:, None] * ratio

    def variance(self) -> Tensor:
        """v_t of each coordinate of x_t, t = 1 … T: (T, D)."""
        return self.kept[:, None] * self.eigenvalues + 1 - self.kept[:, None]

    def log_evidence(self, x: Tensor) -> Tensor:
        """log N(x; 0, diag λ). (B, D) to (B,) nats."""
        return Normal(0.0, self.eigenvalues.sqrt(), validate_args=False).log_prob(x).sum(1)

    def posterior(self) -> tuple[Tensor, Tensor, Tensor]:
        """q(x_{t−1}|x_t, x) = N(to_x x + to_next x_t, own), (T, 1) each: Ho et al., equation 7."""
        before, beta, left = self._kept_before(), self.beta, 1 - self.kept
        to_x, to_next = before.sqrt() * beta / left, (1 - beta).sqrt() * (1 - before) / left
        return to_x[:, None], to_next[:, None], ((1 - before) / left * beta)[:, None]

    def terms(self, x: Tensor, variance: Tensor, top: Tensor | float = 1.0) -> DiffusionTerms:
        """The ELBO's terms with p(x_{t−1}|x_t) = N(c_t x_t, variance) and p(x_T) = N(0, top).

        E_q over x_t ~ q(x_t|x) in closed form; ELBO = log_lik − kl.sum(1). x: (B, D); variance:
        (T, 1) or (T, D). All are quadratic in x, so x = √λ gives the means over the data.
        """
        (c, _), kept = self.reverse(), self.kept[:, None]
        to_x, to_next, own = (part[1:] for part in self.posterior())  # of q(x_{t−1}|x_t, x), t > 1
        off = to_next - c[1:]  # x_t's part in the difference of the means
        mean = (to_x + off * kept[1:].sqrt()) * x[:, None]  # (B, T−1, D)
        between = _kl(mean, own, variance[1:], spread=off**2 * (1 - kept[1:]))
        last = _kl(kept[-1:].sqrt() * x[:, None], 1 - kept[-1:], torch.as_tensor(top))
        error = (1 - c[0] * kept[0].sqrt()) ** 2 * x**2 + c[0] ** 2 * (1 - kept[0])
        log_lik = -0.5 * (error / variance[0] + variance[0].log() + math.log(2 * math.pi)).sum(1)
        return DiffusionTerms(log_lik, torch.cat([between, last], 1))

    def _kept_before(self) -> Tensor:
        return torch.cat([torch.ones_like(self.kept[:1]), self.kept[:-1]])


def _kl(mean: Tensor, own: Tensor, other: Tensor, *, spread: Tensor | float = 0.0) -> Tensor:
    """KL of N(m, own) to N(0, other), its mean over m ~ N(mean, spread). (B, T, D) to (B, T)."""
    ratio = own / other
    return 0.5 * ((own + spread + mean**2) / other - 1 - ratio.log()).sum(-1)
