"""What a trained VAE gets from its data in closed form: latents that fit the prior, and σ."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from course_lib import devices
from course_lib.errors import CourseError
from course_lib.models.conditional import ConditionalVAE
from course_lib.models.conv import ConvVAE


@torch.no_grad()
def standardize_latents(vae: ConvVAE | ConditionalVAE, images: Tensor) -> tuple[Tensor, Tensor]:
    """Give the aggregated posterior mean 0 and variance 1 in each latent, as the prior has.

    The affine map z' = (z − m)/s in encoder and decoder leaves every p(x | code of x) as it is and
    makes the KL least at m = E[μ], s² = E[(μ − m)² + σ_q²]. Training gets there slowly, because
    these nats weigh little beside those of the pixels.
    images: uint8 (N, C, S, S), not the test images. Returns m and s, (d,) each:
    `vae.rescale_code(-m / s, 1 / s)` undoes it.
    """
    mean, scale = _moments(vae, images)
    vae.rescale_code(mean, scale)
    return mean, scale


@torch.no_grad()
def calibrate_sigma(vae: ConvVAE, images: Tensor, *, seed: int = 0) -> None:
    """Set the σ of p(x|z) that is optimal over these images, not only over the last batch.

    σ² = E‖x − decode(z)‖²/D, z ~ q(z|x), one z for each image; the caller's random numbers stay.
    images: uint8 (N, C, S, S), not the test images. Source: Rybkin et al. (2021).
    """
    if vae.log_sigma is None:
        raise CourseError("the likelihood of this VAE has no σ: make it with log_sigma=0.0")
    total = torch.zeros(())
    device = next(vae.parameters()).device
    with devices.seeded(seed, device):
        for x in _batches(vae, images):
            total += ((x - vae.decode(vae.encode(x).sample()).mean) ** 2).sum().cpu()
    vae.log_sigma.fill_(0.5 * (total / images.numel()).log())


def _batches(vae: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """Floats in [0, 1] on the model's device, 500 images at a time."""
    for part in images.split(500):
        yield part.to(next(vae.parameters()).device).float().div_(255)


def _moments(vae: ConvVAE | ConditionalVAE, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the aggregated posterior, (d,) each."""
    codes = [vae.encode(x) for x in _batches(vae, images)]
    mu = torch.cat([q_z.mean for q_z in codes])
    variance = torch.cat([q_z.variance for q_z in codes])
    mean = mu.mean(0)
    return mean, ((mu - mean) ** 2 + variance).mean(0).sqrt()
