"""VQ-VAE: an autoencoder whose code is a grid of symbols, and a density of such grids."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

from course_lib.errors import CourseError
from course_lib.models.conv import _features, _Patches

KeysAndValues = tuple[Tensor, Tensor]  # of the places so far, (B, heads, n, width / heads) each
FAIR = 0.2  # a code that is chosen less often than this share of its fair part counts as dead


class Quantized(NamedTuple):
    """Which vector of the codebook stands for each z, (…,) int64, and the vector itself, (…, d)."""

    indices: Tensor
    z_q: Tensor


class Codebook(nn.Module):
    """K vectors of d numbers; each z becomes the nearest one, by squared distance.

    No gradient moves them. In training mode each call does, as batch normalisation moves its
    means: a vector is the mean of the z that chose it, those of earlier batches counting less,
    decay^age. revive: a vector that hardly any z chooses is put where some z of the batch is;
    `revived` counts how often that happened. A new codebook is chosen by nobody, so it begins that
    way, at the z of the first batch; with revive=False it begins at N(0, I).
    Source: van den Oord et al. (2017), appendix A.1; the revival: Dhariwal et al. (2020), Jukebox.
    """

    vectors: Tensor
    count: Tensor
    total: Tensor
    revived: Tensor

    def __init__(self, size: int, dim: int, *, decay: float = 0.98, revive: bool = True) -> None:
        super().__init__()
        self.decay, self.revive = decay, revive
        self.register_buffer("vectors", torch.randn(size, dim))
        start = torch.zeros(size) if revive else torch.ones(size)
        self.register_buffer("count", start)
        self.register_buffer("total", start[:, None] * self.vectors)
        self.register_buffer("revived", torch.zeros((), dtype=torch.int64))

    def forward(self, z: Tensor) -> Quantized:
        """z: (…, d)."""
        flat = z.detach().float().reshape(-1, z.shape[-1])
        with torch.autocast(z.device.type, enabled=False):  # in bfloat16 the means stand still
            if self.training and self.revive:
                self._revive_dead(flat)
            indices = self.nearest(flat)
            z_q = self.vectors[indices]
            if self.training:
                self._move(flat, indices)
        return Quantized(indices.view(z.shape[:-1]), z_q.view(z.shape))

    def nearest(self, z: Tensor) -> Tensor:
        """argmin_k ‖z − e_k‖² = argmax_k (zᵀe_k − ½‖e_k‖²), (…, d) to (…,); moves nothing."""
        return (z @ self.vectors.T - 0.5 * self.vectors.square().sum(1)).argmax(-1)

    def _move(self, flat: Tensor, indices: Tensor) -> None:
        """One step of the two averages, how often and how much; their ratio is the new vector."""
        chosen = F.one_hot(indices, len(self.vectors)).to(flat)  # (N, K)
        self.count.lerp_(chosen.sum(0), 1 - self.decay)
        self.total.lerp_(chosen.T @ flat, 1 - self.decay)
        self.vectors.copy_(self.total / self.count.clamp(min=1e-6)[:, None])

    def _revive_dead(self, flat: Tensor) -> None:
        """Put each dead vector on a z of the batch, drawn by lot, with a fair part of the count."""
        fair = len(flat) / len(self.vectors)
        dead = (self.count < FAIR * fair).nonzero()[:, 0]
        drawn = flat[torch.randint(len(flat), (len(dead),), device=flat.device)]
        self.vectors[dead], self.count[dead], self.total[dead] = drawn, fair, fair * drawn
        self.revived += len(dead)


class VQVAE(nn.Module):
    """C × S × S → (S/8)² vectors of d numbers → as many of K symbols → p(x|z) = N(x; x̂, σ²).

    The encoder gives z, not yet rounded; `codebook` rounds it; `decode` takes it either way. Both
    networks are those of `ConvVAE`, with a layer across all places where that has a linear one.
    log σ is a buffer, as there. size: S, a multiple of 16; hidden: channels, a multiple of 4.
    Source: van den Oord et al. (2017), "Neural discrete representation learning".
    """

    log_sigma: Tensor

    def __init__(
        self,
        codebook_size: int,
        *,
        code_dim: int = 16,
        size: int = 64,
        channels: int = 3,
        width: int = 32,
        hidden: int = 64,
        revive: bool = True,
    ) -> None:
        super().__init__()
        if size % 16 or hidden % 4 or min(codebook_size, code_dim, width) < 1:
            raise CourseError("size must be a multiple of 16, hidden of 4, the others at least 1")
        self.arguments = {
            "codebook_size": codebook_size, "code_dim": code_dim, "size": size,
            "channels": channels, "width": width, "hidden": hidden,
        }  # fmt: skip
        self.side, middle = size // 8, 3 * hidden // 4
        self.encoder = nn.Sequential(
            *_features(channels, width, hidden),
            _AcrossPlaces(self.side),
            nn.Conv2d(width, code_dim, 1),
        )
        self.codebook = Codebook(codebook_size, code_dim, revive=revive)
        self.decoder = nn.Sequential(
            nn.Conv2d(code_dim, middle, 1), _AcrossPlaces(self.side), nn.SiLU(),
            nn.Conv2d(middle, middle, 3, padding=1), nn.SiLU(),
            nn.Conv2d(middle, hidden, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(),  # S/4
            nn.Conv2d(hidden // 4, 16 * channels, 3, padding=1), _Patches(4),  # S
        )  # fmt: skip
        self.register_buffer("log_sigma", torch.zeros(()))
        self.to(memory_format=torch.channels_last)

    def encode(self, x: Tensor) -> Tensor:
        """x: (B, C, S, S) in [0, 1]; returns z: (B, N, d), the N = (S/8)² places row by row."""
        return self.encoder(x).float().flatten(2).mT

    def decode(self, z: Tensor) -> Normal:
        """z: (B, N, d); returns p_x over (B, C, S, S), whose mean is the image."""
        grid = z.mT.unflatten(2, (self.side, self.side))
        mean = torch.sigmoid(self.decoder(grid).float())
        return Normal(mean, torch.exp(self.log_sigma), validate_args=False)

    @torch.no_grad()
    def indices_of(self, x: Tensor) -> Tensor:
        """The symbols of images: (B, C, S, S) to (B, N) int64, on the images' device."""
        return self.codebook.nearest(self.encode(x.to(self.codebook.vectors.device))).to(x.device)

    @torch.no_grad()
    def image_of(self, indices: Tensor) -> Tensor:
        """x̂ of symbols: (B, N) to (B, C, S, S), on the symbols' device."""
        there = indices.to(self.codebook.vectors.device)
        return self.decode(self.codebook.vectors[there]).mean.to(indices.device)


