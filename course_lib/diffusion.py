"""Diffusion in four functions: a schedule, the forward process, the objective, DDIM sampling.

The network predicts the velocity v = √ᾱ ε − √(1 − ᾱ) x, from which both the noise ε and the clean
image x follow without dividing by √ᾱ, which is near 0 where sampling starts.
Source: Salimans & Ho (2022), "Progressive distillation for fast sampling", appendix D.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course_lib.losses import ErrorTerms, squared_error

STEPS = 1_000  # T, of the forward process


def sampling_steps(count: int) -> Tensor:
    """`count` of the steps T−1 … 0 in equal distances, downwards, (count,) int64; at most T.

    They begin at T − 1, where the noise is that of training, and the last one is T/count − 1:
    "trailing". With both ends included an evaluation would be spent at t = 0, on an image that
    has next to no noise. Source: Lin et al. (2023), section 3.3.
    """
    return torch.arange(STEPS, 0, -STEPS / count, dtype=torch.float64).round().long()[:count] - 1


def noise_schedule(device: torch.device | str = "cpu") -> Tensor:
    """ᾱ_t for t = 0 … T−1: the share of the image's variance that is left after step t, (T,).

    ᾱ = cos²(½π (t/T + s) / (1 + s)) / (the same at t = 0), s = 0.008, and at least 1e-4.
    Source: Nichol & Dhariwal (2021), equation 17.
    """
    t = torch.arange(1, STEPS + 1, dtype=torch.float64) / STEPS
    angle = (t + 0.008) / 1.008 * math.pi / 2
    start = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    return (torch.cos(angle) ** 2 / start).clamp(1e-4, 1).float().to(device)


def add_noise(x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """x_t = √ᾱ_t x + √(1 − ᾱ_t) ε. x, eps: (B, C, H, W), x in [−1, 1]; t: (B,) from 0 to T−1."""
    kept = noise_schedule(x.device)[t][:, None, None, None]
    return kept.sqrt() * x + (1 - kept).sqrt() * eps


def velocity(x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """v = √ᾱ_t ε − √(1 − ᾱ_t) x, what the network predicts. Shapes as in `add_noise`."""
    kept = noise_schedule(x.device)[t][:, None, None, None]
    return kept.sqrt() * eps - (1 - kept).sqrt() * x


def diffusion_objective(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, ErrorTerms]:
    """Mean over the batch of ‖v − v̂(x_t, t, y)‖², t and ε drawn for each image, for `fit`.

    x: (B, C, H, W) in [0, 1]; y: (B,). This is no bound in nats: the weights of the terms of the
    bound are left out, as in Ho et al. (2020), equation 14.
    """
    t = torch.randint(STEPS, (len(x),), device=x.device)
    x, eps = 2 * x - 1, torch.randn_like(x)
    terms = ErrorTerms(squared_error(velocity(x, t, eps), model(add_noise(x, t, eps), t, y)))
    return terms.squared_error.mean(), terms


@torch.no_grad()
def sample_ddim(
    model: nn.Module,
    y: Tensor,
    *,
    steps: int,
    generator: torch.Generator,
    shape: tuple[int, int, int] = (3, 32, 32),
) -> Tensor:
    """Images of the classes y, in `steps` evaluations of the network: (B, C, H, W) in [0, 1].

    x̂ = √ᾱ_t x_t − √(1−ᾱ_t) v̂, kept in [−1, 1], and ε̂ = (x_t − √ᾱ_t x̂) / √(1−ᾱ_t) give
    x_s = √ᾱ_s x̂ + √(1−ᾱ_s) ε̂ at the next of `sampling_steps`, without new noise; the last x̂ is
    the image. Source: Song et al. (2021), equation 12 with σ = 0.
    """
    left = noise_schedule()
    times = sampling_steps(steps)
    after = [*left[times[1:]].tolist(), 1.0]
    x = torch.randn(len(y), *shape, generator=generator).to(y.device)
    for t, now, then in zip(times.tolist(), left[times].tolist(), after, strict=True):
        v = model(x, torch.full_like(y, t), y)
        clean = (math.sqrt(now) * x - math.sqrt(1 - now) * v).clamp(-1, 1)
        eps = (x - math.sqrt(now) * clean) / math.sqrt(1 - now)
        x = math.sqrt(then) * clean + math.sqrt(1 - then) * eps
    return (x + 1) / 2
