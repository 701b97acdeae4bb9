"""What a training loss really weighs: its gradient, as a sum of those of distortion and rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course_lib import devices
from course_lib.diagnostics.measures import SEED, Probe, kl_per_latent
from course_lib.diagnostics.reading import read_code, read_image, set_mode
from course_lib.errors import CourseError

Gradient = list[Tensor | None]


@dataclass
class Weights:
    """loss ≈ a·distortion + b·rate, in nats per image, by its gradient.

    On the decoder's parameters only the distortion has a gradient, which gives a and which
    distortion it is; on the encoder's a and b are fitted together.
    """

    value: float
    finite: bool
    kind: str = ""  # of the distortion: cross-entropy, squared error, −log p(x|z)
    a: float = math.nan
    b: float = math.nan
    a_encoder: float = math.nan
    explained: float = math.nan  # share of the decoder's squared gradient
    explained_encoder: float = math.nan
    encoder_reached: bool = True
    decoder_reached: bool = True
    unreached: list[str] = field(default_factory=list)  # parameters without a gradient

    @property
    def beta(self) -> float:
        """The price of a nat of rate in nats of distortion: 1 is the ELBO."""
        return self.b / self.a if self.a else math.nan


def weigh(probe: Probe, loss: Callable, x: Tensor, modules: list[nn.Module]) -> Weights:
    """The weights that distortion and rate have in this loss, under train(), as it trains."""
    named = {name: p for i, m in enumerate(modules) for name, p in _named(m, i, len(modules))}
    set_mode(modules, training=True)
    with torch.enable_grad():
        value = _value(loss, x)
        found = Weights(value.item(), bool(value.isfinite()))
        if found.finite and named:
            _compare(found, probe, x, value, named)
    set_mode(modules, training=False)
    return found


def _named(module: nn.Module, i: int, n: int) -> list[tuple[str, nn.Parameter]]:
    start = f"{i}." if n > 1 else ""
    return [(start + name, p) for name, p in module.named_parameters()]


def _value(loss: Callable, x: Tensor) -> Tensor:
    with devices.seeded(SEED):
        value: Any = loss(x)
    while isinstance(value, (tuple, list)) and value:
        value = value[0]
    value = getattr(value, "loss", value)
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise CourseError("loss(images) must return one number, a tensor, as it is minimised")
    return value.reshape(())


def _compare(
    found: Weights, probe: Probe, x: Tensor, value: Tensor, named: dict[str, nn.Parameter]
) -> None:
    parameters = list(named.values())
    of_loss = _gradient(value, parameters)
    distortions, rate = _terms(probe, x)
    of_rate = _gradient(rate, parameters)
    of_terms = {kind: _gradient(term, parameters) for kind, term in distortions.items()}
    anything = next(iter(of_terms.values()))
    encoder = [i for i, g in enumerate(of_rate) if g is not None]
    if not encoder:  # an autoencoder: rate has no gradient, and all is fitted together
        encoder = list(_encoder_of(probe, x, parameters))
    decoder = [i for i, g in enumerate(anything) if g is not None and i not in encoder]
    found.unreached = [
        name for name, g, term in zip(named, of_loss, anything, strict=True)
        if _is_none(g) and not _is_none(term)
    ]  # fmt: skip
    found.encoder_reached = not all(_is_none(of_loss[i]) for i in encoder)
    found.decoder_reached = not all(_is_none(of_loss[i]) for i in decoder)
    for kind, gradient in of_terms.items():
        (a,), share = _fitted(of_loss, [gradient], decoder)
        if not share <= found.explained:
            found.kind, found.a, found.explained = kind, a, share
    if found.kind:
        (found.a_encoder, found.b), found.explained_encoder = _fitted(
            of_loss, [of_terms[found.kind], of_rate], encoder
        )


def _terms(probe: Probe, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The distortions that x and x̂ allow, and the rate: means over the batch, nats per image."""
    with devices.seeded(SEED):
        code = read_code(probe.encode(x), lambda: probe.encode(x))
        z = code.z if code.z is not None else code.mu
        if code.sigma is not None and code.z is None:
            z = code.mu + code.sigma * torch.randn_like(code.mu)
        image = read_image(probe.decode(z))
    flat, target = image.mean.flatten(1), x.flatten(1)
    found = {"squared error": (target - flat).square().sum(1).mean()}
    if image.distribution is not None:
        log_lik = image.distribution.log_prob(x.reshape(image.mean.shape))
        found = {"−log p(x|z)": -log_lik.flatten(1).sum(1).mean()} | found
    elif 0 <= flat.min() <= flat.max() <= 1 and 0 <= target.min() <= target.max() <= 1:
        p = flat.clamp(1e-6, 1 - 1e-6)
        nats = target * p.log() + (1 - target) * (1 - p).log()
        found["cross-entropy"] = -nats.sum(1).mean()
    rate = kl_per_latent(code).sum(1).mean() if code.sigma is not None else torch.zeros(())
    return found, rate


def _encoder_of(probe: Probe, x: Tensor, parameters: list[nn.Parameter]) -> set[int]:
    with devices.seeded(SEED):
        mu = read_code(probe.encode(x)).mu
    return {i for i, g in enumerate(_gradient(mu.sum(), parameters)) if g is not None}


def _gradient(value: Tensor, parameters: list[nn.Parameter]) -> Gradient:
    wanted = [p for p in parameters if p.requires_grad]
    if not value.requires_grad or not wanted:
        return [None] * len(parameters)
    found = iter(torch.autograd.grad(value, wanted, retain_graph=True, allow_unused=True))
    return [next(found) if p.requires_grad else None for p in parameters]


def _is_none(gradient: Tensor | None) -> bool:
    return gradient is None or not bool((gradient != 0).any())


def _fitted(goal: Gradient, parts: list[Gradient], places: list[int]) -> tuple[list[float], float]:
    """Least squares of the goal by the parts, at these parameters: weights, share explained."""

    def vector(gradient: Gradient, like: Gradient) -> Tensor:
        pieces = [(gradient[i], like[i]) for i in places]
        sized = [a if a is not None else torch.zeros_like(b) for a, b in pieces if b is not None]
        return torch.cat([p.detach().double().flatten() for p in sized]) if sized else _NOTHING

    like = [
        next((g[i] for g in (*parts, goal) if g[i] is not None), None) for i in range(len(goal))
    ]
    y = vector(goal, like)
    columns = [vector(part, like) for part in parts]
    if not len(y) or not y.square().sum() > 0:
        return [0.0] * len(parts), math.nan
    A = torch.stack(columns, 1)
    gram = A.T @ A
    weights = torch.linalg.lstsq(gram, (A.T @ y)[:, None], driver="gelsd").solution[:, 0]
    left = (y - A @ weights).square().sum() / y.square().sum()
    return weights.tolist(), 1 - left.item()


_NOTHING = torch.zeros(0, dtype=torch.float64)
