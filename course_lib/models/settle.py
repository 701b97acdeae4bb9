"""What a trained VAE owes to its data in closed form: where its prior lies, and its σ."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.models.conditional import ConditionalVAE
from course_lib.models.conv import ConvVAE


@torch.no_grad()
def settle(
    vae: ConvVAE | ConditionalVAE, images: Tensor, *, sigma: bool = True, seed: int = 0
) -> None:
    """Move the codes to where the prior is, and set the σ that is optimal over these images.

    1. The affine map z' = (z − m)/s in encoder and decoder leaves every p(x | code of x) as it is
       and makes the KL least at m = E[μ], s² = E[(μ − m)² + σ_q²] for each latent: the prior then
       has the mean and variance of the aggregated posterior. Training gets there slowly, because
       these nats weigh little beside those of the pixels.
    2. With `sigma`, σ² = the mean squared error of decode(z), z ~ q(z|x), over pixels and images.

    images: uint8 (N, C, S, S), not the test images. A conditional VAE takes the first step only
    (sigma=False): its decoder wants labels.
    """
    vae.rescale_code(*_moments(vae, images))
    if sigma and vae.log_sigma is not None:
        vae.log_sigma.fill_(0.5 * _mean_squared_error(vae, images, seed=seed).log())


def _batches(vae: nn.Module, images: Tensor) -> list[Tensor]:
    return [part.to(next(vae.parameters()).device).float().div_(255) for part in images.split(500)]


def _moments(vae: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the aggregated posterior, (d,) each."""
    codes = [vae.encode(x) for x in _batches(vae, images)]
    mu = torch.cat([q_z.mean for q_z in codes])
    variance = torch.cat([q_z.variance for q_z in codes])
    mean = mu.mean(0)
    return mean, ((mu - mean) ** 2 + variance).mean(0).sqrt()


def _mean_squared_error(vae: nn.Module, images: Tensor, *, seed: int) -> Tensor:
    """Over pixels and images, with one z ~ q(z|x) for each; the caller's random numbers stay."""
    total = torch.zeros(())
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for x in _batches(vae, images):
            total += ((x - vae.decode(vae.encode(x).sample()).mean) ** 2).sum().cpu()
    return total / images.numel()
