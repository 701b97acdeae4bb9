"""Cheap measurements on a model whose inside is not known: what goes in, what comes out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal

from course_lib import devices
from course_lib.diagnostics.reading import (
    Code,
    Image,
    place_of_z,
    read_code,
    read_image,
    set_mode,
)
from course_lib.distributions import kl_normal
from course_lib.errors import CourseError

N_IMAGES = 128
SEED = 0
GLARE = 100.0  # times the images: what an encoder then says is as large as it can be


@dataclass
class Measures:
    """Numbers about one model; NaN where they cannot be had. Distances are relative, see there."""

    pixels: int
    latents: int
    is_vae: bool
    x_min: float
    x_max: float
    finite: bool
    out_min: float = math.nan
    out_max: float = math.nan
    kind: str = "images"  # what decode returns: images, Bernoulli, Normal
    error: float = math.nan  # ‖x − x̂‖² over that of the mean image: 0 perfect, 1 no better
    error_as_logits: float = math.nan  # the same for sigmoid(x̂), where x̂ leaves [0, 1]
    error_of_others: float = math.nan  # the same, against other images
    spread: float = math.nan  # of the reconstructions over that of the images, as deviations
    code_effect: float = math.nan  # other codes: how far the images move, over their spread
    error_of_code: float = math.nan  # against x, of other images' codes, after x was encoded
    noise_effect: float = math.nan  # z for μ: how far the images move, over the images' spread
    kl: list[float] = field(default_factory=list)  # per latent, nats
    mu_min: float = math.nan
    mu_max: float = math.nan
    mu_stopped: float = 0.0  # share of the μ that are exactly 0, as behind a ReLU
    sigma_min: float = math.nan
    sigma_max: float = math.nan
    sigma_in_glare: tuple[float, float] = (math.nan, math.nan)  # of ±GLARE · x, least and largest
    second_moment: list[float] = field(default_factory=list)  # E z² of the aggregate, per latent
    drawn_mean: float = math.nan  # (z − μ)/σ of the encoder's own z
    drawn_sd: float = math.nan
    drawn_again: bool = True  # whether its noise is another one each time
    mode_gap: float = math.nan  # x̂ under train() and eval(), over the reconstructions' spread
    company_gap: float = math.nan  # x̂ of an image alone and in a batch, eval(), over the spread
    decoder_sigma: float = math.nan  # the smallest
    held_out_error: float = math.nan
    nats: float = math.nan  # −ELBO per image, where decode returns a distribution
    held_out_nats: float = math.nan


def spread_of(x: Tensor) -> float:
    """Root of the summed variance over images: how far images are from their mean, (B, …)."""
    return x.flatten(1).var(0, correction=0).sum().sqrt().item()


def moved(a: Tensor, b: Tensor) -> float:
    """Root of the mean squared distance of paired images."""
    return (a - b).flatten(1).square().sum(1).mean().sqrt().item()


def _is_triple(result: Any) -> bool:
    return isinstance(result, (tuple, list)) and len(result) > 2


class Probe:
    """The model's two halves, read as tensors, with the same random numbers each time."""

    def __init__(self, encode: Callable, decode: Callable) -> None:
        self.encode, self.decode = encode, decode
        self.place: int | None = None  # of z in what encode returns; the first call finds it

    def code(self, x: Tensor, *, seed: int = SEED) -> Code:
        """q(z|x) of these images."""
        with devices.seeded(seed):
            result = self.encode(x)
            if self.place is None:
                self.place = place_of_z(result, self.encode(x) if _is_triple(result) else ())
        code = read_code(result, self.place)
        if len(code.mu) != len(x):
            raise CourseError(f"encode returned {len(code.mu)} rows for {len(x)} images")
        return code

    def image(self, z: Tensor, *, seed: int = SEED) -> Image:
        """What is decoded; one image per code."""
        with devices.seeded(seed):
            image = read_image(self.decode(z))
        if len(image.mean) != len(z):
            raise CourseError(f"decode returned {len(image.mean)} images for {len(z)} codes")
        return image

    def round_trip(self, x: Tensor) -> Tensor:
        """x̂ at the mean of the code, shaped as x."""
        return self.image(self.code(x).mu).mean.reshape(x.shape)


@torch.no_grad()
def measure(probe: Probe, x: Tensor, held_out: Tensor | None, modules: list[nn.Module]) -> Measures:
    """All of it, in eval() but for the one comparison with train(); nothing is left changed."""
    set_mode(modules, training=False)
    code = probe.code(x)
    found = Measures(
        pixels=x[0].numel(), latents=code.mu.shape[1], is_vae=code.sigma is not None,
        x_min=x.min().item(), x_max=x.max().item(), finite=bool(code.mu.isfinite().all()),
    )  # fmt: skip
    _of_codes(found, code, probe, x)
    if found.finite:
        image = probe.image(code.mu)
        if image.mean[0].numel() != found.pixels:
            raise CourseError(
                f"decode returned {image.mean[0].numel()} numbers per image, not {found.pixels}"
            )
        _of_images(found, probe, x, code, image)
        _of_modes(found, probe, x, modules)
        if held_out is not None:
            _of_held_out(found, probe, x, held_out)
    return found


