"""Fully connected networks for flat images."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from course_lib.distributions import Bernoulli, bernoulli, gaussian


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers of these widths with ReLU between them, and none after the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPAutoencoder(nn.Module):
    """D → hidden → hidden → d and back: z = encode(x), x_hat = decode(z) in [0, 1]."""

    def __init__(self, latent_dim: int, *, data_dim: int = 784, hidden: int = 256) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = mlp(data_dim, hidden, hidden, latent_dim)
        self.decoder = mlp(latent_dim, hidden, hidden, data_dim)

    def encode(self, x: Tensor) -> Tensor:
        """x: (B, D) in [0, 1] or (B, C, H, W); returns z: (B, d)."""
        return self.encoder(x.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """z: (B, d); returns x_hat: (B, D) in [0, 1]."""
        return torch.sigmoid(self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        """x_hat = decode(encode(x))."""
        return self.decode(self.encode(x))


class MLPVAE(nn.Module):
    """q(z|x) = N(μ(x), σ²(x)) and p(x|z) = Bernoulli(x; sigmoid(f(z))), prior N(0, I).

    With grey pixels p(x|z) is not a normalised likelihood; its log is minus the cross-entropy.
    Source: Kingma & Welling (2014), "Auto-encoding variational Bayes".
    """

    def __init__(self, latent_dim: int, *, data_dim: int = 784, hidden: int = 256) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = mlp(data_dim, hidden, hidden, 2 * latent_dim)
        self.decoder = mlp(latent_dim, hidden, hidden, data_dim)

    def encode(self, x: Tensor) -> Normal:
        """x: (B, D) or (B, C, H, W); returns q_z over (B, d)."""
        mu, log_var = self.encoder(x.flatten(1)).float().chunk(2, dim=1)
        return gaussian(mu, log_var)

    def decode(self, z: Tensor) -> Bernoulli:
        """z: (B, d); returns p_x over (B, D)."""
        return bernoulli(self.decoder(z))


class MLPDecoder(nn.Module):
    """The decoder of `MLPVAE` alone: p(x|z) = Bernoulli(x; sigmoid(f(z)))."""

    def __init__(self, latent_dim: int, *, data_dim: int = 784, hidden: int = 256) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.decoder = mlp(latent_dim, hidden, hidden, data_dim)

    decode = MLPVAE.decode


class MLPEncoder(nn.Module):
    """The encoder of `MLPVAE` alone: q(z|x) = N(μ(x), σ²(x))."""

    def __init__(self, latent_dim: int, *, data_dim: int = 784, hidden: int = 256) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = mlp(data_dim, hidden, hidden, 2 * latent_dim)

    encode = MLPVAE.encode
