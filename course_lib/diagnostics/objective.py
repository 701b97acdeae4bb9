"""What a training loss really weighs: its gradient, as a sum of those of distortion and rate."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course_lib import devices
from course_lib.diagnostics.measures import SEED, Probe, draw, kl_per_latent
from course_lib.diagnostics.reading import set_mode
from course_lib.errors import CourseError

Gradient = list[Tensor | None]


@dataclass
class Weights:
    """loss ≈ a·distortion + b·rate, in nats per image, by its gradient.

    On the decoder's parameters only the distortion has a gradient, which gives a and which
    distortion it is; b is fitted on the encoder's.
    """

    value: float
    finite: bool
    kind: str = ""  # of the distortion: cross-entropy, squared error, −log p(x|z)
    a: float = math.nan
    b: float = math.nan
    explained: float = math.nan  # share of the decoder's squared gradient
    explained_encoder: float = math.nan  # the same on the encoder, beside the rate's
    reach: float = math.nan  # squared gradient there, beside the rate's, over the distortion's
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
    with torch.enable_grad(), _trainable(list(named.values())):
        value = _value(loss, x)
        found = Weights(value.item(), bool(value.isfinite()))
        if found.finite and named:
            _compare(found, probe, x, value, named)
    set_mode(modules, training=False)
    return found


@contextlib.contextmanager
def _trainable(parameters: list[nn.Parameter]) -> Iterator[None]:
    """All of them, if none is: a model that was loaded for use, and not one with a frozen part."""
    lent = parameters if not any(p.requires_grad for p in parameters) else []
    for p in lent:
        p.requires_grad_(True)
    try:
        yield
    finally:
        for p in lent:
            p.requires_grad_(False)


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
    found.finite = all(g is None or bool(g.isfinite().all()) for g in [*of_loss, *of_rate])
    if not found.finite:
        return
    of_terms = {kind: _gradient(term, parameters) for kind, term in distortions.items()}
    anything = next(iter(of_terms.values()))
    encoder = [i for i, g in enumerate(of_rate) if g is not None]
    if not encoder:  # an autoencoder: rate has no gradient, and all is fitted together
        of_codes = _gradient(probe.code(x).mu.sum(), parameters)
        encoder = [i for i, g in enumerate(of_codes) if g is not None]
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
        of_terms_there = (of_loss, of_terms[found.kind], of_rate)
        (_, found.b), _ = _fitted(of_loss, list(of_terms_there[1:]), encoder)
        _reach(found, *_vectors(of_terms_there, encoder))


def _reach(found: Weights, loss: Tensor, distortion: Tensor, rate: Tensor) -> None:
    """What the loss asks of the encoder beside a lower rate, held against the distortion's wish."""
    unit = rate / rate.norm() if rate.norm() > 0 else rate
    loss, distortion = (g - (g @ unit) * unit for g in (loss, distortion))
    wish = found.a**2 * distortion.square().sum()
    found.reach = (loss.square().sum() / wish).item() if wish > 0 else 0.0
    if loss.norm() * distortion.norm() > 0:
        cosine = loss @ distortion / (loss.norm() * distortion.norm())
        found.explained_encoder = cosine.item() ** 2


def _terms(probe: Probe, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The distortions that x and x̂ allow, and the rate: means over the batch, nats per image."""
    code = probe.code(x)
    image = probe.image(code.z if code.z is not None else draw(code))
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


def _gradient(value: Tensor, parameters: list[nn.Parameter]) -> Gradient:
    wanted = [p for p in parameters if p.requires_grad]
    if not value.requires_grad or not wanted:
        return [None] * len(parameters)
    found = iter(torch.autograd.grad(value, wanted, retain_graph=True, allow_unused=True))
    return [next(found) if p.requires_grad else None for p in parameters]


def _is_none(gradient: Tensor | None) -> bool:
    return gradient is None or not bool((gradient != 0).any())


def _vectors(gradients: Sequence[Gradient], places: list[int]) -> list[Tensor]:
    """Each of them at these parameters, one after another; zeros where another one has numbers."""
    found: list[list[Tensor]] = [[torch.zeros(0, dtype=torch.float64)] for _ in gradients]
    for i in places:
        there = [g[i] for g in gradients]
        like = next((g for g in there if g is not None), torch.zeros(0))
        for column, one in zip(found, there, strict=True):
            one = torch.zeros_like(like) if one is None else one
            column.append(one.detach().double().flatten())
    return [torch.cat(column) for column in found]


def _fitted(goal: Gradient, parts: list[Gradient], places: list[int]) -> tuple[list[float], float]:
    """Least squares of the goal by the parts, at these parameters: weights, share explained."""
    y, *columns = _vectors([goal, *parts], places)
    if not len(y) or not y.square().sum() > 0:
        return [0.0] * len(parts), math.nan
    A = torch.stack(columns, 1)
    gram = A.T @ A
    if not gram.isfinite().all():
        return [math.nan] * len(parts), math.nan
    weights = torch.linalg.lstsq(gram, (A.T @ y)[:, None], driver="gelsd").solution[:, 0]
    left = (y - A @ weights).square().sum() / y.square().sum()
    return weights.tolist(), 1 - left.item()
