"""`score_gradient(f, mu, log_var, n_samples, generator)`: ∇_μ E_q[f(z)] without a gradient of f."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.distributions import log_normal
from course_lib.exercises.spec import Case, Exercise, Mistake
from course_lib.exercises.variational_autoencoder.gradient_slips import (
    draw,
    noisy,
    pathwise,
    slips_of_noise,
)
from course_lib.exercises.variational_autoencoder.observe_gradients import (
    GRADIENT_HINTS,
    draw_inputs,
    observe_score,
)


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    functions = [
        ("a smooth function of 2 latents", "4 + z₀² z₁", 2),
        ("a step of 3 latents, which has no gradient", "10 where z₀ > ½, else 0", 3),
    ]
    return [
        Case(about, {"f": f, **draw_inputs(d, generator=g), "seed of the generator": seed})
        for about, f, d in functions
    ]


def _right(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    z = draw(mu, log_var, noise)
    return (f(z)[:, None] * (z - mu) / log_var.exp()).mean(0)


def _with(
    weight: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda z, mu, lv: (z - mu) / lv.exp(),
    *,
    sigma: Callable[[Tensor], Tensor] = lambda log_var: torch.exp(0.5 * log_var),
    pool: Callable[[Tensor, Tensor], Tensor] = lambda value, w: (value[:, None] * w).mean(0),
) -> Callable:
    """A candidate with another score, another σ, or another way to put both together."""

    def estimator(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
        z = mu + sigma(log_var) * noise
        return pool(f(z), weight(z, mu, log_var))

    return noisy(estimator)


def _by_autograd(*, value_cut: bool) -> Callable:
    """The gradient of f(z) log q(z) with z not detached, so that log q does not depend on μ."""

    def estimator(f: Callable, mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
        mu = mu.detach().requires_grad_()
        z = draw(mu, log_var, noise)
        value = f(z).detach() if value_cut else f(z)
        return torch.autograd.grad((value * log_normal(z, mu, log_var)).mean(), mu)[0]

    return noisy(estimator)


_SCORE = "The score, ∇_μ log q(z) = (z − μ)/σ², "
_PATH = (
    "You differentiate f: that is the pathwise estimator. The score-function estimator only "
    "evaluates f, so that f may be a step, and differentiates log q."
)
_NOT_CUT = (
    "With z = μ + σ ε inside, log q(z) does not change with μ: z − μ is always σ ε. Detach z "
    "before you take its log-density."
)
_PRODUCT = (
    "Your gradient is 0 up to noise, whatever f is: the mean of the score alone is 0. Multiply the "
    "score of every sample by its own f(z) first, then take the mean."
)
MISTAKES = (
    Mistake("pathwise gradient", pathwise(), _PATH),
    Mistake(
        "sigma for sigma^2",
        _with(lambda z, mu, lv: (z - mu) / torch.exp(0.5 * lv)),
        f"{_SCORE}is divided by σ² in full: you divide by σ once.",
    ),
    Mistake(
        "no sigma",
        _with(lambda z, mu, lv: z - mu),
        f"{_SCORE}is not divided by σ² here.",
    ),
    Mistake(
        "times sigma^2",
        _with(lambda z, mu, lv: (z - mu) * lv.exp()),
        f"{_SCORE}is multiplied by σ² where it should be divided.",
    ),
    Mistake(
        "divided by log_var",
        _with(lambda z, mu, lv: (z - mu) / lv),
        f"{_SCORE}is divided by log σ² here: take the exponential of `log_var`.",
    ),
    Mistake(
        "divided by sigma^4",
        _with(lambda z, mu, lv: (z - mu) / torch.exp(2 * lv)),
        f"{_SCORE}is divided by σ⁴ here: the exponential of log σ² is σ² already.",
    ),
    Mistake(
        "sign",
        _with(lambda z, mu, lv: (mu - z) / lv.exp()),
        f"{_SCORE}has its sign turned round: log q rises as μ moves towards z.",
    ),
    Mistake(
        "half",
        _with(lambda z, mu, lv: 0.5 * (z - mu) / lv.exp()),
        f"{_SCORE}has no ½: the square in log q gives a factor of 2.",
    ),
    Mistake(
        "z not centred",
        _with(lambda z, mu, lv: z / lv.exp()),
        f"{_SCORE}is not centred here: subtract μ from z.",
    ),
    Mistake(
        "no log-density",
        _with(lambda z, mu, lv: z - mu, pool=lambda value, w: value.mean()),
        "This is the mean of f, E_q[f(z)] itself, a single number. Each f(z) is multiplied by "
        "∇_μ log q(z).",
    ),
    Mistake(
        "score alone",
        _with(pool=lambda value, w: w.mean(0)),
        _PRODUCT,
    ),
    Mistake(
        "product of the means",
        _with(pool=lambda value, w: value.mean() * w.mean(0)),
        _PRODUCT,
    ),
    Mistake(
        "log-density not differentiated",
        _with(log_normal, pool=lambda value, w: (value * w).mean()),
        "You multiply by log q(z), a single number a sample. Its gradient with respect to μ has d "
        "numbers.",
    ),
    Mistake(
        "derivative with respect to log_var",
        _with(lambda z, mu, lv: 0.5 * ((z - mu) ** 2 / lv.exp() - 1)),
        "This is the gradient with respect to log σ². The exercise asks for the one with respect "
        "to μ.",
    ),
    Mistake("z not detached", _by_autograd(value_cut=True), _NOT_CUT),
    Mistake(
        "nothing detached", _by_autograd(value_cut=False), f"{_NOT_CUT} Do not differentiate f."
    ),
    Mistake(
        "own mean as baseline",
        _with(pool=lambda value, w: ((value - value.mean())[:, None] * w).mean(0)),
        "You subtract the mean of the same f(z). That steadies the estimate but shrinks it by "
        "1 − 1/S: with one sample it is 0. The exercise asks for the plain mean.",
    ),
    Mistake(
        "values standardised",
        _with(
            pool=lambda value, w: (
                ((value - value.mean()) / value.std(correction=0))[:, None] * w
            ).mean(0)
        ),
        "You standardise the values of f, as some code for policies does. Then the gradient is "
        "that of another function.",
    ),
    Mistake(
        "one less than the samples",
        _with(pool=lambda value, w: (value[:, None] * w).sum(0) / (len(w) - 1)),
        "You divide by S − 1. A mean over S samples divides by S.",
    ),
    Mistake(
        "value not a column",
        _with(pool=lambda value, w: (value * w).mean(0)),
        "f(z) is (S,) and the score (S, d): they do not multiply row by row. Make f(z) a column, "
        "with `[:, None]`.",
    ),
    Mistake(
        "sum over samples",
        _with(pool=lambda value, w: (value[:, None] * w).sum(0)),
        "You sum over the samples, so the gradient grows with their number. Take their mean.",
    ),
    Mistake(
        "mean over everything",
        _with(pool=lambda value, w: (value[:, None] * w).mean()),
        "You average over the latents as well. Keep one number a latent, (d,).",
    ),
    Mistake(
        "no mean",
        _with(pool=lambda value, w: value[:, None] * w),
        "You return one gradient a sample, (S, d). Take the mean over dimension 0.",
    ),
    Mistake(
        "exp(log_var) as sigma",
        _with(sigma=torch.exp),
        "The score is right, but the samples have standard deviation exp(log σ²) = σ². "
        "`reparameterize` draws them from q.",
    ),
    Mistake(
        "samples without sigma",
        _with(sigma=torch.ones_like),
        "The score is right, but the samples have standard deviation 1. `reparameterize` draws "
        "them from q.",
    ),
    *slips_of_noise(_right),
)

EXERCISE = Exercise(
    "score_gradient",
    3,
    cases,
    MISTAKES,
    observe=observe_score,
    property_hints=GRADIENT_HINTS,
    rtol=0.02,
    atol=0.25,
)
