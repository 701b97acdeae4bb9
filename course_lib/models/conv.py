"""Convolutional networks for square images: four convolutions each way, on coarse grids.

A convolution costs as much as the places it works at. The first one brings the image to a quarter
of its side, the others work at an eighth, and the decoder enlarges by pixel shuffle: on a CPU this
takes about a quarter of the time of a stack of strided and transposed convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from course_lib.distributions import bernoulli, gaussian
from course_lib.errors import CourseError


class ConvAutoencoder(nn.Module):
    """C × S × S → grid of `width` × S/8 × S/8 → d and back: z = encode(x), x_hat = decode(z).

    size: S, pixels a side, a multiple of 16; hidden: channels in the middle, a multiple of 4.
    Source of the pixel shuffle: Shi et al. (2016).
    """

    def __init__(
        self,
        latent_dim: int,
        *,
        size: int = 64,
        channels: int = 3,
        width: int = 32,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.arguments = _arguments(
            latent_dim, size=size, channels=channels, width=width, hidden=hidden
        )
        self.features = _features(channels, width, hidden)
        self.code = nn.Linear(width * (size // 8) ** 2, latent_dim)
        self.decoder = _decoder(self.arguments)
        self.to(memory_format=torch.channels_last)

    def encode(self, x: Tensor) -> Tensor:
        """x: (B, C, S, S) in [0, 1]; returns z: (B, d)."""
        return self.code(self.features(x).flatten(1)).float()

    def decode(self, z: Tensor) -> Tensor:
        """z: (B, d); returns x_hat: (B, C, S, S) in [0, 1]."""
        return torch.sigmoid(self.decoder(z).float())

    def forward(self, x: Tensor) -> Tensor:
        """x_hat = decode(encode(x))."""
        return self.decode(self.encode(x))


class ConvVAE(nn.Module):
    """q(z|x) = N(μ(x), σ²(x)), prior N(0, I), with the networks of `ConvAutoencoder`.

    p(x|z) is Bernoulli where log_sigma is None; else Gaussian, with one σ for all pixels, whose
    logarithm is kept in the buffer `log_sigma`: no gradient moves it; `keep_log_sigma` may.
    log σ²(x) is read off the grid's averages over four quarters; that is enough and saves weights.
    """

    log_sigma: Tensor | None

    def __init__(
        self,
        latent_dim: int,
        *,
        size: int = 64,
        channels: int = 3,
        width: int = 32,
        hidden: int = 64,
        log_sigma: float | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        sizes = _arguments(latent_dim, size=size, channels=channels, width=width, hidden=hidden)
        self.arguments = {**sizes, "log_sigma": log_sigma}
        self.features = _features(channels, width, hidden)
        self.mu = nn.Linear(width * (size // 8) ** 2, latent_dim)
        self.log_var = nn.Sequential(
            nn.AvgPool2d(size // 16), nn.Flatten(), nn.Linear(4 * width, latent_dim)
        )
        self.decoder = _decoder(sizes)
        kept = None if log_sigma is None else torch.tensor(float(log_sigma))
        self.register_buffer("log_sigma", kept)
        self.to(memory_format=torch.channels_last)

    def encode(self, x: Tensor) -> Normal:
        """x: (B, C, S, S) in [0, 1]; returns q_z over (B, d)."""
        h = self.features(x)  # (B, width, S/8, S/8)
        return gaussian(self.mu(h.flatten(1)).float(), self.log_var(h).float())

    def decode(self, z: Tensor) -> Distribution:
        """z: (B, d); returns p_x over (B, C, S, S), whose mean is the image."""
        logits = self.decoder(z).float()
        if self.log_sigma is None:
            return bernoulli(logits)
        return Normal(torch.sigmoid(logits), torch.exp(self.log_sigma), validate_args=False)

    @torch.no_grad()
    def rescale_code(self, mean: Tensor, scale: Tensor) -> None:
        """Rename the codes, z' = (z − mean)/scale, (d,) each: the same images, another KL."""
        self.mu.weight.div_(scale[:, None])
        self.mu.bias.sub_(mean).div_(scale)
        self.log_var[-1].bias.sub_(2 * torch.log(scale))
        first = self.decoder[0]
        first.bias.add_(first.weight @ mean)
        first.weight.mul_(scale)


def _features(channels: int, width: int, hidden: int) -> nn.Sequential:
    """(B, C, S, S) to (B, width, S/8, S/8)."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 8, stride=4, padding=2), nn.SiLU(),  # S/4
        nn.Conv2d(16, hidden, 3, stride=2, padding=1), nn.SiLU(),  # S/8
        nn.Conv2d(hidden, hidden // 2, 3, padding=1), nn.SiLU(),
        nn.Conv2d(hidden // 2, width, 1), nn.SiLU(),
    )  # fmt: skip


def _decoder(sizes: dict[str, int]) -> nn.Sequential:
    """(B, d) to logits (B, C, S, S)."""
    s, width, hidden = sizes["size"] // 8, sizes["width"], sizes["hidden"]
    middle = 3 * hidden // 4
    return nn.Sequential(
        nn.Linear(sizes["latent_dim"], width * s * s), nn.SiLU(), nn.Unflatten(1, (width, s, s)),
        nn.Conv2d(width, middle, 1), nn.SiLU(),
        nn.Conv2d(middle, middle, 3, padding=1), nn.SiLU(),
        nn.Conv2d(middle, hidden, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(),  # S/4
        nn.Conv2d(hidden // 4, 16 * sizes["channels"], 3, padding=1), _Patches(4),  # S
    )  # fmt: skip


class _Patches(nn.Module):
    """`nn.PixelShuffle(r)`, with the pixels in memory in the order of `nn.Flatten`.

    Objectives flatten images: from the order of channels_last that is one more copy each way.
    """

    def __init__(self, r: int) -> None:
        super().__init__()
        self.r = r

    def forward(self, h: Tensor) -> Tensor:
        B, C, H, W = h.shape
        r, c = self.r, C // self.r**2
        grid = h.permute(0, 2, 3, 1).reshape(B, H, W, c, r, r)
        return grid.permute(0, 3, 1, 4, 2, 5).reshape(B, c, H * r, W * r)


def _arguments(latent_dim: int, **sizes: int) -> dict[str, int]:
    """What a card keeps to build the same model again. CourseError for sizes that do not work."""
    if sizes["size"] < 16 or sizes["size"] % 16:
        raise CourseError(f"size={sizes['size']}: a side must be a multiple of 16 pixels")
    if sizes["hidden"] < 4 or sizes["hidden"] % 4:
        raise CourseError(f"hidden={sizes['hidden']}: must be a multiple of 4")
    if min(latent_dim, *sizes.values()) < 1:
        told = ", ".join(f"{name}={value}" for name, value in sizes.items())
        raise CourseError(f"latent_dim={latent_dim}, {told}: at least 1")
    return {"latent_dim": latent_dim, **sizes}
