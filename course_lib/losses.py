"""Pure functions with signed results in nats per image.

A sum over pixels and latent dimensions first, the mean over the batch once, on the last line:
`elbo` goes up, losses go down, `kl` ≥ 0, and β acts in one place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from course_lib import parallel


class ElboTerms(NamedTuple):
    """The two terms of the ELBO, never weighted: E_q[log p(x|z)] and KL(q(z|x) ‖ p(z)), (B,)."""

    log_lik: Tensor
    kl: Tensor


class GaussianElboTerms(NamedTuple):
    """`ElboTerms` of a Gaussian likelihood, and the log σ that they were taken at, shape ()."""

    log_lik: Tensor
    kl: Tensor
    log_sigma: Tensor


class ErrorTerms(NamedTuple):
    """What an autoencoder minimises: squared error per image, (B,)."""

    squared_error: Tensor


def squared_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """‖x − x̂‖² per image: (B, …) and (B, …) to (B,), summed over pixels."""
    return F.mse_loss(x_hat.flatten(1), x.flatten(1), reduction="none").sum(1)


def elbo_terms(vae: nn.Module, x: Tensor, *y: Tensor) -> ElboTerms:
    """One-sample estimate of log p(x|z) at z ~ q(z|x), and the KL in closed form.

    x: (B, D) or (B, C, H, W) in [0, 1], and for a conditional VAE its labels y: (B,).
    Returns nats per image, (B,) each. Source: Kingma & Welling (2014), equation 10.
    """
    q_z = vae.encode(x, *y)
    z = q_z.rsample()  # (B, d)
    p_x = vae.decode(z, *y)
    log_lik = p_x.log_prob(x.reshape(p_x.batch_shape)).flatten(1).sum(1)  # (B,)
    kl = kl_divergence(q_z, standard_normal(z)).sum(1)  # (B,)
    return ElboTerms(log_lik, kl)


def standard_normal(like: Tensor) -> Normal:
    """The prior N(0, I), with the shape and device of `like`."""
    return Normal(torch.zeros_like(like), torch.ones_like(like), validate_args=False)


def elbo(terms: ElboTerms) -> Tensor:
    """E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)), nats per image, (B,)."""
    return terms.log_lik - terms.kl


def beta_vae_loss(terms: ElboTerms | GaussianElboTerms, beta: float = 1.0) -> Tensor:
    """Negative β-ELBO, averaged over the batch: β·KL − E_q[log p(x|z)]. Nats per image."""
    return (beta * terms.kl - terms.log_lik).mean()


def autoencoder_objective(model: nn.Module, x: Tensor) -> tuple[Tensor, ErrorTerms]:
    """Mean over the batch of ‖x − decode(encode(x))‖², for `training.fit`."""
    terms = ErrorTerms(squared_error(x, model.decode(model.encode(x))))
    return terms.squared_error.mean(), terms


def gaussian_nll(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """−log N(x; mean, σ²) per image, Σ ½(x − mean)²/σ² + log σ + ½ log 2π, nats.

    x, mean: (B, …); log_sigma: log σ, shape (), one for all pixels. Returns (B,).
    """
    squares = (x.to(log_sigma) - mean) ** 2 * torch.exp(-2 * log_sigma)  # uint8 − uint8 wraps
    return (0.5 * squares + log_sigma + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def optimal_log_sigma(x: Tensor, mean: Tensor) -> Tensor:
    """The one log σ that minimises the mean of `gaussian_nll`: ½ log MSE, at least −6; shape ().

    Source: Rybkin et al. (2021), "Simple and effective VAE training with calibrated decoders".
    """
    return 0.5 * torch.log(parallel.mean((x - mean) ** 2).clamp(min=math.exp(-12)))


def vae_objective(
    vae: nn.Module, x: Tensor, *y: Tensor, beta: float = 1.0
) -> tuple[Tensor, ElboTerms]:
    """Negative β-ELBO, averaged over the batch, for `training.fit`. Nats per image."""
    terms = elbo_terms(vae, x, *y)
    return beta_vae_loss(terms, beta), terms


def optimal_sigma_objective(
    vae: nn.Module, x: Tensor, *y: Tensor
) -> tuple[Tensor, GaussianElboTerms]:
    """Negative ELBO of a Gaussian likelihood whose σ is the optimal one of the batch.

    In evaluation it is `vae.log_sigma`, which stays as it is: `training.keep_log_sigma` moves it.
    """
    q_z = vae.encode(x, *y)
    z = q_z.rsample()  # (B, d)
    mean = vae.decode(z, *y).mean  # (B, C, H, W)
    log_sigma = optimal_log_sigma(x, mean) if vae.training else vae.log_sigma
    kl = kl_divergence(q_z, standard_normal(z)).sum(1)  # (B,)
    terms = GaussianElboTerms(-gaussian_nll(x, mean, log_sigma), kl, log_sigma)  # type: ignore[arg-type]
    return beta_vae_loss(terms), terms