class _AcrossPlaces(nn.Module):
    """h + W h over the places of a grid, the same W for each channel: one place tells others."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.mix = nn.Linear(side**2, side**2)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.mix(h.flatten(2)).view(h.shape)


class CodePrior(nn.Module):
    """p(s) = Π_n p(s_n | s_1 … s_{n−1}) of N symbols out of K: a causal transformer.

    size: K; length: N; blocks of attention and an MLP, each behind a layer normalisation.
    Source: Vaswani et al. (2017); as a prior of images' codes: Esser et al. (2021).
    """

    def __init__(
        self, size: int, *, length: int = 64, width: int = 64, depth: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.arguments = {
            "size": size, "length": length, "width": width, "depth": depth, "heads": heads,
        }  # fmt: skip
        self.size, self.length = size, length
        self.symbol = nn.Embedding(size + 1, width)  # the last one stands before the first symbol
        self.place = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, size))

    def forward(self, indices: Tensor) -> Tensor:
        """Logits of each symbol given those before it: (B, n ≤ N) int64 to (B, n, K)."""
        start = indices.new_full((len(indices), 1), self.size)
        before = torch.cat([start, indices[:, :-1]], 1)
        h = self.symbol(before) + self.place[: before.shape[1]]
        for block in self.blocks:
            h, _ = block(h)
        return self.out(h).float()

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draws of p(s), symbol by symbol, (count, N) int64. What was computed stays known."""
        last = torch.full((count,), self.size)
        drawn: list[Tensor] = []
        known: list[KeysAndValues | None] = [None] * len(self.blocks)
        for n in range(self.length):
            h = self.symbol(last)[:, None] + self.place[n]  # (count, 1, width)
            for i, block in enumerate(self.blocks):
                h, known[i] = block(h, known[i])
            p = self.out(h[:, 0]).softmax(1)
            last = torch.multinomial(p, 1, generator=generator)[:, 0]
            drawn.append(last)
        return torch.stack(drawn, 1)


class _Block(nn.Module):
    """Attention to the places before and to itself, then an MLP, as residuals."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_qkv, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, h: Tensor, known: KeysAndValues | None = None
    ) -> tuple[Tensor, KeysAndValues]:
        """(B, n, width) to the same, or one place more behind those that are known."""
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.to_qkv(self.first(h)).chunk(3, dim=2)
        )
        if known is not None:
            k, v = torch.cat([known[0], k], 2), torch.cat([known[1], v], 2)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=known is None)
        h = h + self.join(seen.transpose(1, 2).flatten(2))
        return h + self.mlp(self.second(h)), (k, v)
