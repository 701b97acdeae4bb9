"""What trains a VQ-VAE and the density of its symbols, and how many symbols are in use."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical

from course_lib.losses import gaussian_nll, optimal_log_sigma
from course_lib.models import VQVAE, CodePrior

COMMITMENT = 10.0
PART = 250  # images that go through a network at once


class VQTerms(NamedTuple):
    """log p(x|z_q) and ‖z − z_q‖² per image, (B,) each, and the log σ of the first, shape ()."""

    log_lik: Tensor
    distance: Tensor
    log_sigma: Tensor


class PriorTerms(NamedTuple):
    """−log p(s) of the symbols of each image, (B,), nats."""

    nats: Tensor


def pass_straight(z: Tensor, z_q: Tensor) -> Tensor:
    """The value of z_q with the gradient of z: (…, d) and (…, d) to (…, d).

    Source: Bengio et al. (2013), "Estimating or propagating gradients through stochastic neurons".
    """
    return z_q.detach() + (z - z.detach())


def vq_objective(model: VQVAE, x: Tensor, commitment: float = COMMITMENT) -> tuple[Tensor, VQTerms]:
    """Mean over the batch of −log p(x|z_q) + commitment · ‖z − z_q‖², for `training.fit`.

    σ is the optimal one of the batch, in evaluation the model's. The codebook moves by itself, see
    `models.vq.Codebook`; the second term moves the encoder towards it.
    """
    z = model.encode(x)  # (B, N, d)
    z_q = model.codebook(z).z_q
    mean = model.decode(pass_straight(z, z_q)).mean
    log_sigma = optimal_log_sigma(x, mean) if model.training else model.log_sigma
    nll = gaussian_nll(x, mean, log_sigma)  # (B,)
    distance = (z - z_q).square().flatten(1).sum(1)  # (B,)
    return (nll + commitment * distance).mean(), VQTerms(-nll, distance, log_sigma)


def prior_objective(model: CodePrior, x: Tensor) -> tuple[Tensor, PriorTerms]:
    """Mean over the batch of −log p(s), nats per image, for `training.fit`.

    x: (B, N), symbols s in uint8 as `fit` hands over all images, s/255.
    """
    terms = PriorTerms(nats_of(model, (255 * x).round().long()))
    return terms.nats.mean(), terms


def nats_of(model: CodePrior, indices: Tensor) -> Tensor:
    """−log p(s) = −Σ_n log p(s_n | s_1 … s_{n−1}): (B, N) int64 to (B,)."""
    logits = model(indices)  # (B, N, K)
    return F.cross_entropy(logits.mT, indices, reduction="none").sum(1)


@torch.no_grad()
def symbols_of(model: VQVAE, images: Tensor) -> Tensor:
    """The symbols of images, uint8 (M, C, S, S), in parts: (M, N) int64."""
    return torch.cat([model.indices_of(part.float() / 255) for part in images.split(PART)])


@torch.no_grad()
def images_of(model: VQVAE, indices: Tensor) -> Tensor:
    """x̂ of symbols, in parts: (M, N) int64 to (M, C, S, S) in [0, 1]."""
    return torch.cat([model.image_of(part) for part in indices.split(PART)])


def perplexity(indices: Tensor, size: int) -> float:
    """exp of the entropy of the symbols 0 … size − 1 as they occur, between 1 and size."""
    often = torch.histc(indices.float(), size, -0.5, size - 0.5)
    return Categorical(probs=often).entropy().exp().item()
