"""Several VAEs as one model: layer by layer the products of all in one batched product."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

from course_lib.distributions import Bernoulli, bernoulli, gaussian
from course_lib.models.mlp import MLPVAE


class StackedMLPVAE(nn.Module):
    """K of `MLPVAE` side by side, each with its own size of code; all see the same images.

    A code smaller than the largest, d, is filled up with latents that have q = p and no effect:
    they cost no nats and get no gradients. Each model trains as it would alone.
    """

    def __init__(self, vaes: list[MLPVAE]) -> None:
        super().__init__()
        self.sizes = [vae.latent_dim for vae in vaes]
        self.used: Tensor
        used = torch.arange(max(self.sizes)) < torch.tensor(self.sizes)[:, None, None]
        self.register_buffer("used", used)  # (K, 1, d)
        wide = [resized(vae, max(self.sizes)) for vae in vaes]
        self.encoder = StackedMLP([vae.encoder for vae in wide])
        self.decoder = StackedMLP([vae.decoder for vae in wide])

    def encode(self, x: Tensor) -> Normal:
        """x: (B, D) or (B, C, H, W); returns q_z over (K, B, d)."""
        mu, log_var = self.encoder(x.flatten(1)).float().chunk(2, dim=2)
        return gaussian(mu, log_var)

    def decode(self, z: Tensor) -> Bernoulli:
        """z: (K, B, d); returns p_x over (K, B, D)."""
        return bernoulli(self.decoder(z * self.used))

    def apart(self) -> list[MLPVAE]:
        """The K models, on the CPU."""
        _, data_dim, hidden = self.encoder.weights[0].shape
        wide = [MLPVAE(max(self.sizes), data_dim=data_dim, hidden=hidden) for _ in self.sizes]
        self.encoder.write_to([vae.encoder for vae in wide])
        self.decoder.write_to([vae.decoder for vae in wide])
        return [resized(vae, n) for vae, n in zip(wide, self.sizes, strict=True)]


class StackedMLP(nn.Module):
    """K networks of the same widths, with ReLU between their layers: (K, B, n) to (K, B, m)."""

    def __init__(self, networks: list[nn.Sequential]) -> None:
        super().__init__()
        layers = list(zip(*(network[::2] for network in networks), strict=True))
        self.weights = nn.ParameterList(
            torch.stack([each.weight.detach().T for each in layer]) for layer in layers
        )  # (K, n, m)
        self.biases = nn.ParameterList(
            torch.stack([each.bias.detach() for each in layer])[:, None] for layer in layers
        )  # (K, 1, m)

    def forward(self, h: Tensor) -> Tensor:
        """h: (K, B, n), or (B, n) for all alike."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = F.relu(h) if i else h
            h = _of_one_input(h, weight, bias) if h.ndim == 2 else torch.baddbmm(bias, h, weight)
        return h

    @torch.no_grad()
    def write_to(self, networks: list[nn.Sequential]) -> None:
        """Copies each network's weights into one of its own."""
        for k, network in enumerate(networks):
            for layer, weight, bias in zip(network[::2], self.weights, self.biases, strict=True):
                layer.weight.copy_(weight[k].T)
                layer.bias.copy_(bias[k, 0])


def _of_one_input(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One wide product in place of K: (B, n) with (K, n, m) and (K, 1, m) to (K, B, m)."""
    k, n, m = weight.shape
    wide = F.linear(h, weight.transpose(1, 2).reshape(k * m, n), bias.flatten())
    return wide.view(len(h), k, m).transpose(0, 1)


def resized(vae: MLPVAE, d: int) -> MLPVAE:
    """The same model with d latents: its first ones, and where d is more, others without effect."""
    state, last = vae.state_dict(), f"encoder.{len(vae.encoder) - 1}"
    kept = min(d, vae.latent_dim)
    more = d - kept
    for name, pad in ((f"{last}.weight", (0, 0, 0, more)), (f"{last}.bias", (0, more))):
        parts = state[name].chunk(2)  # μ and log σ²: zeros are the prior
        state[name] = torch.cat([F.pad(part[:kept], pad) for part in parts])
    state["decoder.0.weight"] = F.pad(state["decoder.0.weight"][:, :kept], (0, more))
    hidden, data_dim = state["encoder.0.weight"].shape
    other = MLPVAE(d, data_dim=data_dim, hidden=hidden)
    other.load_state_dict(state)
    return other
