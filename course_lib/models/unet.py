"""A small U-Net that tells image from noise, for diffusion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS, EMBEDDING = 8, 128


def time_embedding(t: Tensor, width: int) -> Tensor:
    """sin(t ω_k), cos(t ω_k) with ω_k from 1 to 1e-4 in equal ratios: (B,) to (B, width).

    Sines first, then cosines, and 1e-4 among the frequencies, as in the code of Ho et al. (2020);
    Vaswani et al. (2017), section 3.5, interleave the two and stop short of it.
    """
    frequencies = torch.exp(-math.log(10_000) * torch.linspace(0, 1, width // 2)).to(t.device)
    angles = t.float()[:, None] * frequencies  # (B, width / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class ResidualBlock(nn.Module):
    """x + conv(conv(x) + embedding), each convolution after group normalisation and SiLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(GROUPS, n_in), nn.SiLU(), nn.Conv2d(n_in, n_out, 3, padding=1)
        )
        self.shift = nn.Linear(EMBEDDING, n_out)
        self.second = nn.Sequential(
            nn.GroupNorm(GROUPS, n_out), nn.SiLU(), nn.Conv2d(n_out, n_out, 3, padding=1)
        )
        self.skip = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(B, n_in, H, W) and (B, 128) to (B, n_out, H, W)."""
        h = self.first(x) + self.shift(embedding)[:, :, None, None]
        return self.skip(x) + self.second(h)


class Attention(nn.Module):
    """Every pixel looks at every other, as a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.to_qkv, self.out = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        q, k, v = self.to_qkv(self.norm(x)).flatten(2).mT.chunk(3, dim=2)  # (B, H·W, C) each
        h = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(h.mT.reshape(x.shape))


class UNet(nn.Module):
    """v̂(x_t, t, y): down to a quarter of the side and back, with skips; 1.4 M parameters.

    widths: channels at half and at a quarter of the side, multiples of 8. The first step turns
    blocks of 2 × 2 pixels into channels, so no convolution works at the full size: a fourth of the
    time on a CPU. Source: Ho et al. (2020), appendix B, much smaller.
    """

    def __init__(
        self, n_classes: int, *, channels: int = 3, widths: Sequence[int] = (64, 96)
    ) -> None:
        super().__init__()
        wide, deep = widths
        self.label = nn.Embedding(n_classes, EMBEDDING)
        self.time = nn.Sequential(
            nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING)
        )
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, wide, 3, padding=1))
        self.down = nn.ModuleList([ResidualBlock(wide, wide), ResidualBlock(wide, wide)])
        self.smaller = nn.Conv2d(wide, wide, 3, stride=2, padding=1)
        self.low = nn.ModuleList([ResidualBlock(wide, deep), ResidualBlock(deep, deep)])
        self.attention, self.middle = Attention(deep), ResidualBlock(deep, deep)
        self.rise = ResidualBlock(2 * deep, deep)
        self.larger = nn.Sequential(nn.Conv2d(deep, 4 * wide, 1), nn.PixelShuffle(2))
        self.up = nn.ModuleList([ResidualBlock(2 * wide, wide), ResidualBlock(2 * wide, wide)])
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, wide),
            nn.SiLU(),
            nn.Conv2d(wide, 4 * channels, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """x_t: (B, C, H, W), t: (B,) steps from 0, y: (B,) classes; returns (B, C, H, W)."""
        e = F.silu(self.time(time_embedding(t, EMBEDDING)) + self.label(y))  # (B, 128)
        h = self.stem(x_t)
        skips = []
        for block in self.down:
            h = block(h, e)
            skips.append(h)
        h = self.smaller(h)
        for block in self.low:
            h = block(h, e)
        low = h
        h = self.middle(self.attention(h), e)
        h = self.larger(self.rise(torch.cat([h, low], 1), e))
        for block in self.up:
            h = block(torch.cat([h, skips.pop()], 1), e)
        return self.out(h).float()
