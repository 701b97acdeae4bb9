"""`pathwise_gradient(f, mu, log_var, n_samples, generator)`: ∇_μ E_q[f(z)] through the samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake
from course_lib.exercises.variational_autoencoder.gradient_slips import (
    draw,
    noisy,
    pathwise,
    slips_of_noise,
)
from course_lib.exercises.variational_autoencoder.observe_gradients import (
    GRADIENT_HINTS,
    SECOND_CALL,
    STEADY,
    draw_inputs,
    observe_pathwise,
)


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    functions = [
        ("a function of 2 latents", "⅓ z₀³ + z₀ z₁²", 2),
        ("a function of 3 latents", "Σ exp(z)", 3),
    ]
    return [
        Case(about, {"f": f, **draw_inputs(d, generator=g), "seed of the generator": seed})
        for about, f, d in functions
    ]


def _right(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    mu = mu.detach().requires_grad_()
    return torch.autograd.grad(f(draw(mu, log_var, noise)).mean(), mu)[0]


def _score(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    value = f(draw(mu, log_var, noise))
    return (value[:, None] * noise / torch.exp(0.5 * log_var)).mean(0)


def _kept_in_mu(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    mu.requires_grad_()
    f(draw(mu, log_var, noise)).mean().backward()
    return mu.grad


def _of_the_noise(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    noise = noise.requires_grad_()
    value = f(draw(mu, log_var, noise)).mean()
    return torch.autograd.grad(value, noise)[0].sum(0)


def _of_the_samples(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    z = draw(mu, log_var, noise).requires_grad_()
    return torch.autograd.grad(f(z).mean(), z)[0]


def _of_no_graph(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    return torch.autograd.grad(f(draw(mu, log_var, noise)).mean(), mu)[0]


def _value(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    return f(draw(mu, log_var, noise)).mean()


_SAMPLE = "`reparameterize` draws samples from q."
_SCORE = (
    "This is the score-function estimator: its mean is right, but even for a linear f it depends "
    "on the noise. The pathwise one differentiates f at z = μ + σ ε."
)
_GRAPH = (
    "The graph does not lead from z back to μ. Make μ a leaf with `requires_grad_()` before z is "
    "made of it, and detach nothing after."
)
_KEPT = (
    "The first call is right, a second one with the same μ is not: gradients add up in `mu.grad`. "
    "Work on a copy of μ, or use `torch.autograd.grad`."
)
MISTAKES = (
    Mistake("score gradient", noisy(_score), _SCORE),
    Mistake(
        "no sigma",
        pathwise(lambda mu, log_var, eps: mu + eps),
        f"σ is missing: your samples have variance 1. {_SAMPLE}",
    ),
    Mistake(
        "exp(log_var) as sigma",
        pathwise(lambda mu, log_var, eps: mu + log_var.exp() * eps),
        f"Your samples have standard deviation exp(log σ²) = σ². {_SAMPLE}",
    ),
    Mistake(
        "log_var as sigma",
        pathwise(lambda mu, log_var, eps: mu + log_var * eps),
        f"You scale the noise by `log_var` itself. {_SAMPLE}",
    ),
    Mistake(
        "at the mean",
        pathwise(lambda mu, log_var, eps: mu.expand_as(eps)),
        "`f` is differentiated at μ itself, without noise. The gradient of a mean is the mean of "
        "gradients at samples of q.",
    ),
    Mistake(
        "samples from the prior",
        pathwise(lambda mu, log_var, eps: 0 * mu + eps),
        "Your samples do not depend on μ, so the gradient is 0. Samples of q are moved by μ.",
    ),
    Mistake(
        "with respect to log_var",
        pathwise(wrt="log_var"),
        "This is the gradient with respect to log σ². The exercise asks for the one with respect "
        "to μ.",
    ),
    Mistake(
        "with respect to the noise",
        noisy(_of_the_noise),
        "This is the gradient with respect to ε, which has a factor σ too many. Differentiate with "
        "respect to μ.",
    ),
    Mistake(
        "with respect to z",
        noisy(_of_the_samples),
        "You return one gradient a sample, (S, d). The gradient with respect to μ has shape (d,).",
    ),
    Mistake("no graph", noisy(_of_no_graph), _GRAPH),
    Mistake(
        "z detached",
        pathwise(lambda mu, log_var, eps: draw(mu, log_var, eps).detach()),
        _GRAPH,
    ),
    Mistake(
        "value returned",
        noisy(_value),
        "This is the mean of f, E_q[f(z)] itself, a single number. Differentiate it with respect "
        "to μ.",
    ),
    Mistake(
        "sum over samples",
        pathwise(pool=torch.sum),
        "You sum f over the samples, so the gradient grows with their number. Take the mean.",
    ),
    Mistake(
        "no mean",
        pathwise(pool=lambda value: value),
        "autograd differentiates one number: take the mean of f over the samples first.",
    ),
    Mistake(
        "sign",
        pathwise(pool=lambda value: -value.mean()),
        "The sign is turned round: this is the gradient of a loss −f.",
    ),
    Mistake(
        "one less than the samples",
        pathwise(pool=lambda value: value.sum() / (len(value) - 1)),
        "You divide by S − 1. A mean over S samples divides by S.",
    ),
    Mistake("gradients added up", noisy(_kept_in_mu), _KEPT),
    *slips_of_noise(_right),
)

EXERCISE = Exercise(
    "pathwise_gradient",
    3,
    cases,
    MISTAKES,
    observe=observe_pathwise,
    property_hints=GRADIENT_HINTS | {SECOND_CALL: _KEPT, STEADY: _SCORE},
    rtol=0.02,
    atol=0.25,
)
