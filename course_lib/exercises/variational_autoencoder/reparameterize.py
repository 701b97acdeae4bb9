"""`reparameterize(mu, log_var, eps)`: z = μ + σ ε, differentiable in μ and log σ²."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.observers import outline
from course_lib.exercises.spec import Case, Exercise, Mistake

NO_OTHER_NOISE = "the noise is eps alone"
SAME_TYPE = "float32 in, float32 out"


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, shape: tuple[int, ...], *front: int) -> Case:
        mu, log_var = torch.randn(2, *shape, generator=g, dtype=torch.float64)
        eps = torch.randn(*front, *shape, generator=g, dtype=torch.float64)
        return Case(about, {"mu": mu, "log_var": log_var, "eps": eps})

    return [
        draw("4 images, 3 latents", (4, 3)),
        draw("5 samples for each of 2 images", (2, 3), 5),
        draw("one vector", (4,)),
    ]


def _gradient(total: Tensor, leaf: Tensor) -> Tensor:
    """∂ total / ∂ leaf; zero where the graph does not lead there."""
    if not total.requires_grad:
        return torch.zeros_like(leaf)
    (gradient,) = torch.autograd.grad(total, leaf, allow_unused=True, retain_graph=True)
    return torch.zeros_like(leaf) if gradient is None else gradient


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """z, and the gradients of a weighted sum of z with respect to μ and log σ²."""
    state = torch.get_rng_state()
    z = candidate(*case.args.values())
    mu, log_var = (case.args[name].clone().requires_grad_() for name in ("mu", "log_var"))
    again = candidate(mu, log_var, case.args["eps"])
    if not isinstance(z, Tensor) or not isinstance(again, Tensor):
        return {"kind of the result": outline(z)}
    same = z.shape == again.shape and torch.allclose(z, again, equal_nan=True)
    if not same or not torch.equal(state, torch.get_rng_state()):
        return {"kind of the result": "tensor", NO_OTHER_NOISE: False}
    single = candidate(*(arg.float() for arg in case.args.values()))
    weights = torch.linspace(1, 2, again.numel(), dtype=z.dtype).view(again.shape)
    total = (weights * again).sum()
    return {
        "kind of the result": "tensor",
        NO_OTHER_NOISE: True,
        SAME_TYPE: single.dtype == torch.float32,
        "z": z,
        "gradient with respect to mu": _gradient(total, mu),
        "gradient with respect to log_var": _gradient(total, log_var),
    }


def _with(sigma: Callable[[Tensor], Tensor]) -> Callable:
    """z = μ + s ε with this s in place of σ."""
    return lambda mu, log_var, eps: mu + sigma(log_var) * eps


def _sigma(log_var: Tensor) -> Tensor:
    return torch.exp(0.5 * log_var)


_right = _with(_sigma)


def _without_grad(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    with torch.no_grad():
        return _right(mu, log_var, eps)


_OWN = (
    "You draw noise of your own. Use the argument `eps`: whoever calls decides on the noise, and "
    "the same eps gives the same z."
)
_CUT = (
    "z is right but has no graph, so no gradient reaches the encoder. Leave out `.detach()`, "
    "`.data` and `no_grad`: this path for gradients is the point of the trick."
)
_STD_CUT = (
    "The gradient reaches μ but not log σ²: σ is detached, and the encoder never learns how much "
    "noise to add."
)
_DOUBLE = (
    "You turn the numbers into float64. The decoder holds float32 and refuses such a z: keep the "
    "type of the inputs."
)
_HALF = "log_var is log σ², so σ is the exponential of one half of it."
MISTAKES = (
    Mistake(
        "exp(log_var) as sigma",
        _with(torch.exp),
        f"You scale the noise by exp(log σ²) = σ², the variance. {_HALF}",
    ),
    Mistake(
        "log_var as sigma",
        _with(lambda log_var: log_var),
        f"You scale the noise by `log_var` itself, which can be negative. {_HALF}",
    ),
    Mistake(
        "half of log_var as sigma",
        _with(lambda log_var: 0.5 * log_var),
        "You scale the noise by log σ. The exponential is missing: σ = exp(log σ).",
    ),
    Mistake(
        "half outside of exp",
        _with(lambda log_var: 0.5 * torch.exp(log_var)),
        "The ½ stands outside the exponential: that is ½ σ². Inside, it makes the root of σ².",
    ),
    Mistake(
        "exp of twice log_var",
        _with(lambda log_var: torch.exp(2 * log_var)),
        f"exp(2 log σ²) is σ⁴: halve where you double. {_HALF}",
    ),
    Mistake(
        "root of log_var",
        _with(torch.sqrt),
        "You take the root of log σ², which is often negative: NaN. First the exponential, then "
        "the root.",
    ),
    Mistake(
        "softplus",
        _with(F.softplus),
        f"You use softplus. Some models do, but here the network returns log σ². {_HALF}",
    ),
    Mistake(
        "softplus of half",
        _with(lambda log_var: F.softplus(0.5 * log_var)),
        f"You use softplus. Some models do, but here the network returns log σ². {_HALF}",
    ),
    Mistake(
        "one over sigma",
        _with(lambda log_var: _sigma(-log_var)),
        "You divide the noise by σ: a sign inside the exponential is turned round.",
    ),
    Mistake(
        "no sigma",
        lambda mu, log_var, eps: mu + eps,
        "σ is missing: this z always has variance 1, whatever the encoder says.",
    ),
    Mistake(
        "no noise",
        lambda mu, log_var, eps: (mu + _sigma(log_var)).expand_as(eps),
        "eps is missing: you add σ itself, and every z is the same.",
    ),
    Mistake(
        "mean only",
        lambda mu, log_var, eps: mu.expand_as(eps),
        "You return μ: the mean of q, not a sample of it. Add σ times the noise.",
    ),
    Mistake(
        "no mean",
        lambda mu, log_var, eps: _sigma(log_var) * eps,
        "μ is missing: this is a sample of N(0, σ²).",
    ),
    Mistake(
        "noise times mu",
        lambda mu, log_var, eps: _sigma(log_var) + mu * eps,
        "μ and σ have changed places: the noise is scaled by σ and moved by μ.",
    ),
    Mistake(
        "sigma times mu",
        lambda mu, log_var, eps: _sigma(log_var) * (mu + eps),
        "You scale μ as well. Only the noise is scaled by σ: mind the brackets.",
    ),
    Mistake(
        "whitened",
        lambda mu, log_var, eps: (eps - mu) / _sigma(log_var),
        "This is the way back, from z to ε. Solve ε = (z − μ)/σ for z.",
    ),
    Mistake(
        "minus",
        lambda mu, log_var, eps: mu - _sigma(log_var) * eps,
        "You subtract the noise. That has the same distribution, but it is not μ + σ ε.",
    ),
    Mistake("own noise", lambda mu, log_var, eps: _right(mu, log_var, torch.randn_like(mu)), _OWN),
    Mistake(
        "sample of a distribution",
        lambda mu, log_var, eps: torch.distributions.Normal(mu, _sigma(log_var)).rsample(),
        _OWN,
    ),
    Mistake("detached", lambda mu, log_var, eps: _right(mu, log_var, eps).detach(), _CUT),
    Mistake("without gradients", _without_grad, _CUT),
    Mistake(
        "sigma detached",
        lambda mu, log_var, eps: _right(mu, log_var.detach(), eps),
        _STD_CUT,
    ),
    Mistake(
        "mean detached",
        lambda mu, log_var, eps: _right(mu.detach(), log_var, eps),
        "The gradient reaches log σ² but not μ: μ is detached, and the encoder never learns where "
        "to put an image.",
    ),
    Mistake(
        "float64 whatever comes in",
        lambda mu, log_var, eps: _right(mu.double(), log_var.double(), eps.double()),
        _DOUBLE,
    ),
    Mistake(
        "two results",
        lambda mu, log_var, eps: (_right(mu, log_var, eps), eps),
        "You return a tuple. Return z alone.",
    ),
)

EXERCISE = Exercise(
    "reparameterize",
    1,
    cases,
    MISTAKES,
    observe=observe,
    property_hints={
        "kind of the result": "Return z, a tensor: stay with PyTorch from input to output.",
        NO_OTHER_NOISE: _OWN,
        SAME_TYPE: _DOUBLE,
    },
)