def _of_codes(found: Measures, code: Code, probe: Probe, x: Tensor) -> None:
    found.mu_min, found.mu_max = code.mu.min().item(), code.mu.max().item()
    found.mu_stopped = (code.mu == 0).float().mean().item()
    if code.sigma is None:
        found.second_moment = code.mu.square().mean(0).tolist()
        return
    sigma = code.sigma
    found.finite &= bool(sigma.isfinite().all())
    found.sigma_min, found.sigma_max = sigma.min().item(), sigma.max().item()
    found.sigma_in_glare = _sigma_in_glare(probe, x)
    found.second_moment = (code.mu**2 + sigma**2).mean(0).tolist()
    found.kl = kl_per_latent(code).mean(0).tolist()
    found.finite &= all(map(math.isfinite, found.kl))
    if code.z is not None:
        exact = code.mu.abs() < 1e5 * sigma  # beyond, z − μ is rounding
        noise = ((code.z - code.mu) / sigma)[exact]
        if exact.float().mean() > 0.9:
            found.drawn_mean, found.drawn_sd = noise.mean().item(), noise.std().item()
        again = probe.code(x, seed=SEED + 1)
        found.drawn_again = bool((again.z != code.z).any())


def _sigma_in_glare(probe: Probe, x: Tensor) -> tuple[float, float]:
    """What bounds σ is seen where a weight alone would send it anywhere; NaN if encode refuses."""
    try:
        sigma = probe.code(torch.cat([GLARE * x, -GLARE * x])).sigma
    except Exception:  # a model may check its pixels, in whatever way
        return math.nan, math.nan
    return sigma.min().item(), sigma.max().item()  # type: ignore[union-attr]


def kl_per_latent(code: Code) -> Tensor:
    """KL(q(z_j|x) ‖ N(0, 1)) in closed form, (B, d) nats."""
    mu, log_var = code.mu[..., None], 2 * code.sigma.log()[..., None]  # type: ignore[union-attr]
    zero = torch.zeros_like(mu)
    return kl_normal(mu, log_var, zero, zero)


def draw(code: Code, *, seed: int = SEED) -> Tensor:
    """z = μ + σ ε, (B, d)."""
    if code.sigma is None:
        return code.mu
    with devices.seeded(seed):
        return code.mu + code.sigma * torch.randn_like(code.mu)


def _of_images(found: Measures, probe: Probe, x: Tensor, code: Code, image: Image) -> None:
    x_hat = image.mean.reshape(x.shape)
    found.finite &= bool(x_hat.isfinite().all())
    found.out_min, found.out_max = x_hat.min().item(), x_hat.max().item()
    unit = spread_of(x) or 1.0
    found.error = (moved(x, x_hat) / unit) ** 2
    if found.out_min < 0 or found.out_max > 1:
        found.error_as_logits = (moved(x, x_hat.sigmoid()) / unit) ** 2
    found.error_of_others = (moved(x.roll(1, 0), x_hat) / unit) ** 2
    found.spread = spread_of(x_hat) / unit
    probe.code(x)  # a model that keeps something of the last image keeps it of these
    others = probe.image(code.mu.roll(1, 0)).mean.reshape(x.shape)
    found.code_effect = moved(others, x_hat) / unit
    found.error_of_code = (moved(x, others) / unit) ** 2
    noisy = probe.image(draw(code))
    found.noise_effect = moved(noisy.mean.reshape(x.shape), x_hat) / unit
    if noisy.distribution is not None:
        found.kind = type(noisy.distribution).__name__
        found.nats = _nats(code, noisy, x)
        if isinstance(noisy.distribution, Normal):
            found.decoder_sigma = noisy.distribution.stddev.min().item()


def _nats(code: Code, image: Image, x: Tensor) -> float:
    assert image.distribution is not None
    if isinstance(image.distribution, Bernoulli) and not 0 <= x.min() <= x.max() <= 1:
        return math.nan
    log_lik = image.distribution.log_prob(x.reshape(image.mean.shape)).flatten(1).sum(1)
    kl = kl_per_latent(code).sum(1) if code.sigma is not None else torch.zeros(len(x))
    return (kl.to(log_lik) - log_lik).mean().item()


def _of_modes(found: Measures, probe: Probe, x: Tensor, modules: list[nn.Module]) -> None:
    unit, together = spread_of(x) or 1.0, probe.round_trip(x)
    few = x[:8]
    alone = torch.cat([probe.round_trip(one[None]) for one in few])
    found.company_gap = moved(alone, together[:8]) / unit
    set_mode(modules, training=True)
    found.mode_gap = moved(probe.round_trip(x), together) / (spread_of(together) or unit)
    set_mode(modules, training=False)


def _of_held_out(found: Measures, probe: Probe, x: Tensor, held_out: Tensor) -> None:
    unit = spread_of(x) or 1.0
    found.held_out_error = (moved(held_out, probe.round_trip(held_out)) / unit) ** 2
    code = probe.code(held_out)
    image = probe.image(draw(code))
    if image.distribution is not None:
        found.held_out_nats = _nats(code, image, held_out)


def as_float(images: Any, name: str) -> Tensor:
    """(N, …) as floats, at most N_IMAGES of them. CourseError for what cannot be measured."""
    if not isinstance(images, Tensor) or images.dim() < 2 or len(images) < 8:
        raise CourseError(f"{name} must be a tensor of at least 8 images, one per row")
    images = images[:N_IMAGES]
    images = images if images.is_floating_point() else images.float()
    if not images.isfinite().all():
        raise CourseError(f"{name} hold numbers that are not finite: look at what loads them")
    if spread_of(images) == 0:
        raise CourseError(f"{name} are all the same: nothing can be told from them")
    return images
