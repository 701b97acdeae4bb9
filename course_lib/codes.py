"""Images to codes and back, for autoencoders and VAEs alike, in parts to save memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PART = 250  # images that go through a network at once


@torch.no_grad()
def code_of(model: nn.Module, x: Tensor) -> Tensor:
    """The code of each image, of a VAE its posterior mean: (N, C, H, W) in [0, 1] to (N, d)."""
    codes = [model.encode(part) for part in x.split(PART)]
    return torch.cat([code if isinstance(code, Tensor) else code.mean for code in codes])


@torch.no_grad()
def drawn_codes(vae: nn.Module, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """One z ~ q(z|x) for each image, (N, C, H, W) in [0, 1] to (N, d)."""
    codes = []
    for part in x.split(PART):
        q_z = vae.encode(part)
        eps = torch.randn(q_z.mean.shape, generator=generator)
        codes.append(q_z.mean + q_z.stddev * eps)
    return torch.cat(codes)


@torch.no_grad()
def image_of(model: nn.Module, z: Tensor, *y: Tensor) -> Tensor:
    """x̂ of each code, of a VAE the mean of p(x|z): (N, d) to (N, C, H, W) in [0, 1].

    y: labels (N,), for a decoder that takes them.
    """
    parts = zip(z.split(PART), *(labels.split(PART) for labels in y), strict=True)
    images = [model.decode(*part) for part in parts]
    return torch.cat([image if isinstance(image, Tensor) else image.mean for image in images])


def gaussian_codes(z: Tensor, count: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Draws from the Gaussian with mean and covariance of the rows of z: (N, d) to (count, d).

    z̄ + ε (Z − z̄)/√(N − 1) with ε ~ N(0, I) of shape (count, N): each draw is a sum of the
    centred rows with independent weights, so its covariance is (Z − z̄)ᵀ(Z − z̄)/(N − 1). No
    matrix is factored, and fewer rows than dimensions will do.
    """
    weights = torch.randn(count, len(z), generator=generator).to(z) / (len(z) - 1) ** 0.5
    return z.mean(0) + weights @ (z - z.mean(0))
