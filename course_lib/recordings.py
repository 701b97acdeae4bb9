"""Recorded trainings of VAEs, drawn anew: what was measured of each, and the cause behind it.

The numbers follow what the failures of notebook 07 show: a formula for each, with noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

CAUSES = (
    "pixels are bytes",
    "the KL weighs too much",
    "the KL weighs too little",
    "the encoder gets no gradient",
    "the picture goes past the code",
    "the noise is wrong",
    "train() and eval() differ",
    "overfitting",
    "nothing",
)
N_POINTS, N_LATENTS = 40, 8
Recording = dict[str, Any]


def record(cause: str, generator: Generator) -> Recording:
    """One training with this cause.

    pixels: (least, largest) that the model was fed; loss, held_out: (40,), −ELBO over the
    training, nats per image; kl: (8,), nats per latent; second_moment: (8,), E z² over images;
    noise: (mean, deviation) of (z − μ)/σ; error: squared error over that of the mean image;
    error_swapped: the same, decoded from other images' codes; mode_gap: how far train() moves
    images, over their spread; encoder_gradient: the norm of the distortion's gradient there.
    """
    found = _sound(generator)
    if cause != "nothing":
        _CHANGES[cause](found, generator)
    return found


def draw(generator: Generator, n: int = 8) -> tuple[list[Recording], list[str]]:
    """n recorded trainings, and the cause of each."""
    order = torch.randperm(len(CAUSES), generator=generator).tolist()
    causes = [CAUSES[i] for i in order][:n]
    return [record(cause, generator) for cause in causes], causes


def _between(low: float, high: float, g: Generator, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=g)


def _falling(end: Tensor, g: Generator) -> Tensor:
    t = torch.arange(N_POINTS).float()
    slow, start = _between(3, 5, g), _between(250, 400, g)
    return end + start * torch.exp(-t / slow) + 0.8 * torch.randn(N_POINTS, generator=g)


def _sound(g: Generator) -> Recording:
    """Some latents unused, one that is far out, a little dropout: all of it harmless."""
    end = _between(105, 145, g)
    kl, moment = _between(1.2, 3.5, g, N_LATENTS), _between(0.8, 1.6, g, N_LATENTS)
    kl[:2], moment[2] = _between(1e-4, 0.01, g, 2), _between(4.5, 6.0, g)
    places = torch.randperm(N_LATENTS, generator=g)
    error = _between(0.35, 0.6, g).item()
    return {
        "pixels": torch.tensor([0.0, 1.0]),
        "loss": _falling(end, g),
        "held_out": _falling(end + _between(2, 7, g), g),
        "kl": kl[places],
        "second_moment": moment[places],
        "noise": torch.tensor([0.0, 1.0]) + 0.03 * torch.randn(2, generator=g),
        "error": error,
        "error_swapped": error + _between(0.9, 1.2, g).item(),
        "mode_gap": _between(0.0, 0.25, g).item(),
        "encoder_gradient": _between(5, 60, g).item(),
    }


def _bytes(r: Recording, g: Generator) -> None:
    first = _between(11, 13, g)
    r["pixels"] = torch.tensor([0.0, 255.0])
    r["loss"] = torch.full((N_POINTS,), torch.nan)
    r["loss"][0] = 10**first
    r["held_out"] = torch.full((N_POINTS,), torch.nan)
    for key in ("kl", "second_moment", "noise"):
        r[key] = torch.full_like(r[key], torch.nan)
    r |= dict.fromkeys(("error", "error_swapped", "mode_gap", "encoder_gradient"), torch.nan)


def _collapsed(r: Recording, g: Generator, *, kl: float) -> None:
    """One picture for all: every code gives it."""
    end = _between(180, 210, g)
    r["loss"], r["held_out"] = _falling(end, g), _falling(end + _between(0, 2, g), g)
    r["kl"] = kl * _between(0.5, 1.5, g, N_LATENTS)
    r["second_moment"] = _between(0.95, 1.05, g, N_LATENTS)
    r["error"] = _between(0.99, 1.01, g).item()
    r["error_swapped"] = r["error"] + _between(0.0, 0.01, g).item()


def _too_dear(r: Recording, g: Generator) -> None:
    _collapsed(r, g, kl=2e-4)
    r["encoder_gradient"] = _between(1e-3, 0.2, g).item()


def _frozen(r: Recording, g: Generator) -> None:
    _collapsed(r, g, kl=_between(1e-4, 0.007, g).item())
    r["encoder_gradient"] = 0.0


def _too_cheap(r: Recording, g: Generator) -> None:
    r["kl"] = _between(8, 16, g, N_LATENTS)
    r["second_moment"] = _between(8, 40, g, N_LATENTS)


def _bypassed(r: Recording, g: Generator) -> None:
    """The code is not needed: its KL falls to 0, and the images are fine."""
    r["kl"] = _between(1e-5, 4e-3, g, N_LATENTS)
    r["second_moment"] = _between(0.95, 1.05, g, N_LATENTS)
    r["error"] = _between(0.02, 0.3, g).item()
    r["error_swapped"] = r["error"] + _between(0.0, 0.02, g).item()
    r["encoder_gradient"] = _between(1e-3, 0.2, g).item()


def _noise(r: Recording, g: Generator) -> None:
    """σ² for σ, uniform numbers for normal ones, or none: mean and deviation tell which."""
    kinds = torch.tensor([[0.0, 0.5], [0.5, 0.289], [0.0, 1.7]])
    kind = kinds[int(torch.randint(3, (), generator=g))]
    r["noise"] = kind + 0.02 * torch.randn(2, generator=g)


def _modes(r: Recording, g: Generator) -> None:
    r["mode_gap"] = _between(0.8, 3.0, g).item()


def _overfitted(r: Recording, g: Generator) -> None:
    """Held-out images get better, then worse again, and stay better than at the start."""
    t = torch.arange(N_POINTS).float()
    r["held_out"] = r["held_out"] + _between(1.2, 2.2, g) * (t - 12).clamp(min=0)
    r["loss"] = r["loss"] - 0.8 * (t - 12).clamp(min=0)


_CHANGES: dict[str, Callable[[Recording, Generator], None]] = {
    "pixels are bytes": _bytes,
    "the KL weighs too much": _too_dear,
    "the KL weighs too little": _too_cheap,
    "the encoder gets no gradient": _frozen,
    "the picture goes past the code": _bypassed,
    "the noise is wrong": _noise,
    "train() and eval() differ": _modes,
    "overfitting": _overfitted,
}
