"""A residual MLP that tells a code from noise, for diffusion in latent space."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.unet import EMBEDDING, time_embedding


class _Block(nn.Module):
    """h + linear(SiLU(linear(norm(h) · (1 + a) + b))), a and b from the time's embedding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(EMBEDDING, 2 * width)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """(B, width) and (B, 128) to (B, width)."""
        a, b = self.modulation(embedding).chunk(2, dim=1)
        return h + self.second(F.silu(self.first(self.norm(h) * (1 + a) + b)))


class CodeDenoiser(nn.Module):
    """v̂(z_t, t) for codes of d numbers, standardized: each has mean 0 and variance 1.

    The buffers `mean` and `scale`, (d,), are the codes' own: a sample comes back on their scale.
    Source of the modulated residual blocks: Peebles & Xie (2023), figure 3, without attention: a
    code has no places.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int, *, width: int = 256, blocks: int = 3) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.arguments = {"latent_dim": latent_dim, "width": width, "blocks": blocks}
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("scale", torch.ones(latent_dim))
        self.time = nn.Sequential(
            nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU()
        )
        self.stem = nn.Linear(latent_dim, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, latent_dim))

    @torch.no_grad()
    def learn_scale(self, z: Tensor) -> CodeDenoiser:
        """Keep mean and standard deviation of the codes z, (N, d), by latent; returns itself."""
        self.mean.copy_(z.mean(0))
        self.scale.copy_(z.std(0).clamp(min=1e-6))
        return self

    def standardized(self, z: Tensor) -> Tensor:
        """(z − mean)/scale, (B, d)."""
        return (z - self.mean) / self.scale

    def unstandardized(self, z: Tensor) -> Tensor:
        """z · scale + mean, (B, d): the way back."""
        return z * self.scale + self.mean

    def forward(self, z_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """z_t: (B, d), t: (B,) steps from 0; returns (B, d). y is not looked at: no classes."""
        embedding = self.time(time_embedding(t, EMBEDDING))
        h = self.stem(z_t)
        for block in self.blocks:
            h = block(h, embedding)
        return self.out(h).float()
