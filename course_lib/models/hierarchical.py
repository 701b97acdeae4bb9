"""A VAE with two layers of latents, and inference that goes down as the generation does."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from course_lib.distributions import Bernoulli, bernoulli, gaussian
from course_lib.models.mlp import mlp


class HierarchicalVAE(nn.Module):
    """z2 → z1 → x: p(z2) = N(0, I), p(z1|z2) = N(μ, σ²)(z2), p(x|z1) = Bernoulli(sigmoid(f(z1))).

    Inference goes the same way, q(z2, z1|x) = q(z2|x) q(z1|z2, x), after one pass up:
    h = bottom_up(x). x: (B, D) in [0, 1]; h: (B, H); z2: (B, d2); z1: (B, d1).
    Source: Sønderby et al. (2016), "Ladder variational autoencoders", with a gain as below.
    """

    def __init__(
        self, d1: int = 16, d2: int = 8, *, data_dim: int = 784, hidden: int = 128
    ) -> None:
        super().__init__()
        self.d1, self.d2 = d1, d2
        self.up = nn.Sequential(mlp(data_dim, hidden, hidden), nn.ReLU())
        self.evidence = nn.Linear(hidden, 2 * d1)  # what x says about z1
        self.gain = nn.Parameter(torch.zeros(d1))
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
        """q(z1|z2, x) = N(μ̂(x) + gain · μ_p(z2), σ̂²(x)) over (B, d1), μ_p the mean of p(z1|z2).

        The exact posterior has this form in a linear chain, with gain σ_q²/σ_p². Here the gain is
        learned, from 0 on; with the weights of Sønderby et al., the precisions of both parts, a
        latent that has died gets hardly any gradient.
        """
        mu, log_var = self.evidence(h).float().chunk(2, dim=1)
        return gaussian(mu + self.gain * self.p_z1(z2).mean, log_var)

    def p_x(self, z1: Tensor) -> Bernoulli:
        """p(x|z1) over (B, D)."""
        return bernoulli(self.decoder(z1))
