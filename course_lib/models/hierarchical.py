"""A VAE with two layers of latents, and inference that goes down as the generation does."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal

from course_lib.distributions import gaussian
from course_lib.models.mlp import mlp


class HierarchicalVAE(nn.Module):
    """z2 → z1 → x: p(z2) = N(0, I), p(z1|z2) = N(μ, σ²)(z2), p(x|z1) = Bernoulli(sigmoid(f(z1))).

    Inference goes the same way, q(z2, z1|x) = q(z2|x) q(z1|z2, x), after one pass up:
    h = bottom_up(x). x: (B, D) in [0, 1]; h: (B, H); z2: (B, d2); z1: (B, d1).
    Source: Sønderby et al. (2016), "Ladder variational autoencoders".
    """

    def __init__(
        self, d1: int = 32, d2: int = 8, *, data_dim: int = 784, hidden: int = 256
    ) -> None:
        super().__init__()
        self.d1, self.d2 = d1, d2
        self.up = nn.Sequential(mlp(data_dim, hidden, hidden), nn.ReLU())
        self.evidence = nn.Linear(hidden, 2 * d1)  # what x says about z1
        self.upper = mlp(hidden, hidden, 2 * d2)
        self.prior = mlp(d2, hidden, 2 * d1)
        self.decoder = mlp(d1, hidden, hidden, data_dim)

    def bottom_up(self, x: Tensor) -> Tensor:
        """The deterministic pass from x, (B, D) or (B, C, H, W), to h, (B, H)."""
        return self.up(x.flatten(1))

    def q_z2(self, h: Tensor) -> Normal:
        """q(z2|x) over (B, d2)."""
        return gaussian(*self.upper(h).float().chunk(2, dim=1))

    def p_z1(self, z2: Tensor) -> Normal:
        """p(z1|z2) over (B, d1)."""
        return gaussian(*self.prior(z2).float().chunk(2, dim=1))

    def q_z1(self, h: Tensor, z2: Tensor) -> Normal:
        """q(z1|z2, x) ∝ p(z1|z2) N(z1; μ̂(x), σ̂²(x)) over (B, d1): two Gaussians, by precision.

        1/σ_q² = 1/σ_p² + 1/σ̂² and μ_q/σ_q² = μ_p/σ_p² + μ̂/σ̂² (Sønderby et al., equations 12, 13).
        """
        mu, log_var = self.evidence(h).float().chunk(2, dim=1)
        return combined(self.p_z1(z2), gaussian(mu, log_var))

    def p_x(self, z1: Tensor) -> Bernoulli:
        """p(x|z1) over (B, D)."""
        return Bernoulli(logits=self.decoder(z1).float(), validate_args=False)


def combined(p: Normal, seen: Normal) -> Normal:
    """The Gaussian proportional to the product of two: precisions add, means are weighted by them.

    1/σ² = 1/σ_p² + 1/σ_s² and μ = σ² (μ_p/σ_p² + μ_s/σ_s²), in every coordinate.
    """
    precision_p, precision_s = p.variance.reciprocal(), seen.variance.reciprocal()
    variance = (precision_p + precision_s).reciprocal()
    mu = variance * (precision_p * p.mean + precision_s * seen.mean)
    return Normal(mu, torch.sqrt(variance), validate_args=False)
