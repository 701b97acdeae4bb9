"""Pure functions with signed results in nats per image.

A sum over pixels and latent dimensions first, the mean over the batch once, on the last line:
`elbo` goes up, losses go down, `kl` ≥ 0, and β acts in one place.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence


class ElboTerms(NamedTuple):
    """The two terms of the ELBO, never weighted: E_q[log p(x|z)] and KL(q(z|x) ‖ p(z)), (B,)."""

    log_lik: Tensor
    kl: Tensor


class ErrorTerms(NamedTuple):
    """What an autoencoder minimises: squared error per image, (B,)."""

    squared_error: Tensor


def squared_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """‖x − x̂‖² per image: (B, …) and (B, …) to (B,), summed over pixels."""
    return ((x.flatten(1) - x_hat.flatten(1)) ** 2).sum(1)


def elbo_terms(vae: nn.Module, x: Tensor) -> ElboTerms:
    """One-sample estimate of log p(x|z) at z ~ q(z|x), and the KL in closed form.

    x: (B, D) or (B, C, H, W) in [0, 1]; returns nats per image, (B,) each.
    Source: Kingma & Welling (2014), equation 10.
    """
    q_z = vae.encode(x)
    z = q_z.rsample()  # (B, d)
    p_x = vae.decode(z)
    log_lik = p_x.log_prob(x.flatten(1)).sum(1)  # (B,)
    kl = kl_divergence(q_z, standard_normal(z)).sum(1)  # (B,)
    return ElboTerms(log_lik, kl)


def standard_normal(like: Tensor) -> Normal:
    """The prior N(0, I), with the shape and device of `like`."""
    return Normal(torch.zeros_like(like), torch.ones_like(like), validate_args=False)


def elbo(terms: ElboTerms) -> Tensor:
    """E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)), nats per image, (B,)."""
    return terms.log_lik - terms.kl


def beta_vae_loss(terms: ElboTerms, beta: float = 1.0) -> Tensor:
    """Negative β-ELBO, averaged over the batch: β·KL − E_q[log p(x|z)]. Nats per image."""
    return (beta * terms.kl - terms.log_lik).mean()


def autoencoder_objective(model: nn.Module, x: Tensor) -> tuple[Tensor, ErrorTerms]:
    """Mean over the batch of ‖x − decode(encode(x))‖², for `training.fit`."""
    terms = ErrorTerms(squared_error(x, model.decode(model.encode(x))))
    return terms.squared_error.mean(), terms


def vae_objective(model: nn.Module, x: Tensor) -> tuple[Tensor, ElboTerms]:
    """Negative ELBO, averaged over the batch, for `training.fit`. Nats per image."""
    terms = elbo_terms(model, x)
    return beta_vae_loss(terms), terms
